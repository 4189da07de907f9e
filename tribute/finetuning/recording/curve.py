"""The curve of a training while it runs: a line per step in a file, which whoever watches may read."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

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


class CurveFile(TrainerCallback):
    """Appends a line per step; a resumed training goes on in the same file."""

    def __init__(self, folder: Path, validation: Mapping[int, float]) -> None:
        self.path, self.validation = folder / CURVE, validation

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """The trainer logs after every step."""
        if logs and "loss" in logs:
            # Steps count from 0, as in the schedule.
            point = Point(state.global_step - 1, logs["loss"], logs["learning_rate"], int(1000 * time.time()))
            point = point._replace(validation_loss=self.validation.get(state.global_step))
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(point._asdict()) + "\n")


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
