"""What a run was and what it led to: `runs/<run id>/config.yaml` and `run.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tribute.artifacts import Artifact
from tribute.attribution.measurement import seed_of
from tribute.config import RunConfig
from tribute.errors import WorkspaceError
from tribute.files import write_atomically, write_json
from tribute.ids import is_id
from tribute.strict import parse_json
from tribute.workspace import Workspace


@dataclass(frozen=True)
class RunResults:
    """Everything that a run led to; `registered` is the adapter's place in the model registry."""

    dataset: Artifact
    baselines: Artifact
    adapters: Sequence[Artifact]
    measured: Sequence[Artifact]
    attribution: Artifact
    rewards: Artifact | None
    registered: Mapping[str, Any]

    def stages(self) -> dict[str, list[Artifact]]:
        """Stage → its artifacts, in the order of the work; an experiment has no rewards."""
        stages = {
            "contributions": [self.dataset],
            "finetuning": [self.baselines, *self.adapters],
            "attribution": [*self.measured, self.attribution],
        }
        return stages if self.rewards is None else stages | {"rewards": [self.rewards]}


def best(adapters: Sequence[Artifact]) -> Artifact:
    """The adapter that stands for the run: of the least evaluation loss, the first of several."""
    return min(adapters, key=lambda adapter: float(adapter.json("evaluation.json")["loss"]))


def record_run(workspace: Workspace, config: RunConfig, results: RunResults, started: str) -> str:
    """Write the run's folder and return its id. What was made before `started` counts as cached."""
    by_seed = {str(seed_of(adapter)): adapter for adapter in results.adapters}
    stages = results.stages()
    record = {
        "run_id": config.id,
        "tag": config.dataset.tag,
        "dataset": results.dataset.id,
        "adapters": {seed: adapter.id for seed, adapter in by_seed.items()},
        "champion_seed": seed_of(best(results.adapters)),
        "baselines": results.baselines.id,
        "attribution": results.attribution.id,
        "period": None if config.rewards is None else config.rewards.period,
        "rewards": None if results.rewards is None else results.rewards.id,
        "mlflow_runs": {seed: adapter.provenance["mlflow_run_id"] for seed, adapter in by_seed.items()},
        "registered_model": results.registered["name"],
        "model_version": results.registered["version"],
        "champion": results.registered["champion"],
        "cached": [name for name, stage in stages.items() if all(_made_at(artifact) < started for artifact in stage)],
        "seconds": {
            name: round(sum(float(artifact.provenance.get("seconds", 0)) for artifact in stage), 1)
            for name, stage in stages.items()
        },
    }
    folder = workspace.runs / config.id
    folder.mkdir(parents=True, exist_ok=True)
    settings = yaml.safe_dump(config.model_dump(mode="json", exclude_none=True), sort_keys=False)
    write_atomically(
        folder / "config.yaml", f"# The config of run {config.id}; it can be run again.\n{settings}".encode()
    )
    write_json(folder / "run.json", record)
    return config.id


def read_run(workspace: Workspace, run_id: str) -> dict[str, Any]:
    """The record of a run. Raises WorkspaceError where there is none."""
    path = workspace.runs / run_id / "run.json"
    if not is_id(run_id) or not path.exists():
        known = ", ".join(all_runs(workspace)) or "none"
        raise WorkspaceError(
            f"there is no run {run_id} in {workspace.root}; finished runs: {known}. `tribute run CONFIG` records one; "
            "it finds what `tribute finetune` and `attribute` made"
        )
    record: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
    return record


def all_runs(workspace: Workspace) -> list[str]:
    """The ids of all finished runs."""
    return sorted(path.parent.name for path in workspace.runs.glob("*/run.json"))


def _made_at(artifact: Artifact) -> str:
    return str(artifact.provenance.get("made_at", ""))
