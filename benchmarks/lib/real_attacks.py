"""A world of the attack suite through the real chain: contributed, released, fine-tuned, attributed. See incentives.py.

What comes of it is kept in a file by the files that came in, the settings and the code, so that a benchmark that was
stopped goes on; where the rows of two runs are the same they are trained on once.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.contributions.registry import Registry
from tribute.contributions.releases import Tokenizer, build_dataset, release_version
from tribute.finetuning.adapters.adapters import adapter
from tribute.incentives.pay import Earnings, earnings
from tribute.incentives.released import TAG, contribute_honest
from tribute.incentives.screened import NAME
from tribute.incentives.suite import BASE, CODE
from tribute.incentives.world import Upload, World
from tribute.pipeline.stages import measuring
from tribute.progress import ignore
from tribute.rewards.allocation.inputs import read_sources
from tribute.rewards.allocation.weights import ContributorScore
from tribute.workspace import Workspace

CONFIG = RunConfig.model_validate(
    {
        "run": "attacks",
        "dataset": {"name": NAME, "version": TAG.partition("@")[2]},
        "finetuning": {
            "base": BASE.model_dump(),
            "lora": {"r": 16, "alpha": 32, "layers": [5]},
            "epochs": 4,
            "batch_size": 32,
            "learning_rate": 0.001,
            "max_tokens": 64,
            "seeds": [0, 1],
            "trace_states": 16,
        },
        "attribution": {"sample": 1000, "validation": "off"},
    }
)
"""The demo's, with two seeds in place of six and four epochs in place of two: a world has a fifth of its rows."""


@dataclass(frozen=True)
class Outcome:
    """What a run says of everybody."""

    trained: str
    """The digest of the trained rows and their names."""
    claims: Sequence[ContributorScore]
    loss: float
    """Mean over evaluation rows and seeds, nats."""
    accuracy: float
    gained: float
    """By how much the loss fell, nats."""
    seconds: float

    def earned(self, world: World) -> Earnings:
        """Parts of the pool, the attacker's names netted as those of one bank account."""
        names = [claim.contributor_id for claim in self.claims if claim.contributor_id not in world.honest]
        return earnings(self.claims, dict.fromkeys(names, "account"), {})


class RealChain:
    """Runs, kept in a file of lines."""

    def __init__(self, file: Path, tokenizer: Tokenizer, minutes: float) -> None:
        """Begins nothing new after so many `minutes`."""
        self.end = time.monotonic() + 60 * minutes
        self.file, self.tokenizer = file, tokenizer
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        self.kept = {line["key"]: _read(line) for line in map(json.loads, lines)}

    def run(self, world: World, uploads: Sequence[Upload]) -> Outcome | None:
        """Of these files, against the world's sealed evaluation; None where there is no time left to make it."""
        key = _digest([[vars(upload) for upload in uploads], world.evaluation, CONFIG.model_dump(mode="json"), CODE])
        if key not in self.kept and time.monotonic() > self.end:
            return None
        if key not in self.kept:
            self.kept[key] = self._made(replace(world, uploads=uploads))
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"key": key, **vars(self.kept[key])}, default=_plain) + "\n")
        return self.kept[key]

    def _made(self, world: World) -> Outcome:
        with TemporaryDirectory() as folder:
            workspace = contribute_honest(Path(folder), world, self.tokenizer)
            registry = Registry.open(workspace)
            release_version(registry, TAG, self.tokenizer)
            dataset = build_dataset(registry, TAG, workspace.store)
            trained = _trained(dataset)
            same = [outcome for outcome in self.kept.values() if outcome.trained == trained]
            return same[0] if same else _outcome(workspace, dataset, trained)


def _outcome(workspace: Workspace, dataset: Artifact, trained: str) -> Outcome:
    with patch("tribute.finetuning.workers.run_child", _here):
        return _attributed(workspace, dataset, trained)


def _here(work: Any, *arguments: Any, progress: Any, **_: Any) -> Any:
    """In this process: a child would import everything anew for each of a few seconds' work."""
    return work(*arguments, progress)


def _attributed(workspace: Workspace, dataset: Artifact, digest: str) -> Outcome:
    started = time.process_time()
    recipes = [adapter(dataset, CONFIG.finetuning, seed) for seed in CONFIG.finetuning.seeds]
    adapters = [recipe.make(workspace.store, workspace.scratch, ignore) for recipe in recipes]
    run = measuring.open_run(workspace, CONFIG, dataset, adapters)
    measured = measuring.measure_all(run, lambda measure, work: [measure(piece) for piece in work])
    attribution = measuring.combine(run, measured)
    evaluations = [trained.json("evaluation.json") for trained in adapters]
    loss, accuracy = (float(np.mean([one[name] for one in evaluations])) for name in ("loss", "accuracy"))
    before = float(np.mean([one["before"]["loss"] for one in evaluations]))
    claims = read_sources(dataset, attribution).claims()
    return Outcome(digest, claims, loss, accuracy, before - loss, time.process_time() - started)


def _trained(dataset: Artifact) -> str:
    """Of what is trained and evaluated on, under which names; ids of rows say in which file they came."""
    return _digest(
        [
            pq.read_table(dataset.file(file)).select(columns).to_pylist()
            for file, columns in (
                ("train.parquet", ["contributor_id", "text", "target"]),
                ("evaluation.parquet", ["text", "target"]),
            )
        ]
    )


def _digest(facts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _plain(value: object) -> object:
    return vars(value) if isinstance(value, ContributorScore) else str(value)


def _read(line: dict) -> Outcome:
    exact = ("score", "score_se", "score_high")
    claims = [
        ContributorScore(
            **{
                name: Decimal(value) if name in exact else value
                for name, value in claim.items()
                if name not in ("by_payers", "netted")
            }
        )
        for claim in line["claims"]
    ]
    return Outcome(line["trained"], claims, line["loss"], line["accuracy"], line["gained"], line["seconds"])
