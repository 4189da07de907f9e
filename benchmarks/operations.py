"""What orchestration costs: beside the same work called directly, run again, late, and on Ray.

After a finished run, whose workspace finds everything again; each part prints rows of docs/benchmarks/operations.md:

    python benchmarks/operations.py again CONFIG WORKSPACE
    python benchmarks/operations.py tasks CONFIG WORKSPACE
    python benchmarks/operations.py late --runs 1000 --database postgresql+asyncpg://USER@HOST/NAME
    python benchmarks/operations.py ray CONFIG WORKSPACE --nodes 2       and --nodes 1, --nodes 0 (local processes)

Without --database Prefect's server keeps its records in SQLite. The kills are a test,
`TRIBUTE_NIGHTLY=1 pytest tests/flows/test_kills.py`.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lib.prefect_server import Server, resident, serving

ROOT = Path(__file__).parents[1]
TURNS = 5
AT_ONCE = 2
"""Runs that the worker starts at a time, and processes that retrain."""
COMPLETED = {"state": {"type": {"any_": ["COMPLETED"]}}}
LAG = 5.0
"""Seconds in which events reach the server's count of tasks."""
SUBFLOWS = 4
"""Of a run."""
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "env_vars": {"RAY_worker_niceness": "0"}}
"""A Ray node; by default its shared memory is a third of the machine's, and its workers give way to all else on it."""


def main() -> None:
    """Measure one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["again", "tasks", "late", "ray"])
    parser.add_argument("config", type=Path, nargs="?")
    parser.add_argument("workspace", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=1000, metavar="N", help="late runs")
    parser.add_argument("--database", default="", metavar="URL", help="of Prefect's server; by default SQLite")
    parser.add_argument("--minutes", type=float, default=120, help="how long to wait for the late runs")
    parser.add_argument("--nodes", type=int, default=2, help="of Ray, with one processor each; 0: local processes")
    parser.add_argument("--budget", type=int, default=8, metavar="N", help="attribution.budget of the retrainings")
    given = parser.parse_args()
    print(f"{os.getloadavg()[0]:.1f} processes were running, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as folder:
        if given.part == "again":
            rows = second_run(given.config, given.workspace)
        else:
            with serving(Path(folder), given.database) as server:
                # Prefect reads its settings when it is imported.
                os.environ |= server.shell
                sys.path.insert(0, str(ROOT))
                measure = {"tasks": beside_direct_calls, "late": late_runs, "ray": retrainings}[given.part]
                rows = list(measure(server, given, Path(folder)))
        print("\n".join(rows))


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


def beside_direct_calls(server: Server, given: argparse.Namespace, _: Path) -> Iterator[str]:
    """The flow with everything from the cache, and the library called directly, in turns in one process."""
    from flows import pipeline
    from flows.server import prepare_server
    from tribute.config import load_config
    from tribute.pipeline.runs.runs import read_run
    from tribute.pipeline.stages.repeating import repeat
    from tribute.workspace import Workspace

    prepare_server()
    home, run = Workspace.open(given.workspace), load_config(given.config)
    by_flow: list[float] = []
    directly: list[float] = []
    both = ((directly, lambda: repeat(home, run)), (by_flow, lambda: pipeline.run(str(home.root), run)))
    for turn in range(TURNS + 1):
        for seconds, work in both:
            spent = _timed(work)
            if turn:  # the first turn imports
                seconds.append(spent)
    tasks = round(_settled(lambda: server.post("/task_runs/count", {})) / (TURNS + 1))
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
        f"| a flow of Prefect's, {SUBFLOWS} subflows and {tasks - SUBFLOWS} tasks that do nothing (median of {TURNS}) "
        f"| {statistics.median(empty):.2f} s: {1000 * statistics.median(empty) / tasks:.0f} ms a task | |"
    )
    yield (
        f"| this beside the {work:.0f} s that making its artifacts took, {run.execution.processes} at a time "
        f"| {extra / (work / run.execution.processes):.1%} | ≤ 3 % |"
    )


def _empty_flow(tasks: int) -> None:
    """What Prefect itself takes for so many tasks in as many subflows as a run has."""
    from prefect import flow, task

    from flows.runner import part_of_run

    @task(persist_result=False)
    def nothing(_: int) -> None:
        pass

    @flow
    def part(numbers: list[int]) -> None:
        for number in numbers:
            nothing(number)

    @flow
    def empty() -> None:
        for first in range(SUBFLOWS):
            part(list(range(first, tasks - SUBFLOWS, SUBFLOWS)))

    part_of_run(empty)()


def late_runs(server: Server, given: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Runs of a flow that does nothing, whose start is long past, at one worker; and how its memory grows meanwhile."""
    subprocess.run([sys.executable, "-m", "flows.setup"], cwd=ROOT, env=server.all, check=True)
    done_by = folder / "done"
    flow = server.post("/flows/", {"name": "nothing"})
    about = {"name": "nothing", "flow_id": flow["id"], "entrypoint": "lib.nothing.nothing", "tags": ["tribute"]}
    deployment = server.post("/deployments/", about | {"work_pool_name": "tribute", "pull_steps": []})
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    order = {
        "parameters": {"done_by": str(done_by)},
        "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": past}},
    }
    for _ in range(given.runs):
        server.post(f"/deployments/{deployment['id']}/create_flow_run", order)
    mine = {"flow_runs": {"deployment_id": {"any_": [deployment["id"]]}}}
    done, memory, began = 0, list[tuple[int, float]](), time.monotonic()
    with _worker(server) as worker:
        while done < given.runs and time.monotonic() - began < 60 * given.minutes:
            time.sleep(2)
            done = server.post("/flow_runs/count", {"flow_runs": mine["flow_runs"] | COMPLETED})
            memory.append((done, resident(worker.pid)))
        minutes = (time.monotonic() - began) / 60
    begun = Counter(done_by.read_text().split() if done_by.exists() else [])
    known = server.post("/flow_runs/count", mine)
    lost, twice = given.runs - known + max(0, done - len(begun)), sum(count > 1 for count in begun.values())
    yield (
        f"| {given.runs} late runs on {'PostgreSQL' if given.database else 'SQLite'}, one worker, {AT_ONCE} at a time "
        f"| {done} done in {minutes:.1f} minutes, {lost} lost, {twice} done twice | 1,000: none lost, none doubled |"
    )
    # The first ones are the worker's own start.
    settled = [megabytes for runs, megabytes in memory if runs >= min(20, done // 4)]
    if settled:
        yield (
            f"| memory of that worker over {done} runs | {settled[0]:.0f} to {settled[-1]:.0f} MB, at most "
            f"{max(settled):.0f} ({settled[-1] / settled[0] - 1:+.1%}) | 200 runs: ± 5 % |"
        )


def retrainings(server: Server, given: argparse.Namespace, folder: Path) -> Iterator[str]:
    """An attribution that lacks its retrainings alone, on so many nodes."""
    from flows.attribution import run as attribute
    from flows.server import prepare_server
    from tribute.config import load_config
    from tribute.pipeline.stages import learned, training
    from tribute.workspace import Workspace

    prepare_server()
    home = Workspace.open(shutil.copytree(given.workspace, folder / "workspace", symlinks=True))
    engine = "ray" if given.nodes else "local"
    changes = [f"attribution.budget={given.budget}", f"execution.engine={engine}", f"execution.processes={AT_ONCE}"]
    run = load_config(given.config, changes)
    dataset = learned.found_dataset(home, run.dataset.tag, run.finetuning.base)
    adapters = [adapter.id for adapter in training.find_adapters(home, run, dataset)]
    before = sum(1 for _ in home.store.all("retraining"))
    with _nodes(given.nodes):
        seconds = _timed(lambda: attribute(str(home.root), run, dataset.id, adapters))
    made = sum(1 for _ in home.store.all("retraining")) - before
    where = f"{given.nodes} Ray nodes of one processor" if given.nodes else f"{AT_ONCE} local processes"
    yield f"| {made} retrainings on {where} | {seconds:.0f} s | |"


@contextmanager
def _nodes(count: int) -> Iterator[None]:
    if not count:
        yield
        return
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args=NODE)
    try:
        for _ in range(count - 1):
            nodes.add_node(**NODE)
        os.environ["RAY_ADDRESS"] = nodes.address
        yield
    finally:
        nodes.shutdown()


@contextmanager
def _worker(server: Server) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "flows.worker", "--limit", str(AT_ONCE)]
    shell = server.all | {"PYTHONPATH": str(Path(__file__).parent)}
    worker = subprocess.Popen(command, cwd=ROOT, env=shell, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield worker
    finally:
        worker.terminate()
        worker.wait()


def _settled(count: Callable[[], int]) -> int:
    """A count of the server's once it has stayed the same for a while: task runs reach it by events, which lag."""
    last, now = -1, count()
    while now != last:
        time.sleep(LAG)
        last, now = now, count()
    return now


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
