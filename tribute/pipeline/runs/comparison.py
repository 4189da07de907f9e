"""Finished runs side by side: what they came to, and in which settings they differ. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tribute.artifacts import read_artifact
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.settings import read_yaml
from tribute.workspace import Workspace

NAMES = ("run", "rewards.policy", "rewards.usage")
"""Settings that say how a run is called and where files lie, which changes no result."""


@dataclass(frozen=True)
class RunFigures:
    """Losses (nats) and accuracy are means over the seeds; accuracy is None where the task has none."""

    run_id: str
    tag: str
    made_at: str
    loss_before: float
    loss: float
    accuracy: float | None
    verdict: str
    """By what the period was paid; empty where the run paid none, or another run has paid it since."""
    settings: Mapping[str, Any]
    """Dotted name of a setting → its value."""


def run_figures(workspace: Workspace, run_ids: Sequence[str] = ()) -> list[RunFigures]:
    """The figures of these runs, else of all, the oldest first. Raises WorkspaceError for a run that there is not."""
    figures = [_figures(workspace, run_id) for run_id in run_ids or all_runs(workspace)]
    return figures if run_ids else sorted(figures, key=lambda each: each.made_at)


def differences(runs: Sequence[RunFigures]) -> dict[str, list[Any]]:
    """Setting → its value in each run, of the settings in which they differ; None where a run does not have it."""
    names = sorted({name for run in runs for name in run.settings})
    values = {name: [run.settings.get(name) for run in runs] for name in names if name not in NAMES}
    return {name: each for name, each in values.items() if any(value != each[0] for value in each)}


def _figures(workspace: Workspace, run_id: str) -> RunFigures:
    record, store = read_run(workspace, run_id), workspace.store
    evaluations = [store.get("adapter", id_).json("evaluation.json") for id_ in record["adapters"].values()]
    accuracies = [float(each["accuracy"]) for each in evaluations if each.get("accuracy") is not None]
    return RunFigures(
        run_id=run_id,
        tag=record["tag"],
        made_at=str(store.get("attribution", record["attribution"]).provenance["made_at"]),
        loss_before=fmean(evaluation["before"]["loss"] for evaluation in evaluations),
        loss=fmean(evaluation["loss"] for evaluation in evaluations),
        accuracy=fmean(accuracies) if accuracies else None,
        verdict=_verdict(workspace, record),
        settings=dict(_flat("", read_yaml(workspace.runs / run_id / "config.yaml"))),
    )


def _verdict(workspace: Workspace, record: Mapping[str, Any]) -> str:
    from tribute.rewards.allocation import read_verdict

    folder = workspace.rewards / str(record.get("period"))
    if not folder.is_dir() or read_artifact(folder).id != record.get("rewards"):
        return ""
    return read_verdict(folder).words


def _flat(prefix: str, node: Any) -> list[tuple[str, Any]]:
    if isinstance(node, dict):
        return [leaf for name, below in node.items() for leaf in _flat(f"{prefix}{name}.", below)]
    return [(prefix.rstrip("."), node)]
