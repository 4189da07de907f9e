"""What a run was and what it led to: `runs/<run id>/config.yaml` and `run.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.errors import WorkspaceError
from tribute.files import write_atomically, write_json
from tribute.ids import is_id
from tribute.strict import parse_json
from tribute.workspace import Workspace


def record_run(
    workspace: Workspace,
    config: RunConfig,
    *,
    dataset: Artifact,
    baselines: Artifact,
    adapters: Sequence[Artifact],
    measured: Sequence[Artifact],
    attribution: Artifact,
    rewards: Artifact,
    registered: Mapping[str, Any],
    started: str,
) -> str:
    """Write the run's folder and return its id. What was made before `started` counts as cached."""
    stages = {
        "contributions": [dataset],
        "finetuning": [baselines, *adapters],
        "attribution": [*measured, attribution],
        "rewards": [rewards],
    }
    record = {
        "run_id": config.id,
        "tag": config.dataset.tag,
        "dataset": dataset.id,
        "adapters": {str(adapter.identity["config"]["seed"]): adapter.id for adapter in adapters},
        "champion_seed": config.finetuning.seeds[0],
        "baselines": baselines.id,
        "attribution": attribution.id,
        "period": config.rewards.period,
        "rewards": rewards.id,
        "mlflow_runs": {
            str(adapter.identity["config"]["seed"]): adapter.provenance["mlflow_run_id"] for adapter in adapters
        },
        "registered_model": registered["name"],
        "model_version": registered["version"],
        "champion": registered["champion"],
        "cached": [name for name, made in stages.items() if all(_made_at(one) < started for one in made)],
        "seconds": {
            name: round(sum(float(one.provenance.get("seconds", 0)) for one in made), 1)
            for name, made in stages.items()
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
        raise WorkspaceError(f"there is no run {run_id} in {workspace.root}; finished runs: {known}")
    record: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
    return record


def all_runs(workspace: Workspace) -> list[str]:
    """The ids of all finished runs."""
    return sorted(path.parent.name for path in workspace.runs.glob("*/run.json"))


def _made_at(artifact: Artifact) -> str:
    return str(artifact.provenance.get("made_at", ""))
