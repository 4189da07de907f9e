"""Writes the curve of a training while it runs; apart from those who read it and need no transformers."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tribute.finetuning.recording.curve import CURVE, Point


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
