"""Say what a run will take, before anything runs: tokens, FLOP, hours, memory, disk and cost of every stage."""

from typing import Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, ConfigFile, Overrides, WorkspaceFolder
from tribute.cli._output import Output, Table


class Stage(TypedDict):
    stage: str
    times: str
    token_count: int
    flop: float
    hours: float
    device_bytes: int
    host_bytes: int
    disk_bytes: int
    cost: float | None


class Planned(TypedDict):
    machine: str
    datasheet: str
    flop_per_second: float
    rows_training: int
    rows_evaluation: int
    screened: bool
    parameter_count: int
    trained_count: int
    step_count: int
    state_count: int
    planned_stages: list[Stage]
    hours: float
    fits: bool


@command
def plan(
    config: ConfigFile,
    set_: Overrides = None,
    workspace: WorkspaceFolder = HERE,
    gpu: Annotated[
        str,
        typer.Option(metavar="NAME", help="a100-80gb, h100-sxm, h200-sxm, l4 or l40s; cpu is one core of this one."),
    ] = "cpu",
    price: Annotated[
        float | None, typer.Option(metavar="AMOUNT", help="What an hour of it costs, to see costs.")
    ] = None,
) -> Output[Planned]:
    from tribute.finetuning.models.base_models import text_folder
    from tribute.pipeline.launch.preflight import checked_config
    from tribute.pipeline.planning.costs import plan_run
    from tribute.pipeline.planning.machines import machine
    from tribute.pipeline.planning.rows import planned_rows
    from tribute.pipeline.planning.shape import shape_of
    from tribute.pipeline.stages.learned import looks_for_harm, released_dataset

    run = checked_config(config, set_ or [])
    base = text_folder(run.finetuning.base)
    released = released_dataset(workspace, run.dataset.tag)
    harm_share = looks_for_harm(workspace, run.dataset.tag) if released else None
    rows = planned_rows(run, released, base, harm_share)
    shape = shape_of(base, run.finetuning, rows.task)
    chosen = machine(gpu, shape.width, shape.inner, run.finetuning.tokens_at_once)
    planned = plan_run(run, rows, shape, chosen)
    stages: list[Stage] = [
        {
            "stage": stage.stage,
            "times": stage.what,
            "token_count": round(stage.tokens),
            "flop": stage.flop,
            "hours": stage.hours,
            "device_bytes": round(stage.device),
            "host_bytes": round(stage.host),
            "disk_bytes": round(stage.disk),
            "cost": None if price is None else stage.hours * price,
        }
        for stage in planned.stages
    ]
    data: Planned = {
        "machine": chosen.name,
        "datasheet": chosen.source,
        "flop_per_second": chosen.flops,
        "rows_training": len(rows.train),
        "rows_evaluation": len(rows.evaluation),
        "screened": rows.is_released,
        "parameter_count": shape.parameters,
        "trained_count": shape.trained,
        "step_count": planned.steps,
        "state_count": planned.states,
        "planned_stages": stages,
        "hours": planned.hours,
        "fits": planned.fits,
    }
    return Output(data, _lines(data, run.execution.processes, price), [_table(data, price is not None)])


def _lines(data: Planned, processes: int, price: float | None) -> list[str]:
    rows = f"{data['rows_training']:,} training and {data['rows_evaluation']:,} evaluation rows"
    unscreened = "" if data["screened"] else ", before screening"
    speed = f"{data['flop_per_second'] / 1e12:.3g} TFLOP/s"
    is_gpu = bool(data["datasheet"])
    lines = [
        f"{rows}{unscreened}; {data['step_count']:,} steps a training, {data['state_count']} states kept",
        f"base {_count(data['parameter_count'])} parameters, {_count(data['trained_count'])} trained",
        f"{data['machine']}: {speed} assumed, 40 % of the peak in {data['datasheet']}"
        if is_gpu
        else f"one core of this machine: {speed} measured",
        f"{_time(data['hours'])} in all" + ("" if is_gpu else f", with {processes} processes on as many idle cores"),
    ]
    if price is not None:
        lines.append(f"cost {sum(stage['cost'] or 0 for stage in data['planned_stages']):,.2f}")
    if not data["fits"]:
        lines.append(
            f"{data['machine']} has too little memory: set finetuning.precision: bfloat16 or "
            "finetuning.gradient_checkpointing: true, lower finetuning.tokens_at_once, take a larger one, or share the "
            "base out among several: finetuning.processes and finetuning.shard: true"
        )
    return lines


def _table(data: Planned, with_cost: bool) -> Table:
    memory = ("device", "host") if data["datasheet"] else ("memory",)
    columns = ("stage", "times", "tokens", "FLOP", "hours", *memory, "disk", *(("cost",) if with_cost else ()))
    rows = []
    for stage in data["planned_stages"]:
        device, host = stage["device_bytes"], stage["host_bytes"]
        space = (device, host) if data["datasheet"] else (device + host,)
        cost = (f"{stage['cost']:,.2f}",) if stage["cost"] is not None else ()
        rows.append(
            (
                stage["stage"],
                stage["times"],
                _count(stage["token_count"]),
                f"{stage['flop']:.1e}",
                _time(stage["hours"]),
                *(_size(part) for part in space),
                _size(stage["disk_bytes"]),
                *cost,
            )
        )
    return Table("Stages", columns, rows, right=columns[2:])


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{60 * hours:.1f} min" if hours >= 1 / 60 else f"{3600 * hours:.0f} s"


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def _count(count: float) -> str:
    if count >= 1e9:
        return f"{count / 1e9:.1f} G"
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count:,.0f}"
