"""The curve of a training while it runs: a line per step in a file, which whoever watches may read."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tribute.strict import parse_json

CURVE = "curve.jsonl"
"""The file's name among a training's checkpoints."""


class Point(NamedTuple):
    """A step: loss in nats on its rows, learning rate, and when it was done, in milliseconds since 1970.

    After a step with an evaluation also the validation rows' loss, in nats.
    """

    step: int
    loss: float
    learning_rate: float
    time: int
    validation_loss: float | None = None


class CurveReader:
    """Reads on from where it was; each step once, as a training that goes on from a checkpoint repeats some."""

    def __init__(self, path: Path) -> None:
        self.path, self._place, self._step = path, 0, -1

    def new(self) -> Iterator[Point]:
        """The steps done since the last call."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # written just now
                self._place += len(line)
                point = Point(**parse_json(line))
                if point.step > self._step:
                    self._step = point.step
                    yield point
