"""The files of one run: its record, its artifacts and its period's folder, checked. Draws nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.artifacts import Artifact, check_files, read_artifact
from tribute.errors import WorkspaceError
from tribute.strict import parse_json
from tribute.workspace import Workspace


@dataclass(frozen=True)
class Sources:
    """A run's record and the artifacts that it names."""

    run: Mapping[str, Any]
    rewards: Artifact | None
    """The draft or the closed period; None of a run that pays nobody."""
    dataset: Artifact
    attribution: Artifact
    adapters: Mapping[str, Artifact]
    """By seed, as text."""
    baselines: Artifact

    @property
    def champion(self) -> Artifact:
        """The adapter that stands for the run."""
        return self.adapters[str(self.run["champion_seed"])]


def read_sources(workspace: Workspace, run_id: str) -> Sources:
    """The files of a run. Raises WorkspaceError where there is none, or where its period was paid by another one."""
    path = workspace.runs / run_id / "run.json"
    if not path.exists():
        raise WorkspaceError(f"there is no run {run_id} in {workspace.runs}; run `tribute run` first")
    run = json_of(path)
    rewards = None if run["period"] is None else _rewards(workspace.rewards / run["period"], run)
    store = workspace.store
    sources = Sources(
        run=run,
        rewards=rewards,
        dataset=store.get("dataset", run["dataset"]),
        attribution=store.get("attribution", run["attribution"]),
        adapters={seed: store.get("adapter", id_) for seed, id_ in run["adapters"].items()},
        baselines=store.get("baselines", run["baselines"]),
    )
    for artifact in (sources.rewards, sources.dataset, sources.attribution):
        if artifact is not None:
            check_files(artifact, without_erased=True)
    return sources


def _rewards(folder: Path, run: Mapping[str, Any]) -> Artifact:
    rewards = read_artifact(folder)
    if rewards.id != run["rewards"]:
        raise WorkspaceError(
            f"{folder}: holds rewards {rewards.id[:12]}, run {run['run_id']} made {run['rewards'][:12]}; another run "
            "has paid this period since: report that one, or run this one again"
        )
    return rewards


def json_of(path: Path) -> dict[str, Any]:
    """The content of a JSON file that holds an object."""
    content: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
    return content
