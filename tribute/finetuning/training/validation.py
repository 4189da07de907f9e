"""Evaluation of a training while it runs, on rows held out of it: the best step's state is kept."""

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tribute.config import ValidationConfig
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.ranks import current, from_main
from tribute.finetuning.recording.curve import CurveReader
from tribute.finetuning.recording.recorder import write_state
from tribute.finetuning.recording.trace_states import StatesFile


class Validator(TrainerCallback):
    """Evaluates every few steps and after the last, and stops a training that does not get better.

    What a training that resumes measured before it was cut is read from its curve.
    """

    def __init__(
        self, model: RowModel, rows: EncodedRows, config: ValidationConfig, best: StatesFile, curve: Path
    ) -> None:
        self.model, self.rows, self.config, self.best, self.curve = model, rows, config, best, curve
        self.losses: dict[int, float] = {}
        """Steps done → mean loss of the validation rows, nats."""
        self._known: dict[int, float] = {}

    @property
    def best_step(self) -> int:
        """After how many steps the loss was least, the first time."""
        return min(self.losses, key=lambda step: (self.losses[step], step))

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take up where an interrupted training was; the main process decides for all ranks."""
        if not current().is_main:
            return
        points = CurveReader(self.curve).new()
        self._known = {point.step + 1: point.validation_loss for point in points if point.validation_loss is not None}
        self.losses.update({step: loss for step, loss in self._known.items() if step <= state.global_step})
        if not self.best.path.exists():
            self.best.create()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Evaluate, if it is time."""
        step = state.global_step
        if step % self.config.every and step != state.max_steps:
            return
        # A step that is done again keeps the loss it had, and so does the choice.
        loss: Any = from_main(lambda: self._known.get(step))
        if loss is None and (current().is_main or self.model.is_sharded):
            loss = float(evaluate(self.model, self.rows).losses.mean())
        losses, stop = from_main(lambda: self._judged(step, loss, others["optimizer"]))
        self.losses.update(losses)
        control.should_training_stop |= stop

    def _judged(self, step: int, loss: float, optimizer: Any) -> tuple[dict[int, float], bool]:
        """Keep the state if its loss is the least; all losses up to now, and whether to stop."""
        self.losses[step] = loss
        if self.best_step == step:
            write_state(self.best, 0, self.model, optimizer)
        since = sum(later > self.best_step for later in self.losses)
        return self.losses, bool(self.config.patience) and since >= self.config.patience
