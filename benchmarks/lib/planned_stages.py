"""A run's stages, as they are planned and as they are measured, in a table."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lib.child_costs import child_cost
from tribute.attribution.credit.inrun_artifact import control_job, credit_job
from tribute.attribution.credit.stand_in_artifact import stand_in_job
from tribute.attribution.effects.predicted_artifact import influence_job
from tribute.attribution.measurement import Run
from tribute.config import load_config
from tribute.finetuning.adapters.adapters import adapter_job
from tribute.finetuning.models.base_models import text_folder
from tribute.finetuning.workers import Folders
from tribute.pipeline.planning.costs import StageCost, plan_run
from tribute.pipeline.planning.machines import machine
from tribute.pipeline.planning.rows import planned_rows
from tribute.pipeline.planning.shape import shape_of
from tribute.pipeline.stages.learned import found_dataset
from tribute.pipeline.stages.training import find_adapters
from tribute.workspace import Workspace

TIMES = {"stand-in": 1, "controls": 2, "predict effects": 2}
"""Stage → how often the plan counts it; another, once a seed."""


def stage_table(path: Path, workspace: Path, overrides: list[str]) -> Iterator[str]:
    """Planned and measured, stage by stage; retrainings are not measured."""
    config, home = load_config(path, overrides), Workspace.open(workspace)
    dataset = found_dataset(home, config.dataset.tag, config.finetuning.base)
    base = text_folder(config.finetuning.base)
    rows = planned_rows(config, dataset, base)
    shape = shape_of(base, config.finetuning, rows.task)
    plan = plan_run(config, rows, shape, machine("cpu", shape.width, shape.inner, config.finetuning.tokens_at_once))
    yield (
        f"{len(rows.train):,} training rows, {len(rows.evaluation):,} evaluation rows, {shape.parameters / 1e6:.1f} M "
        f"parameters, {shape.trained:,} trained; {plan.machine.flops / 1e9:.0f} GFLOP/s measured before."
    )
    yield ""
    yield "| stage | " + " | ".join(f"{what} planned | measured | ratio" for what in ("time", "memory", "disk")) + " |"
    yield "|---" * 10 + "|"
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(home.store, dataset, find_adapters(home, config, dataset), config, Path(scratch))
        for stage in plan.stages:
            if stage.stage != "retrain":
                yield _line(stage, run)


def _work(stage: str, run: Run) -> tuple[Callable[..., None], tuple[Any, ...]]:
    """The job of a stage and its arguments, for the first seed where it is done for each."""
    if stage == "fine-tune":
        return adapter_job, (run.dataset, run.config.finetuning, run.seeds[0])
    if stage == "stand-in":
        return stand_in_job, (run, None)
    jobs = {"credit": credit_job, "controls": control_job, "predict effects": influence_job}
    return jobs[stage], (run, run.seeds[0])


def _line(stage: StageCost, run: Run) -> str:
    job, arguments = _work(stage.stage, run)
    times, before = TIMES.get(stage.stage, len(run.seeds)), _size(run.scratch)
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        out.mkdir()
        took, resident = child_cost(job, *arguments, Folders(out, run.scratch, Path(place) / "checkpoints"))
        # What all seeds share is made by the first.
        disk = _size(out) + (_size(run.scratch) - before) / times
    seconds, memory, kept = 3600 * stage.hours / times, stage.device + stage.host, stage.disk / times
    cells = [f"{seconds:.1f} s", f"{took:.1f} s", f"{seconds / took:.2f}"]
    cells += [f"{memory / 1e6:,.0f} MB", f"{resident / 1e6:,.0f} MB", f"{memory / resident:.2f}"]
    cells += [f"{kept / 1e6:.1f} MB", f"{disk / 1e6:.1f} MB", f"{kept / disk:.2f}" if kept else "–"]
    row = f"| {stage.stage} | {' | '.join(cells)} |"
    print(row, flush=True)
    return row


def _size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
