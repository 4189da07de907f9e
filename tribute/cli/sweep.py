"""Try settings of the training on rows held out of it; the best ones' adapter challenges the champion."""

from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, ConfigFile, DryRun, Overrides, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import Plan, would


class SweptTrial(TypedDict):
    trial: int
    tried_settings: dict[str, str]
    trial_state: str
    validation_loss: float | None
    failure: str


class Swept(TypedDict):
    sweep: str
    trials: list[SweptTrial]
    chosen_settings: dict[str, str]
    run: str
    registered_model: str
    model_version: str
    is_champion: bool


@command
def sweep(
    config: ConfigFile,
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A.B=VALUES",
            help="A setting and what to try: choices `4,8,16`, a range `1..4`, by magnitude `log:3e-4..1e-2`. "
            "Repeatable; by default learning rate and LoRA's rank.",
        ),
    ] = None,
    trials: Annotated[int, typer.Option(metavar="N", min=1, help="How many to try in all.")] = 16,
    set_: Overrides = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Swept | Plan]:
    from tribute.cli._flows import running_flows, start_prefect
    from tribute.pipeline.launch.preflight import checked_config, refuse_engine, refuse_training
    from tribute.pipeline.stages.sweeping import DEFAULT, best_trial, refuse_sweep, sweep_name, trials_of
    from tribute.workspace import Workspace

    home, run, varied = Workspace.open(workspace), checked_config(config, set_ or []), list(over or DEFAULT)
    refuse_engine(run.execution)
    refuse_sweep(run, varied)
    refuse_training(home, run)
    if dry_run:
        return would(f"try {trials} settings of {', '.join(varied)} on {run.dataset.tag}")
    start_prefect(home.prefect)
    from flows import sweep as sweeping

    with running_flows():
        ended = sweeping.run(str(home.root), run, varied, trials)
    tried = trials_of(home, run, varied)
    best = best_trial(tried)["settings"]
    data: Swept = {
        "sweep": sweep_name(run, varied),
        "trials": [
            {
                "trial": trial["number"],
                "tried_settings": trial["settings"],
                "trial_state": trial["state"],
                "validation_loss": trial["validation_loss"],
                "failure": trial["failure"],
            }
            for trial in tried
        ],
        "chosen_settings": best,
        "run": ended["config"].id,
        "registered_model": ended["registered"]["name"],
        "model_version": ended["registered"]["version"],
        "is_champion": ended["registered"]["champion"],
    }
    rows = [
        (
            str(trial["number"]),
            ", ".join(
                f"{name.removeprefix('finetuning.')} {_short(value)}" for name, value in trial["settings"].items()
            ),
            "" if trial["validation_loss"] is None else f"{trial['validation_loss']:.4f}",
            f"{trial['state']}: {trial['failure']}" if trial["failure"] else trial["state"],
        )
        for trial in tried
    ]
    lines = [
        f"{data['registered_model']} version {data['model_version']}: {'' if data['is_champion'] else 'not '}champion",
        "to run by these settings: " + " ".join(f"--set {name}={value}" for name, value in best.items()),
    ]
    return Output(data, lines, [Table("Trials", ("trial", "settings", "loss", ""), rows, right=("trial", "loss"))])


def _short(value: str) -> str:
    """A number with three digits, any other value as it is."""
    try:
        return f"{float(value):.3g}"
    except ValueError:
        return value
