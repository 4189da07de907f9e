"""A training as MLflow shows it while it runs: its losses as they come, the machine's load, and how it ended.

Whoever trains calls `progress`; a training never fails because MLflow does.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tribute.errors import TrackingError
from tribute.finetuning.recording.curve import CurveReader, Point
from tribute.finetuning.tracking.connection import Connection
from tribute.finetuning.tracking.subject import Subject

PARENT = "mlflow.parentRunId"
EVERY = 5.0
"""Seconds between two messages to MLflow: one costs some 20 ms with SQLite."""
LARGEST_BATCH = 900
"""Metrics per message; MLflow takes 1,000."""


class LiveRun:
    """MLflow's run of one seed's training."""

    def __init__(self, connection: Connection, subject: Subject, seed: int, id_: str) -> None:
        self.connection, self.subject, self.seed, self.id = connection, subject, seed, id_
        self._last, self._sent, self._lost = time.monotonic(), -1, False
        self._monitors = _monitors()

    @contextmanager
    def watching(self, curve: Path) -> Iterator[None]:
        """Follow the training in the body by the `curve` that it writes; says FAILED or KILLED if it does not end.

        The run stays RUNNING where the body ends well: `Tracker.finish` ends it.
        """
        self._curve = CurveReader(curve)
        try:
            yield
        except Exception:
            self._end("FAILED")
            raise
        except BaseException:
            self._end("KILLED")
            raise

    def progress(self, done: int, total: int) -> None:
        """Called with steps done and in all; sends what is new, at most every few seconds."""
        if time.monotonic() - self._last < EVERY or self._lost:
            return
        self._last = time.monotonic()
        try:
            with self.connection.client() as client:
                self.send(client, list(self._curve.new()))
                log_metrics(client, self.id, [(f"system/{name}", value, done) for name, value in self._load()])
        except TrackingError:
            # It is told after the training, when the adapter is safe.
            self._lost = True

    def send(self, client: Any, points: Sequence[Point]) -> None:
        """Log the points of steps that were not logged yet, with the time at which they were done."""
        from mlflow.entities import Metric

        new = [point for point in points if point.step > self._sent]
        log_batches(
            client,
            self.id,
            [Metric(name, value, point.time, point.step) for point in new for name, value in _figures(point)],
        )
        self._sent = max((point.step for point in new), default=self._sent)

    def _load(self) -> Iterator[tuple[str, float]]:
        for monitor in self._monitors:
            monitor.collect_metrics()
            yield from monitor.aggregate_metrics().items()
            monitor.clear_metrics()

    def _end(self, status: str) -> None:
        """A seed that fails takes the run of Tribute with it."""
        with suppress(TrackingError), self.connection.client() as client:
            client.set_terminated(self.id, status)
            client.set_terminated(client.get_run(self.id).data.tags[PARENT], status)


def _figures(point: Point) -> Iterator[tuple[str, float]]:
    yield "training_loss", point.loss
    yield "learning_rate", point.learning_rate
    if point.validation_loss is not None:
        yield "validation_loss", point.validation_loss


def log_metrics(client: Any, run_id: str, metrics: Sequence[tuple[str, float, int]]) -> None:
    """Log (name, value, step) as of now."""
    from mlflow.entities import Metric

    now = int(1000 * time.time())
    log_batches(client, run_id, [Metric(name, value, now, step) for name, value, step in metrics])


def log_batches(client: Any, run_id: str, metrics: Sequence[Any]) -> None:
    """Log MLflow's metrics in as few messages as it takes."""
    for start in range(0, len(metrics), LARGEST_BATCH):
        client.log_batch(run_id, metrics[start : start + LARGEST_BATCH])


def _monitors() -> list[Any]:
    """MLflow's own: processor and memory; and the GPUs where there are some and nvidia-ml-py is installed."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

    monitors: list[Any] = [CPUMonitor()]
    with suppress(ImportError, RuntimeError):
        monitors.append(GPUMonitor())
    return monitors
