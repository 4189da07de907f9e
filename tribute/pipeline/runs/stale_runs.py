"""Which adapters learned from a contribution, and which wait to be trained again without what was taken back.

Derived from the ledger and the runs, so that no queue can disagree with them. Sits above the columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tribute.contributions.registry import Registry, Snapshot, number
from tribute.files import write_json
from tribute.ids import parse_tag, run_name
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.strict import parse_json
from tribute.workspace import Workspace

DONE = "retrained.json"


@dataclass(frozen=True)
class Pending:
    """A run whose adapters learned from contributions that are `gone`; `version` has none of them, if one has none."""

    run_id: str
    tag: str
    adapters: dict[str, str]
    gone: tuple[str, ...]
    version: str | None


def learned_from(workspace: Workspace, contribution: str) -> list[dict[str, Any]]:
    """The records of the runs whose dataset version held a contribution."""
    held = _Held(Registry.open(workspace))
    return [run for run in _runs(workspace) if contribution in held.at(run["tag"])]


def pending(workspace: Workspace) -> list[Pending]:
    """What waits, run by run. A run that was made again on a version without the rows waits no more."""
    registry = Registry.open(workspace)
    held, gone = _Held(registry), set(Snapshot({}, registry.entries()).gone)
    runs = list(_runs(workspace))
    pending = []
    for run in runs:
        taken_back = held.at(run["tag"]) & gone
        name = run_name(run["run_id"])
        later = [other["tag"] for other in runs if run_name(other["run_id"]) == name] + _retrained(workspace, run)
        if not taken_back or any(not held.at(tag) & gone for tag in later):
            continue
        dataset = parse_tag(run["tag"])[0]
        clean = [version.version for version in registry.versions(dataset) if not held.at(version.tag) & gone]
        version = max(clean, key=number, default=None)
        pending.append(Pending(run["run_id"], run["tag"], run["adapters"], tuple(sorted(taken_back)), version))
    return pending


def mark_retrained(workspace: Workspace, run: Pending, tag: str, adapters: dict[str, str]) -> None:
    """Remember by which version and adapters a run was replaced."""
    write_json(workspace.runs / run.run_id / DONE, {"tag": tag, "adapters": adapters})


class _Held:
    """Tag → ids of the contributions in it; each tag's ledger is read once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, set[str]] = {}

    def at(self, tag: str) -> set[str]:
        if tag not in self._known:
            live = Snapshot({}, self._registry.entries(tag)).live
            self._known[tag] = {id_ for id_, entry in live.items() if entry.dataset == parse_tag(tag)[0]}
        return self._known[tag]


def _runs(workspace: Workspace) -> Iterator[dict[str, Any]]:
    return (read_run(workspace, run_id) for run_id in all_runs(workspace))


def _retrained(workspace: Workspace, run: dict[str, Any]) -> list[str]:
    path = workspace.runs / run["run_id"] / DONE
    return [parse_json(path.read_text(encoding="utf-8"))["tag"]] if path.exists() else []
