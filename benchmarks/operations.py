"""What orchestration costs: beside the same work called directly, run again, and with many late runs at one worker.

Run after a finished run, whose workspace finds everything again:

    python benchmarks/operations.py configs/docs.yaml demo --late 40 [--database postgresql+asyncpg://USER@HOST/NAME]

Without --database Prefect's server keeps its records in SQLite. Writes docs/benchmarks/operations.md. The kills are a
test, `TRIBUTE_NIGHTLY=1 pytest tests/flows/test_kills.py`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lib.prefect_server import Server, resident, serving

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks" / "operations.md"
TURNS = 5
AT_ONCE = 2
"""Runs that the worker starts at a time."""
COMPLETED = {"state": {"type": {"any_": ["COMPLETED"]}}}


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--late", type=int, default=1000, metavar="N", help="late runs; the issue asks for 1,000")
    parser.add_argument("--database", default="", metavar="URL", help="of Prefect's server; by default SQLite")
    parser.add_argument("--minutes", type=float, default=10, help="how long to wait for the late runs")
    given = parser.parse_args()
    config, workspace = given.config.resolve(), given.workspace.resolve()
    lines = [
        "# What orchestration costs",
        "",
        f"Written by `python benchmarks/operations.py` on {os.cpu_count()} cores, Python {sys.version.split()[0]}; "
        f"{os.getloadavg()[0]:.1f} processes were running when it began. Seconds on the clock.",
        "",
        "| what | measured | asked for |",
        "|---|---|---|",
        *second_run(config, workspace),
    ]
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), given.database) as server:
        lines += [*beside_direct_calls(server, config, workspace), *late_runs(server, config, workspace, given)]
    PAGE.write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))


def second_run(config: Path, workspace: Path) -> Iterator[str]:
    """`tribute run` with nothing changed, from the shell's point of view."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        command = [sys.executable, "-m", "tribute", "run", str(config), "-w", str(workspace), "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    yield (
        f"| a second run, nothing changed (median of 3, {min(seconds):.1f} to {max(seconds):.1f}) "
        f"| {statistics.median(seconds):.1f} s | ≤ 10 s |"
    )


def beside_direct_calls(server: Server, config: Path, workspace: Path) -> Iterator[str]:
    """The flow with everything from the cache, and the library called directly, in turns in one process."""
    # Prefect reads its settings when it is imported.
    os.environ |= server.shell
    sys.path.insert(0, str(ROOT))
    from flows.pipeline import pipeline
    from flows.server import prepare_server
    from tribute.config import load_config
    from tribute.pipeline.runs.runs import read_run
    from tribute.pipeline.stages.repeating import repeat
    from tribute.workspace import Workspace

    prepare_server()
    home, run = Workspace.open(workspace), load_config(config)
    by_flow: list[float] = []
    directly: list[float] = []
    for turn in range(TURNS + 1):
        for seconds, work in ((directly, lambda: repeat(home, run)), (by_flow, lambda: pipeline(str(workspace), run))):
            spent = _timed(work)
            if turn:  # the first turn imports
                seconds.append(spent)
    tasks = round(server.post("/task_runs/count", {}) / (TURNS + 1))
    empty = [_timed(lambda: _empty_flow(tasks)) for _ in range(TURNS + 1)][1:]
    extra = statistics.median(flow - direct for flow, direct in zip(by_flow, directly, strict=True))
    work = sum(read_run(home, run.id)["seconds"].values())
    yield f"| start of a server | {server.seconds:.1f} s | |"
    yield (
        f"| the flow from the cache, {tasks} tasks and subflows, beside the same library calls (median of {TURNS}) "
        f"| {statistics.median(by_flow):.2f} s beside {statistics.median(directly):.2f} s: "
        f"{1000 * extra / tasks:.0f} ms a task | ≤ 15 ms a task |"
    )
    yield (
        f"| a flow of Prefect's with {tasks} tasks that do nothing (median of {TURNS}) "
        f"| {1000 * statistics.median(empty) / tasks:.0f} ms a task | |"
    )
    yield (
        f"| this beside the {work:.0f} s that making its artifacts took, {run.execution.processes} at a time "
        f"| {extra / (work / run.execution.processes):.1%} | ≤ 3 % |"
    )


def _empty_flow(tasks: int) -> None:
    """What Prefect itself takes for so many tasks, one after the other."""
    from prefect import flow, task

    @task
    def nothing(_: int) -> None:
        pass

    @flow
    def empty() -> None:
        for number in range(tasks):
            nothing(number)

    empty()


def late_runs(server: Server, config: Path, workspace: Path, given: argparse.Namespace) -> Iterator[str]:
    """Runs whose start is long past, all from the cache, at one worker; and how its memory grows meanwhile."""
    for command in (["flows.setup"], ["prefect", "--no-prompt", "deploy", "-n", "pipeline"]):
        subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, env=server.all, check=True, stdout=subprocess.DEVNULL
        )
    [deployment] = server.post("/deployments/filter", {"deployments": {"name": {"any_": ["pipeline"]}}})
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    order = {
        "parameters": {"workspace": str(workspace), "config_file": str(config)},
        "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": past}},
    }
    for _ in range(given.late):
        server.post(f"/deployments/{deployment['id']}/create_flow_run", order)
    mine = {"flow_runs": {"deployment_id": {"any_": [deployment["id"]]}}}
    done, memory, began = 0, list[float](), time.monotonic()
    with _worker(server) as worker:
        while done < given.late and time.monotonic() - began < 60 * given.minutes:
            time.sleep(2)
            done = server.post("/flow_runs/count", {"flow_runs": mine["flow_runs"] | COMPLETED})
            memory.append(resident(worker.pid))
        minutes = (time.monotonic() - began) / 60
    known, started = server.post("/flow_runs/count", mine), _starts(server, mine, given.late)
    # The first quarter is the worker's own start.
    settled = memory[len(memory) // 4 :]
    yield (
        f"| {given.late} late runs, all from the cache, on {'PostgreSQL' if given.database else 'SQLite'}, one worker, "
        f"{AT_ONCE} at a time | {done} completed in {minutes:.1f} minutes, {given.late - known} lost, "
        f"{sum(count > 1 for count in started)} started twice | 1,000: none lost, none doubled |"
    )
    yield (
        f"| memory of that worker over {done} runs | {settled[0]:.0f} to {settled[-1]:.0f} MB "
        f"({settled[-1] / settled[0] - 1:+.1%}) | 200 runs: ± 5 % |"
    )


def _starts(server: Server, mine: dict, late: int) -> list[int]:
    """How often each run was started."""
    pages = [server.post("/flow_runs/filter", mine | {"offset": first}) for first in range(0, late, 200)]
    return [run["run_count"] for page in pages for run in page]


@contextmanager
def _worker(server: Server) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "flows.worker", "--limit", str(AT_ONCE)]
    worker = subprocess.Popen(command, cwd=ROOT, env=server.all, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield worker
    finally:
        worker.terminate()
        worker.wait()


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
