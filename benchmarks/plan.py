"""What `tribute plan` says of a stage, beside what the stage takes: CPU time, memory and disk, each stage in a process.

Run after finished runs, whose workspaces are only read:

    python benchmarks/plan.py configs/docs.yaml demo [CONFIG WORKSPACE …] [--set A.B=C]

Every stage is done once for one seed, in a process of its own with one thread. Writes docs/benchmarks/plan.md.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from throughput import processor
from tribute.attribution.credit.inrun_artifact import control_job, credit_job
from tribute.attribution.credit.stand_in_artifact import stand_in_job
from tribute.attribution.effects.predicted_artifact import influence_job
from tribute.attribution.measurement import Run
from tribute.config import RunConfig, load_config
from tribute.finetuning.adapters.adapters import adapter_job
from tribute.finetuning.children import PRELOADED
from tribute.finetuning.models.base_models import text_folder
from tribute.finetuning.workers import Folders
from tribute.pipeline.planning.costs import StageCost, plan_run
from tribute.pipeline.planning.machines import machine
from tribute.pipeline.planning.rows import planned_rows
from tribute.pipeline.planning.shape import shape_of
from tribute.pipeline.stages.learned import found_dataset, released_dataset
from tribute.pipeline.stages.training import find_adapters
from tribute.progress import ignore
from tribute.workspace import Workspace

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "plan.md"
TIMES = {"fine-tune": None, "credit": None, "stand-in": 1, "controls": 2, "predict effects": 2}
"""Stage → how often the plan counts it; None: once a seed."""
STARTED = "started"
"""The stage of a process that only reads what all of them read."""


def main() -> None:
    """Measure and write the page; with --stage do one stage, for a process that measures this one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="CONFIG WORKSPACE")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--stage", choices=[STARTED, *TIMES])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--scratch", type=Path)
    given = parser.parse_args()
    pairs = [(Path(config), Path(home)) for config, home in zip(given.pairs[::2], given.pairs[1::2], strict=True)]
    torch.set_num_threads(1)
    if given.stage:
        config, home = load_config(pairs[0][0], given.overrides), Workspace.open(pairs[0][1])
        do(given.stage, config, home, Folders(given.out, given.scratch, given.out.parent / "checkpoints"))
        return
    lines = [line for config, home in pairs for line in table(config, home, given.overrides)]
    head = [
        "# Plans against runs",
        "",
        f"Written by `benchmarks/plan.py` on {processor()}, one thread a process, torch {torch.__version__}.",
        "Time is CPU time of one seed's stage, less that of starting a process; memory is the largest resident set of",
        "the process, less what this benchmark imports beside what a run's children find imported; disk is what the",
        "stage leaves. Ratios are planned ÷ measured.",
    ]
    PAGE.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


def do(stage: str, config: RunConfig, home: Workspace, folders: Folders) -> None:
    """One stage of one seed."""
    dataset, seed = found_dataset(home, config.dataset.tag, config.finetuning.base), config.finetuning.seeds[0]
    if stage == STARTED:
        return
    if stage == "fine-tune":
        adapter_job(dataset, config.finetuning, seed, folders, ignore)
        return
    run = Run(home.store, dataset, find_adapters(home, config, dataset), config, folders.scratch)
    if stage == "stand-in":
        stand_in_job(run, None, folders, ignore)
        return
    {"credit": credit_job, "controls": control_job, "predict effects": influence_job}[stage](run, seed, folders, ignore)


def table(path: Path, workspace: Path, overrides: list[str]) -> Iterator[str]:
    """Planned and measured, stage by stage."""
    config, home = load_config(path, overrides), Workspace.open(workspace)
    base = text_folder(config.finetuning.base)
    rows = planned_rows(config, released_dataset(workspace, config.dataset.tag), base)
    shape = shape_of(base, config.finetuning, rows.task)
    plan = plan_run(config, rows, shape, machine("cpu", shape.width, shape.inner, config.finetuning.tokens_at_once))
    yield from ("", f"## {path.name}", "")
    yield (
        f"{len(rows.train):,} training rows, {len(rows.evaluation):,} evaluation rows, {shape.parameters / 1e6:.1f} M "
        f"parameters, {shape.trained:,} trained; {plan.machine.flops / 1e9:.0f} GFLOP/s measured before."
    )
    yield ""
    yield "| stage | " + " | ".join(f"{what} planned | measured | ratio" for what in ("time", "memory", "disk")) + " |"
    yield "|---" * 10 + "|"
    more = [word for override in overrides for word in ("--set", override)]
    command = [str(path), str(home.root), *more]
    with tempfile.TemporaryDirectory() as scratch:
        start, own, _ = measured(command, STARTED, Path(scratch))
        extra = own - preloaded()
        for stage in plan.stages:
            if stage.stage in TIMES:
                yield line(
                    stage, TIMES[stage.stage] or len(config.finetuning.seeds), command, (start, extra), Path(scratch)
                )


def line(stage: StageCost, times: int, command: list[str], apart: tuple[float, float], scratch: Path) -> str:
    """One row of the table; `apart` are seconds and bytes that the benchmark's own start takes."""
    before = size(scratch)
    took, resident, disk = measured(command, stage.stage, scratch)
    # What all seeds share is made by the first.
    disk += (size(scratch) - before) / times
    took, resident = took - apart[0], resident - apart[1]
    seconds, memory = 3600 * stage.hours / times, stage.device + stage.host
    cells = [f"{seconds:.1f} s", f"{took:.1f} s", f"{seconds / took:.2f}"]
    cells += [f"{memory / 1e6:,.0f} MB", f"{resident / 1e6:,.0f} MB", f"{memory / resident:.2f}"]
    kept = stage.disk / times
    cells += [f"{kept / 1e6:.1f} MB", f"{disk / 1e6:.1f} MB", f"{kept / disk:.2f}" if kept else "–"]
    row = f"| {stage.stage} | {' | '.join(cells)} |"
    print(row, flush=True)
    return row


def preloaded() -> float:
    """Bytes of a process that has imported what the children of a run find imported."""
    process = subprocess.Popen([sys.executable, "-c", f"import {', '.join(PRELOADED)}"])
    return 1024.0 * os.wait4(process.pid, 0)[2].ru_maxrss


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def measured(command: list[str], stage: str, shared: Path) -> tuple[float, float, float]:
    """CPU seconds, largest resident set and bytes left behind of a process that does a stage."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out"
        out.mkdir()
        words = [sys.executable, __file__, *command, "--stage", stage, "--out", str(out), "--scratch", str(shared)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{stage} failed with status {status}")
        return used.ru_utime + used.ru_stime, 1024.0 * used.ru_maxrss, size(out)


if __name__ == "__main__":
    main()
