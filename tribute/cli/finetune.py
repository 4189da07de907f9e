"""Train every seed's adapter on a released version, without Prefect."""

from typing import TYPE_CHECKING, Any, TypedDict

from tribute.cli._command import command
from tribute.cli._options import HERE, ConfigFile, CurveFile, DryRun, MetricsFile, Overrides, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import Plan, would
from tribute.errors import TributeError

if TYPE_CHECKING:
    from pathlib import Path

    from tribute.config import RunConfig
    from tribute.workspace import Workspace


class Adapter(TypedDict):
    adapter: str
    loss_before: float
    loss: float
    accuracy: float
    cached: bool


class Trained(TypedDict):
    adapters: dict[str, Adapter]
    rows_cut_by_contributor: dict[str, int]
    rows_cut_of_evaluation: int


@command
def finetune(
    config: ConfigFile,
    set_: Overrides = None,
    workspace: WorkspaceFolder = HERE,
    metrics: MetricsFile = None,
    curve: CurveFile = None,
    dry_run: DryRun = False,
) -> Output[Trained | Plan]:
    from tribute.pipeline.launch.preflight import checked_config, refuse_rows, refuse_training
    from tribute.pipeline.stages.data import refuse_unreleased
    from tribute.workspace import Workspace

    home, run = Workspace.open(workspace), checked_config(config, set_ or [])
    refuse_training(home, run)
    refuse_unreleased(home, run.dataset)
    if dry_run:
        refuse_rows(home, run)
        return would(f"train seeds {list(run.finetuning.seeds)} on {run.dataset.tag}")
    adapters, cut = train_seeds(home, run)
    _write_figures(home, {seed: adapter["adapter"] for seed, adapter in adapters.items()}, metrics, curve)
    rows = [
        (
            seed,
            adapter["adapter"][:12],
            f"{adapter['loss_before']:.4f} → {adapter['loss']:.4f}",
            f"{adapter['accuracy']:.4f}",
            "cached" if adapter["cached"] else "trained",
        )
        for seed, adapter in adapters.items()
    ]
    table = Table("Adapters", ("seed", "adapter", "loss", "accuracy", ""), rows, right=("loss", "accuracy"))
    by_contributor, evaluation = cut["train"]["cut"], cut["evaluation"]["cut"]
    data: Trained = {
        "adapters": adapters,
        "rows_cut_by_contributor": by_contributor,
        "rows_cut_of_evaluation": evaluation,
    }
    return Output(data, _cut(data, run.finetuning.max_tokens), [table])


def _write_figures(home: "Workspace", ids: dict[str, str], metrics: "Path | None", curve: "Path | None") -> None:
    """Write the files that --metrics and --curve name; `ids` are the adapters' by seed."""
    from tribute.files import write_json
    from tribute.pipeline.runs.metrics import training_curve, training_metrics

    adapters = {int(seed): home.store.get("adapter", id_) for seed, id_ in ids.items()}
    if metrics is not None:
        write_json(metrics, training_metrics(adapters))
    if curve is not None:
        write_json(curve, training_curve(adapters))


def _cut(data: Trained, most: int) -> list[str]:
    """What of the rows the model did not see."""
    by_contributor, evaluation = data["rows_cut_by_contributor"], data["rows_cut_of_evaluation"]
    if not by_contributor and not evaluation:
        return []
    names = ", ".join(f"{name} {count}" for name, count in by_contributor.items())
    training = f"{sum(by_contributor.values())} training rows{f' ({names})' if names else ''}"
    return [f"cut at {most} tokens: {training}, {evaluation} evaluation rows"]


def train_seeds(home: "Workspace", config: "RunConfig") -> tuple[dict[str, Adapter], dict[str, Any]]:
    """Train and register every seed's adapter; what each came to, by seed, and which rows were cut (`rows.json`).

    Raises TrainingError where a seed's evaluation loss did not fall; its adapter is kept.
    """
    from tribute.cli._workers import run_each
    from tribute.finetuning.adapters.adapter_folder import ROWS
    from tribute.pipeline.planning.full_memory import compared_with_plan
    from tribute.pipeline.stages import training
    from tribute.pipeline.stages.learned import materialised
    from tribute.pipeline.stages.tracked import register, track_end

    dataset = materialised(home, config.dataset.tag, config.finetuning.base)
    try:
        with compared_with_plan(config, dataset):
            adapters = run_each(
                lambda seed: training.train(home, config, dataset, seed),
                config.finetuning.seeds,
                config.execution.processes,
            )
        training.refuse_rise(adapters)
        training.measure_baselines(home, config, dataset)
        register(home, config, dataset, adapters)
    except TributeError:
        track_end(home, config, "FAILED")
        raise
    track_end(home, config, "FINISHED")
    evaluations = [adapter.json("evaluation.json") for adapter in adapters]
    trained: dict[str, Adapter] = {
        str(seed): {
            "adapter": adapter.id,
            "loss_before": evaluation["before"]["loss"],
            "loss": evaluation["loss"],
            "accuracy": evaluation["accuracy"],
            "cached": adapter.found,
        }
        for seed, adapter, evaluation in zip(config.finetuning.seeds, adapters, evaluations, strict=True)
    }
    return trained, adapters[0].json(ROWS)
