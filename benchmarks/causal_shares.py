"""Shares of causal fine-tunes against brute force: in-run credit, the memory, both, and LoRA of the last layer alone.

    tribute base make data/base
    python benchmarks/causal_shares.py data/base CACHE [--arena packages] [--repetitions 5]

An arena is a base of 12 layers, six packages that answer questions about themselves and a scrambler
(contributions/sources/answers.py). `packages` was looked at while settings were chosen, `others` was named before and
is looked at once. The truth is the rate design of the product with names as factors: some 128 trainings a repetition,
kept in CACHE, so that a killed run goes on where it was. Writes docs/benchmarks/causal_shares.md.

An arena counts where the truth's own Σ|error| is at most 0.05 and its gain at least ten of its standard errors.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from throughput import processor
from tribute.attribution.credit.inrun import in_run_credit
from tribute.attribution.credit.stand_in import path_credits
from tribute.attribution.credit.stand_in_artifact import memory_of
from tribute.attribution.gradients.sample import fold_weights
from tribute.attribution.retraining import designs
from tribute.attribution.shares.row_credits import InRunCredit, StandInCredit, row_credits
from tribute.attribution.shares.shares import clipped_shares
from tribute.config import AnswersSource, BaseConfig, FinetuningConfig, LoraConfig
from tribute.contributions.intake.row_checks import read_jsonl
from tribute.contributions.sources import write_source
from tribute.finetuning.encoding.encoding import EncodedRows, RowFormat, encode_causal
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.base_models import load_tokenizer
from tribute.finetuning.models.lora import add_lora
from tribute.finetuning.models.lower_layers import cache_lower_layers
from tribute.finetuning.models.row_models import RowModel, build_causal
from tribute.finetuning.training.training import train

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "causal_shares.md"
ARENAS = {
    "packages": ("python", "scipy", "pandas", "sympy", "matplotlib", "sqlalchemy"),
    "others": ("numpy", "scikit-learn", "networkx", "mlflow", "transformers", "pillow"),
}
ROWS, SEEDS = 40, (0, 1, 2)
PROXY_RATES = (1.0, 1.5, 2.5, 4.0)
"""Learning rates of the last layer alone, times the run's: the first that gains ENOUGH of the run's gain is taken."""
ENOUGH = 0.94
PROXY_FIRST = 100
"""The proxy's own draws: none of the truth's."""


class Arena:
    """Rows, and cached trainings of the run's layers or of the last one alone."""

    def __init__(self, name: str, base: Path, cache: Path) -> None:
        self.name, self.base, self.cache = name, base, cache / name
        self.cache.mkdir(parents=True, exist_ok=True)
        train_rows, tests = _frames(ARENAS[name])
        self.contributors = sorted(set(train_rows["contributor_id"]))
        self.owner = np.array([self.contributors.index(id_) for id_ in train_rows["contributor_id"]])
        tokenizer, format_ = load_tokenizer(base), RowFormat(96, is_conversation=True)
        self.whole = [encode_causal(frame, tokenizer, format_) for frame in (train_rows, tests)]
        self.digest = hashlib.sha256(json.dumps([self.whole[0].tokens, self.whole[1].tokens]).encode()).hexdigest()

    def config(self, layers: tuple[int, ...], rate: float) -> FinetuningConfig:
        """The settings of configs/assistant.yaml on these layers."""
        lora = LoraConfig(r=8, alpha=16, target_modules=("q_proj", "v_proj", "up_proj", "down_proj"), layers=layers)
        return FinetuningConfig(
            base=BaseConfig(folder=self.base), lora=lora, epochs=3, batch_size=16, learning_rate=5e-3 * rate,
            max_tokens=96, trace_states=16,
        )  # fmt: skip

    def ready(self, config: FinetuningConfig, seed: int | None) -> tuple[RowModel, EncodedRows, EncodedRows]:
        """A fresh model that starts above the cached layers, and its rows."""
        model = build_causal(self.base)
        train_rows, tests = cache_lower_layers(model, config.lora, *self.whole)
        if seed is not None:
            add_lora(model, config.lora, seed)
        return model, train_rows, tests

    def losses(self, config: FinetuningConfig, kept: np.ndarray, seed: int) -> np.ndarray:
        """Evaluation losses after a training on the rows `kept`, nats [evaluation rows]."""
        key = [self.digest, config.model_dump(mode="json", exclude={"base", "seeds"}), kept.tobytes().hex(), seed]
        file = self.cache / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]}.npy"
        if not file.exists():
            model, train_rows, tests = self.ready(config, seed)
            dropped = frozenset(np.flatnonzero(~kept).tolist())
            if kept.any():
                with tempfile.TemporaryDirectory() as scratch:
                    train(model, train_rows, config, seed, Path(scratch), dropped=dropped, recorded=False)
            np.save(file, evaluate(model, tests).losses)
        return np.asarray(np.load(file))

    def utility(self, config: FinetuningConfig, kept: np.ndarray, seed: int) -> float:
        """U, nats."""
        return -float(self.losses(config, kept, seed).mean())

    def gain(self, config: FinetuningConfig, seed: int) -> float:
        """U(all) − U(none), nats."""
        everything = np.ones(len(self.owner), dtype=bool)
        return self.utility(config, everything, seed) - self.utility(config, ~everything, seed)

    @cached_property
    def run(self) -> FinetuningConfig:
        """What the truth retrains: the upper four of twelve layers."""
        return self.config((8, 9, 10, 11), 1.0)

    @cached_property
    def proxy(self) -> FinetuningConfig:
        """The last layer alone, at the rate that gains what the run gained."""
        wanted = ENOUGH * self.gain(self.run, 0)
        tried = [self.config((11,), rate) for rate in PROXY_RATES]
        return next((config for config in tried if self.gain(config, 0) >= wanted), tried[-1])

    def repetitions(self, config: FinetuningConfig, first: int, count: int) -> np.ndarray:
        """Effects by name of so many repetitions of the rate design, each in parts of its sum, [count, names]."""
        effects = []
        for number in range(first, first + count):
            design = designs.rate_design(self.owner, number, SEEDS)
            utilities = np.array([self.utility(config, run.run.kept, run.run.seed) for run in design])
            effects.append(designs.rate_effects(design, utilities))
            print(self.name, config.lora.layers, number, np.round(effects[-1], 3), flush=True)
        found = np.stack(effects)
        return np.asarray(found / found.sum(1, keepdims=True))

    def witnesses(self) -> Mapping[str, np.ndarray]:
        """Method → credits by name, nats [names]."""
        in_run = []
        for seed in SEEDS:
            model, train_rows, tests = self.ready(self.run, seed)
            even = np.full(len(tests), 1 / len(tests))
            with tempfile.TemporaryDirectory() as scratch:
                training = train(model, train_rows, self.run, seed, Path(scratch))
                walked = in_run_credit(model, train_rows, tests, even, training.trace)
            in_run.append(InRunCredit(seed, walked.scores.sum(1), walked.folds.T, self.gain(self.run, seed)))
        gain = float(np.mean([witness.measured for witness in in_run]))
        model, train_rows, tests = self.ready(self.run, None)
        memory = memory_of(model, train_rows, tests).fitted(gain)
        even = np.full(len(tests), 1 / len(tests))
        readings = np.hstack([even[:, None], fold_weights(tests.row_ids, even)])
        credit, *folds = path_credits(memory, len(train_rows), readings)
        everything = np.ones(len(train_rows))
        gained = float((memory.losses(0 * everything) - memory.losses(everything)).mean())
        stand_in = StandInCredit(credit, np.stack(folds), gain, gained)
        clusters = np.arange(len(self.owner)) * 31 // len(self.owner)
        both = row_credits(in_run, stand_in, clusters, gain).credit.mean(0)
        lengths = train_rows.lengths().astype(float)
        rows = {
            "rows counted": np.ones(len(lengths)),
            "tokens counted": lengths,
            "in-run, 3 seeds": np.mean([witness.credit for witness in in_run], axis=0),
            f"memory (gains {gained:.2f} of {gain:.2f} nats)": credit,
            "in-run and memory, as paid": both,
        }
        return {name: np.bincount(self.owner, weights=values) for name, values in rows.items()}


def _frames(packages: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    source = AnswersSource(kind="answers", rows_per_package=ROWS, packages=packages)
    with tempfile.TemporaryDirectory() as folder:
        schema, submissions, evaluation = write_source(source, "answers", Path(folder))
        whose = [(one.file, one.contributor_id) for one in submissions if one.contributor_id != "copycat"]
        parts = [
            pd.DataFrame(
                {"row_id": f"{id_}:{row.line}", "contributor_id": id_, "slice": row.slice, "text": row.text,
                 "target": row.target}
                for file, id_ in files for row in read_jsonl(file, schema)
            )
            for files in (whose, [(evaluation, "evaluation")])
        ]  # fmt: skip
    return parts[0], parts[1]


def page(arena: Arena, repetitions: int) -> Iterator[str]:
    """The part of the page about one arena."""
    measured = arena.repetitions(arena.run, 0, repetitions)
    truth, count = clipped_shares(measured.mean(0)), len(measured)
    left = np.stack([clipped_shares(np.delete(measured, one, axis=0).mean(0)) for one in range(count)])
    errors = np.sqrt((count - 1) / count * ((left - left.mean(0)) ** 2).sum(0))
    # A normal error is √(2/π) of its standard deviation on average.
    own = float(np.sqrt(2 / np.pi) * errors.sum())
    everything = np.ones(len(arena.owner), dtype=bool)
    before, after = (arena.losses(arena.run, kept, 0) for kept in (~everything, everything))
    fall = before - after
    sure = float(fall.mean() / (fall.std(ddof=1) / np.sqrt(len(fall))))
    counts = own <= 0.05 and sure >= 10
    yield from ("", f"## {arena.name}", "")
    yield (
        f"{len(arena.owner)} training rows, {len(fall)} evaluation rows, gain {fall.mean():.3f} nats, {sure:.0f} of "
        f"its standard errors. Truth from {count} repetitions, its own Σ of errors about {own:.3f}: the arena "
        f"{'counts' if counts else 'does not count'}."
    )
    yield ""
    methods = dict(arena.witnesses())
    proxy = arena.repetitions(arena.proxy, PROXY_FIRST, 2)
    methods[f"last layer alone, 2 repetitions, rate × {arena.proxy.learning_rate / 5e-3:g}"] = proxy.mean(0)
    yield "| shares by | " + " | ".join(arena.contributors) + " | Σ\\|error\\| |"
    yield "|---" * (len(arena.contributors) + 2) + "|"
    yield row("brute force", truth, None)
    yield row("± 1 standard error", errors, None)
    for name, credit in methods.items():
        shares = clipped_shares(credit)
        yield row(name, shares, float(np.abs(shares - truth).sum()))


def row(name: str, values: np.ndarray, error: float | None) -> str:
    """A line of the table."""
    cells = [f"{value:.3f}" for value in values] + ["" if error is None else f"{error:.2f}"]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Collect what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="what `tribute base make` wrote")
    parser.add_argument("cache", type=Path)
    parser.add_argument("--arena", choices=list(ARENAS), action="append")
    parser.add_argument("--repetitions", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = ["# Shares of causal fine-tunes against brute force", ""]
    lines += [f"Written by `benchmarks/causal_shares.py` on {processor()}, one thread, torch {torch.__version__}."]
    for name in given.arena or ARENAS:
        lines += page(Arena(name, given.base.resolve(), given.cache), given.repetitions)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
