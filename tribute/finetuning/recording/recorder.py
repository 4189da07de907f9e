"""What watches a training: progress, and the states that attribution will walk along."""

from collections.abc import Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.recording.trace_states import StatesFile
from tribute.progress import Progress


class Recorder(TrainerCallback):
    """Writes the LoRA and optimiser states of some steps to their file, so that a resumed training has them too."""

    def __init__(
        self, model: RowModel, total: int, wanted: Sequence[int], file: StatesFile, progress: Progress
    ) -> None:
        self.model, self.total, self.file, self.progress = model, total, file, progress
        self.places = {step: place for place, step in enumerate(wanted)}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """State 0: the optimiser has seen nothing, and a new file's moments are 0."""
        if state.global_step == 0 and self.places:
            self.file.create()
            self.file.write(0, "theta", self.model.trainable().values())

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """The state after an update stands before the next step."""
        self.progress(state.global_step, self.total)
        place = self.places.get(state.global_step)
        if place is not None:
            write_state(self.file, place, self.model, others["optimizer"])


def write_state(file: StatesFile, place: int, model: RowModel, optimizer: Any) -> None:
    """Fill a place with the parameters and the moments after a step; `optimizer` may be accelerate's wrapper."""
    parameters = list(model.trainable().values())
    file.write(place, "theta", parameters)
    for name, moment in (("m", "exp_avg"), ("v", "exp_avg_sq")):
        file.write(place, name, (optimizer.state[parameter][moment] for parameter in parameters))
