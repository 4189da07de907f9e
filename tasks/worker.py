"""Works on the deployments' runs until it is told to end.

Prefect's own command kills the runs that it has begun when it is told to end, and never ends where the shell that
started it lets it ignore interrupts, as one does for what it starts in the background.
"""

import argparse
import asyncio
import gc
import signal
from contextlib import suppress
from typing import Any

from prefect.workers.process import ProcessWorker

from tasks.setup import POOL
from tribute.pipeline.launch.end_runs import end_runs


def work() -> None:
    """Start runs, `--limit` at a time, until SIGTERM or an interrupt."""
    parser = argparse.ArgumentParser(prog="python -m flows.worker", description="Works on the deployments' runs.")
    parser.add_argument("--limit", type=int, metavar="N", help="runs at a time; by default as many as there are")
    asyncio.run(_work(parser.parse_args().limit))


async def _work(limit: int | None) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def end(*_: Any) -> None:
        # While this waits for the runs to end, the loop stands still and begins no further one.
        end_runs()
        loop.call_soon_threadsafe(task.cancel)

    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, end)
    worker = ProcessWorker(work_pool_name=POOL, limit=limit)
    _leave_those_that_end(worker)
    _collect_after_runs(worker)
    with suppress(asyncio.CancelledError):
        await worker.start(printer=print)


def _leave_those_that_end(worker: ProcessWorker) -> None:
    """Let a run wait whose last process has not ended yet, as where a person resumes it at once.

    It holds its place in the worker's limit until then, and Prefect's worker ends with an error when it asks for a
    second one.
    """
    submit = worker._submit_scheduled_flow_runs

    async def submit_others(flow_run_response: list[Any]) -> list[Any]:
        held = worker._limiter.statistics().borrowers if worker._limiter else ()
        return await submit([each for each in flow_run_response if each.flow_run.id not in held])

    worker._submit_scheduled_flow_runs = submit_others  # type: ignore[method-assign]


def _collect_after_runs(worker: ProcessWorker) -> None:
    """Free what ended runs left behind, before the next ones: cycles of few objects, which Python would let lie.

    Those of a run hold some 0.4 MB, which Python's collector does not see.
    """
    submit = worker._submit_scheduled_flow_runs

    async def submit_and_collect(flow_run_response: list[Any]) -> list[Any]:
        if flow_run_response:
            gc.collect()
        return await submit(flow_run_response)

    worker._submit_scheduled_flow_runs = submit_and_collect  # type: ignore[method-assign]
