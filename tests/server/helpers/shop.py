"""A workspace with two finished runs, a classifier and a writer, as commands leave it, and a server of it.

Why it is adequate: trainings and attribution have their own tests; here a run is its adapter, its card and its
record. The server is the real one, on a port of the loopback.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pandas as pd
import uvicorn
import yaml
from fastapi import FastAPI

from tests.attribution.helpers.runs import run_of
from tests.finetuning.helpers import tiny
from tests.helpers.terminal import tribute
from tribute.artifacts import Artifact, Kind, Store, add_provenance
from tribute.attribution.measurement import measure
from tribute.attribution.plan import STAND_IN
from tribute.config import FinetuningConfig
from tribute.contributions.intake import Submission
from tribute.contributions.registry import Registry
from tribute.contributions.releases import release_version
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.terms import Terms
from tribute.files import write_json
from tribute.finetuning.tracking import Subject, Tracker
from tribute.rewards.ledger import simulate
from tribute.server.app import create_app
from tribute.server.setup.setup import Services
from tribute.workspace import Workspace

CONTEXT = 256
"""Tokens that the writing model takes."""
SHOWN = Terms(consent="Show my rows.", purposes=("fine-tuning", "retrieval"))
ROWS = {
    "fay": ("facts", SHOWN, {"prompt": "the rank of a matrix", "response": "solve the matrix basis"}),
    "gil": ("facts", SHOWN, {"prompt": "a line with an axis", "response": "draw a line to the axis"}),
    "hal": ("facts", SHOWN, {"prompt": "port of the server", "response": "call the server from its port"}),
    "ira": ("facts", None, {"prompt": "the secret of the packet", "response": "route the packet"}),
    "joy": ("tiny", SHOWN, {"text": "the matrix and its kernel", "label": "algebra"}),
    "kim": ("tiny", SHOWN, {"text": "each vector of the basis", "label": "algebra"}),
    "leo": ("tiny", SHOWN, {"text": "the legend of a figure", "label": "drawing"}),
}
"""Contributor → dataset, terms and row; the texts are words that the tiny bases know."""
HELD_OUT = {
    "facts": {"prompt": "the trace of a matrix", "response": "return the trace"},
    "tiny": {"text": "the client and its socket", "label": "networks"},
}
POLICY = """id: tiny
version: v1.0.0
description: Pays by credit.
gate: {leave_one_out_margin: null, duplicate_excluded: null, shuffled_below_zero: null, seed_split: null}
"""
PRICES = """currency: EUR
models:
  tiny: {request: "0.0001", input: "0.002", output: "0.008"}
  facts: {request: "0.0002"}
"""


def open_shop(root: Path, day: str = "") -> Workspace:
    """The workspace with prices and a payer with money, as commands put them there; a simulation from `day` on."""
    workspace = build_workspace(root)
    if day:
        simulate(workspace.rewards, day)
    for command in (
        ("price", root / "prices.yaml"),
        ("payer", "add", "acme", "--currency", "EUR"),
        ("payer", "top-up", "acme", "100.00", "--reference", "payment 1"),
    ):
        ended = tribute(*command, "-w", workspace.root)
        assert ended.code == 0, ended.err
    return workspace


def build_workspace(root: Path) -> Workspace:
    """A registry with its key and two finished runs; the classifier is its dataset's champion."""
    workspace = Workspace.create(root / "workspace")
    schema = {"name": "tiny", "task": "sequence-classification", "labels": sorted(tiny.TOPICS), "max_characters": 200}
    registry = Registry.create(workspace)
    registry.declare(DatasetSchema.model_validate(schema))
    # As a release does, which makes the registry's key.
    registry.repository.transact("Sign the log", registry.sign_head)
    release_rows(registry, root)
    (root / "policy.yaml").write_text(POLICY)
    (root / "prices.yaml").write_text(PRICES)
    sentences, dialogues = tiny.make_dataset(workspace.root), tiny.make_dataset(workspace.root, task="causal-lm")
    classifier = finish_run(workspace, "labels", sentences, tiny.bert_config(tiny.write_bert(root / "bert")))
    finish_run(workspace, "answers", dialogues, tiny.llama_config(write_long_llama(root / "llama")))
    tracker, config = Tracker(workspace.mlflow), tiny.bert_config(root / "bert")
    logged = tracker.finish(tracker.begin(Subject("labels", sentences, config), 0), classifier.path)
    tracker.register(sentences, add_provenance(classifier, logged), config)
    return workspace


def write_long_llama(folder: Path) -> Path:
    """The tiny llama with room for a few quoted sources: its positions are rotations, which need no weights."""
    tiny.write_llama(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": CONTEXT}))
    return folder


def release_rows(registry: Registry, root: Path) -> None:
    """Two released versions whose contributors allow retrieval, but for one: facts, and labelled tiny."""
    facts = DatasetSchema.model_validate({"name": "facts", "task": "causal-lm", "max_characters": 200})
    registry.declare(facts)
    for name, (dataset, terms, row) in ROWS.items():
        file = root / f"{name}.jsonl"
        file.write_text(json.dumps(row))
        registry.contribute([Submission(file, name, dataset, "MIT", terms=terms)])
    for dataset, row in HELD_OUT.items():
        (root / f"{dataset}-held-out.jsonl").write_text(json.dumps(row))
        registry.seal_evaluation(dataset, root / f"{dataset}-held-out.jsonl")
        release_version(registry, f"{dataset}@v1.0.0")


def finish_run(workspace: Workspace, name: str, dataset: Artifact, config: FinetuningConfig, seed: int = 0) -> Artifact:
    """Train one seed and record a run of it: its adapter."""
    adapter = tiny.make_adapter(workspace.root, dataset, config, seed)
    stand_in = measure(run_of(workspace.root, dataset, [adapter], config), STAND_IN, None)
    inputs = {"adapter-0": adapter.id, "probe-0": stand_in.id}
    card = Store(workspace.root).make(Kind("attribution", "tribute.attribution.combine"), inputs, {}, write_attribution)
    settings = {
        "run": name,
        "dataset": {"name": "tiny", "version": "v1.0.0", "source": {"kind": "clinc150", "folder": "source"}},
        "finetuning": config.model_dump(mode="json", exclude_none=True),
        "rewards": {
            "period": "2026-11",
            "pool": {"amount": "100.00", "currency": "EUR"},
            "policy": str(workspace.root.parent / "policy.yaml"),
        },
    }
    folder = workspace.runs / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    record = {
        "run_id": name,
        "tag": "tiny@v1.0.0",
        "dataset": dataset.id,
        "adapters": {str(seed): adapter.id},
        "champion_seed": seed,
        "attribution": card.id,
    }
    write_json(folder / "run.json", record)
    return adapter


def write_attribution(folder: Path) -> None:
    """A card, and credits on the evaluation that are as sure as they can be."""
    everybody = pd.DataFrame({"contributor_id": tiny.CONTRIBUTORS, "credit": 1.0})
    everybody.to_parquet(folder / "scores.parquet", index=False)
    everybody.assign(low=0.9, high=1.1).to_parquet(folder / "shares.parquet", index=False)
    write_json(folder / "card.json", {})


def listening(services: Services) -> AbstractContextManager[str]:
    """A server of open services: its address."""
    return running(create_app(services))


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """An application on a port of the loopback: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
