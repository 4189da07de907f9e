"""What a run was and what it led to: `runs/<run id>/config.yaml` and `run.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

from tribute.artifacts import Artifact, package_versions
from tribute.attribution.measurement import seed_of
from tribute.closure import package_digest
from tribute.config import RunConfig
from tribute.digests import canonical_digest
from tribute.errors import WorkspaceError
from tribute.files import write_atomically, write_json
from tribute.finetuning.adapters.task_metrics import metric_digests
from tribute.finetuning.models.base_models import base_digest, base_folder, quantizer_version
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


@dataclass(frozen=True)
class Begun:
    """When a run began, and what decides its results beside the dataset version, as it was then."""

    at: str
    """ISO 8601, UTC."""
    asked: str
    """sha256 over config, sources, packages, base and metrics, 64 hex digits."""


def begin_run(config: RunConfig) -> Begun:
    """A run of this config begins. Raises BaseModelError, ConfigError where its base or a metric is missing."""
    return Begun(datetime.now(UTC).isoformat(timespec="milliseconds"), _asked(config))


def recorded(workspace: Workspace, config: RunConfig, begun: Begun) -> dict[str, Any] | None:
    """The record of this run, where one that begins today asks for the same; else None, as where it is damaged.

    None, too, for `device: auto`: only torch knows what that is today.
    """
    if config.id not in all_runs(workspace) or config.finetuning.device == "auto":
        return None
    try:
        record = read_run(workspace, config.id)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("asked") == begun.asked else None


def _asked(config: RunConfig) -> str:
    """All that is in the keys of a run's artifacts but the dataset version; more of Tribute's sources than these."""
    base = config.finetuning.base
    asked = {
        "run": config.id,
        "tribute": package_digest(),
        "packages": package_versions(),
        "base": "" if base.hub is not None else base_digest(base_folder(base)),  # the hub's revision is in the id
        "metrics": metric_digests(config.finetuning),
        "quantizer": quantizer_version(config.finetuning.precision),
    }
    return canonical_digest(asked)


def record_run(workspace: Workspace, config: RunConfig, results: RunResults, begun: Begun) -> str:
    """Write the run's folder and return its id. What was made before it began counts as cached."""
    by_seed = {str(seed_of(adapter)): adapter for adapter in results.adapters}
    stages = results.stages()
    record = {
        "run_id": config.id,
        "asked": begun.asked if _asked(config) == begun.asked else None,  # null: changed meanwhile
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
        "cached": [name for name, stage in stages.items() if all(_made_at(artifact) < begun.at for artifact in stage)],
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
