"""What of a workspace is served: the first seed's adapter of each finished run, if nothing speaks against it.

An adapter needs a card, licences that let its answers be sold, and no row that was taken back since. It is loaded and
checked beside those that answer, and only a whole new catalogue replaces the one before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tribute.artifacts import Artifact, check_files
from tribute.config import RunConfig, load_config
from tribute.contributions.dataset import read_description, read_rows
from tribute.contributions.licences import allows_sale
from tribute.contributions.registry import Registry, Snapshot
from tribute.errors import ServiceError
from tribute.finetuning.preparation.task_types import described_task
from tribute.finetuning.tracking import Tracker
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.rewards.allocation import judge
from tribute.rewards.policy import load_policy
from tribute.services.catalogue import Catalogue, CatalogueEntry, full_name
from tribute.services.engines import Adapter, LocalEngine
from tribute.services.receipts import AS_CONFIGURED, ServedModel
from tribute.workspace import Workspace


@dataclass(frozen=True)
class Candidate:
    """The first seed's adapter of a finished run, with what it came from."""

    config: RunConfig
    adapter: Artifact
    dataset: Artifact
    card: Mapping[str, Any]

    @property
    def description(self) -> dict[str, Any]:
        """`dataset.json`."""
        return read_description(self.dataset)

    @property
    def name(self) -> str:
        """The full name under which it may be served."""
        return full_name(self.description["name"], self.adapter.id)


def refresh(workspace: Workspace, engine: LocalEngine, before: Catalogue) -> Catalogue:
    """The catalogue as the workspace is now; new adapters are loaded and checked first.

    An adapter that was refused because it is damaged is tried again; whatever it raises is its reason, and stops
    nobody. Raises TributeError where runs or registry cannot be read: then the catalogue before still holds.
    """
    gone = set(Snapshot({}, Registry.open(workspace).entries()).gone)
    entries, refused, champions = dict[str, CatalogueEntry](), dict[str, str](), dict[str, str | None]()
    for name, load in _finished(workspace):
        try:
            candidate = load()
            name = candidate.name
            check_allowed(candidate, gone)
            dataset = candidate.description["name"]
            if dataset not in champions:
                champions[dataset] = Tracker(workspace.mlflow).champion_of(dataset)
            entry = before.entries.get(name) or _loaded(candidate, engine)
            entries[name] = replace(entry, champion=champions[dataset] == candidate.adapter.id)
        except Exception as error:
            # Whatever a damaged adapter raises in torch or PEFT, the others go on answering.
            refused[name] = " ".join(str(error).split())[:300] or type(error).__name__
    return Catalogue(entries, {name: why for name, why in refused.items() if name not in entries})


def check_allowed(candidate: Candidate, gone: set[str]) -> None:
    """Raise ServiceError 403 where rows, licences or a missing card speak against serving an adapter.

    `gone` has the ids of contributions that were withdrawn or erased.
    """
    taken_back = sorted(gone & candidate.description["contributions"].keys())
    if taken_back:
        raise ServiceError(f"it learned from {', '.join(taken_back)}, taken back since; train again without", 403)
    forbidding = [licence for licence in candidate.description["licences"] if not allows_sale(licence)]
    if forbidding:
        raise ServiceError(f"{', '.join(forbidding)} does not let its answers be sold; train on rows that do", 403)


def _finished(workspace: Workspace) -> Iterator[tuple[str, Any]]:
    """(run, how to read its candidate) of every finished run."""
    for run_id in all_runs(workspace):
        yield f"run {run_id}", lambda run_id=run_id: read_candidate(workspace, run_id)


def read_candidate(workspace: Workspace, run_id: str) -> Candidate:
    """The first seed's adapter of a finished run. Raises TributeError where something of it is missing or damaged."""
    record, store = read_run(workspace, run_id), workspace.store
    config = load_config(workspace.runs / run_id / "config.yaml")
    adapter = store.get("adapter", record["adapters"][str(record["champion_seed"])])
    attribution = store.get("attribution", record["attribution"])
    check_files(attribution, lambda name: name == "card.json")
    return Candidate(config, adapter, store.get("dataset", record["dataset"]), attribution.json("card.json"))


def load_served(workspace: Workspace, engine: LocalEngine, adapter: str) -> CatalogueEntry:
    """Load the adapter of this id, whether or not it would be served today. Raises ServiceError 404 without it."""
    for _, load in _finished(workspace):
        candidate: Candidate = load()
        if candidate.adapter.id == adapter:
            return _loaded(candidate, engine)
    raise ServiceError(f"adapter {adapter[:12]} is in no finished run, so it cannot be run again", 404)


def _loaded(candidate: Candidate, engine: LocalEngine) -> CatalogueEntry:
    """Load and check an adapter: its entry."""
    adapter, description, config = candidate.adapter, candidate.description, candidate.config.finetuning
    check_files(adapter, lambda name: "/" not in name)
    recorded, evaluation = adapter.json("evaluation.json"), read_rows(candidate.dataset, "evaluation")
    context = engine.load(Adapter(adapter.id, adapter.path, description, config, evaluation, recorded))
    verdict = _verdict(candidate) if engine.attests(adapter.id) else AS_CONFIGURED
    return CatalogueEntry(
        ServedModel(
            candidate.name,
            adapter.id,
            adapter.json("base.json")["digest"],
            verdict,
        ),
        dataset=description["name"],
        tag=description["tag"],
        task=description["task"],
        base_name=config.base.package or config.base.hub or str(config.base.folder and config.base.folder.name),
        created=int(datetime.fromisoformat(adapter.provenance["made_at"]).timestamp()),
        context=context,
        labels=tuple(described_task(description).labels),
    )


def _verdict(candidate: Candidate) -> str:
    """By what the run's policy pays on this card, such as `credit`; `no policy` where the run pays nothing."""
    if candidate.config.rewards is None:
        return "no policy"
    policy = load_policy(candidate.config.rewards.policy)
    return judge(candidate.card, policy.gate, policy.fallback).words
