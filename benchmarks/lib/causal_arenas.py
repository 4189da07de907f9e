"""Three arenas of real text for a small Llama that `tribute base make` pre-trained. See causal.py.

Questions and answers about packages are those of contributions/sources/answers.py; commands are tldr-pages'.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib.causal_worlds import CausalWorld
from tribute.config import AnswersSource, BaseConfig, FinetuningConfig, LoraConfig
from tribute.contributions.intake.row_checks import read_jsonl
from tribute.contributions.sources import write_source
from tribute.contributions.sources.planted import COPYCAT, SCRAMBLER
from tribute.contributions.sources.tldr import family, frequent, held_out
from tribute.finetuning.encoding.encoding import IGNORED, EncodedRows, RowFormat, encode_causal
from tribute.finetuning.models.base_models import load_tokenizer
from tribute.finetuning.models.row_models import build_causal

ARENAS = ("packages", "circle", "authors")
"""`authors` was named before anything was tried, and looked at once."""
NOISE, NOISE_LENGTH = "noise", 12
"""Answers with random tokens, and how many."""
PACKAGES = ("python", "scipy", "pandas", "sympy", "matplotlib")
SHARED = ("numpy", "scikit-learn", "networkx", "mlflow", "transformers", "sqlalchemy")
CIRCLE = {"kim": (range(6), 46), "ana": (range(0, 3), 38), "luis": (range(2, 5), 32), "mei": (range(4, 6), 26)}
CIRCLE |= {"omar": (range(1, 4), 20), "tess": (range(5, 6), 14)}
"""Which of SHARED a name knows, and how many rows it has."""
OWN, PLANTED, EVALUATED, LONGEST = 30, 18, 64, 48
"""Rows of a package and of a planted name, evaluation rows at most, and tokens of a row."""
AUTHORS = 7


@dataclass(frozen=True)
class Arena:
    """A world of real text; all of its evaluation is the sample."""

    name: str
    names: Sequence[str]
    world: CausalWorld


def arena(name: str, base: Path, data: Path) -> Arena:
    """By its name; `base` is what `tribute base make` wrote, `data` holds tldr/pairs.jsonl."""
    rows, tests = {"packages": _packages, "circle": _circle, "authors": lambda: _authors(data)}[name]()
    tokenizer = load_tokenizer(base)
    layout = RowFormat(LONGEST, is_conversation=name != "authors")
    encoded = [_short(encode_causal(frame, tokenizer, layout)) for frame in (rows, tests)]
    whose = dict(zip(rows["row_id"], rows["contributor_id"], strict=True))
    if name == "packages":
        encoded[0] = _with_noise(encoded[0], len(tokenizer))
        whose |= {row_id: NOISE for row_id in encoded[0].row_ids if row_id not in whose}
    owners = [whose[row_id] for row_id in encoded[0].row_ids]
    names = list(dict.fromkeys(owners))
    tests_ = encoded[1].take(range(0, len(encoded[1]), -(-len(encoded[1]) // EVALUATED)))
    owner = np.array([names.index(one) for one in owners])
    parts = (encoded[0], tests_, tests_.take([]))
    return Arena(name, names, CausalWorld.of(owner, parts, config(base), lambda: build_causal(base)))


def config(base: Path, layers: tuple[int, ...] = (10, 11)) -> FinetuningConfig:
    """The settings of configs/assistant.yaml, on the upper two of twelve layers."""
    lora = LoraConfig(r=8, alpha=16, target_modules=("q_proj", "v_proj", "up_proj", "down_proj"), layers=layers)
    return FinetuningConfig(
        base=BaseConfig(folder=base), lora=lora, epochs=3, batch_size=16, learning_rate=5e-3, max_tokens=LONGEST,
        trace_states=16,
    )  # fmt: skip


def last_layer(world: CausalWorld, rate: float) -> CausalWorld:
    """The same rows, adapted in the last layer alone; the learning rate is the run's times `rate`."""
    lora = world.config.lora.model_copy(update={"layers": world.config.lora.layers[-1:]})
    rated = world.config.learning_rate * rate
    settings = world.config.model_copy(update={"lora": lora, "learning_rate": rated})
    plain = [replace(part, hidden=None) for part in (world.train, world.sample, world.fresh)]
    return CausalWorld.of(world.owner, plain, settings, world.whole)


def _packages() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each package answers questions about itself; a scrambler has others' answers."""
    rows, tests = _answers(PACKAGES)
    size = rows["contributor_id"].map({SCRAMBLER: PLANTED}).fillna(OWN)
    return rows[rows.groupby("contributor_id").cumcount() < size], tests


def _circle() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Names share packages; a scrambler has shuffled the answers of rows of its own."""
    rows, tests = _answers(SHARED)
    pools = {name: rows[rows["contributor_id"] == name].to_dict("records") for name in SHARED}
    dealt = []
    for name, (known, count) in CIRCLE.items():
        for number in range(count):
            dealt.append(pools[SHARED[known[number % len(known)]]].pop() | {"contributor_id": name})
    spoilt = [pools[SHARED[number % len(SHARED)]].pop() for number in range(PLANTED)]
    for number, row in enumerate(spoilt):
        target = spoilt[(number + PLANTED // 2) % PLANTED]["target"]
        dealt.append(row | {"contributor_id": SCRAMBLER, "target": target})
    return pd.DataFrame(dealt), tests


def _answers(packages: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    source = AnswersSource(kind="answers", rows_per_package=72, packages=packages)
    with tempfile.TemporaryDirectory() as folder:
        schema, submissions, evaluation = write_source(source, "answers", Path(folder))
        whose = [(one.file, one.contributor_id) for one in submissions if one.contributor_id != COPYCAT]
        frames = [
            pd.DataFrame(
                {"row_id": f"{id_}:{row.line}", "contributor_id": id_, "slice": row.slice, "text": row.text,
                 "target": row.target}
                for file, id_ in files for row in read_jsonl(file, schema)
            )
            for files in (whose, [(evaluation, "evaluation")])
        ]  # fmt: skip
    return frames[0], frames[1]


def _authors(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Commands by genuine authors, those with most of them; nobody is planted."""
    lines = (data / "tldr" / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    table = pd.DataFrame(frequent([json.loads(line) for line in lines])).drop_duplicates("prompt")
    authors = table["contributor_id"].value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    table = table[table["contributor_id"].isin(authors[:AUTHORS])].reset_index(drop=True)
    table = table.assign(
        row_id=table.index.map("row:{}".format), slice=table["page"].map(family), text=table["prompt"],
        target=table["response"],
    )  # fmt: skip
    sealed = table["text"].map(held_out)
    sizes = dict(zip(authors, np.geomspace(50, 14, AUTHORS).round(), strict=False))
    rows = table[~sealed]
    return rows[rows.groupby("contributor_id").cumcount() < rows["contributor_id"].map(sizes)], table[sealed]


def _short(rows: EncodedRows) -> EncodedRows:
    """Without the rows that were cut."""
    return rows.take([place for place, row_id in enumerate(rows.row_ids) if row_id not in rows.cut])


def _with_noise(rows: EncodedRows, vocabulary: int) -> EncodedRows:
    """And rows whose prompts are other rows' and whose responses are tokens drawn evenly from all."""
    chance = np.random.Generator(np.random.Philox(13))
    prompts = [_prompt(rows, number * 7 % len(rows)) for number in range(PLANTED)]
    end = rows.targets[0][-1]
    responses = [[*chance.integers(1, vocabulary, size=NOISE_LENGTH).tolist(), end] for _ in prompts]
    noise = replace(
        rows,
        row_ids=[f"{NOISE}:{number}" for number in range(PLANTED)],
        slices=[NOISE] * PLANTED,
        tokens=[prompt + said for prompt, said in zip(prompts, responses, strict=True)],
        targets=[[IGNORED] * len(prompt) + said for prompt, said in zip(prompts, responses, strict=True)],
    )
    both = {name: [*getattr(rows, name), *getattr(noise, name)] for name in ("row_ids", "slices", "tokens", "targets")}
    return replace(rows, **both)


def _prompt(rows: EncodedRows, place: int) -> list[int]:
    targets = rows.targets[place]
    return list(rows.tokens[place][: next(at for at, label in enumerate(targets) if label != IGNORED)])
