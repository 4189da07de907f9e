"""transformers.Trainer with its steps given, and a loss that attribution can take apart into rows."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tribute.config import FinetuningConfig
from tribute.errors import TrainingError
from tribute.finetuning.encoding.encoding import Batch, EncodedRows
from tribute.finetuning.encoding.packing import batches
from tribute.finetuning.evaluation import NO_NUMBER
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.optimizers.adam import RootAdam, adam_of
from tribute.finetuning.ranks import ALONE, current, most
from tribute.finetuning.recording.curve_file import CurveFile
from tribute.finetuning.recording.recorder import Recorder
from tribute.finetuning.training.schedule import SCHEDULERS, warmup_steps
from tribute.finetuning.training.validation import Validator

CHECKPOINTS = 4
"""How often a training is saved, so that an interrupted one goes on from there."""


class Stopper(TrainerCallback):
    """Saves a training after its present step, and ends it, once somebody asked for that."""

    def __init__(self, asked: threading.Event) -> None:
        self.asked = asked

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Look whether somebody asked."""
        if self.asked.is_set():
            control.should_save = control.should_training_stop = True


class Watching(NamedTuple):
    """Who watches a training."""

    recorder: Recorder
    validator: Validator | None
    stopper: Stopper | None

    def callbacks(self, scratch: Path) -> list[TrainerCallback]:
        """In the order in which they are called; the curve has what the others measured."""
        first = [watcher for watcher in self if watcher is not None]
        if not current().is_main:
            return first
        return [*first, CurveFile(scratch, self.validator.losses if self.validator else {})]


class ScheduledTrainer(Trainer):
    """A Trainer whose steps are given, and whose loss is each step's sum over rows / batch size."""

    def __init__(
        self,
        model: RowModel,
        rows: EncodedRows,
        steps: Sequence[Sequence[int]],
        config: FinetuningConfig,
        scratch: Path,
        watching: Watching,
    ) -> None:
        arguments = TrainingArguments(
            output_dir=str(scratch),
            per_device_train_batch_size=1,
            num_train_epochs=1,
            learning_rate=config.learning_rate,
            lr_scheduler_type=SCHEDULERS[config.schedule],
            warmup_steps=warmup_steps(config, len(steps)),
            max_grad_norm=config.optimizer.clip,
            logging_steps=1,
            logging_nan_inf_filter=False,
            save_strategy="steps",
            save_steps=max(1, len(steps) // CHECKPOINTS),
            save_total_limit=1,
            report_to=[],
            disable_tqdm=True,
            # On the CPU sums keep their order, which the same bytes need.
            use_cpu=model.device.type == "cpu",
            dataloader_pin_memory=False,
            remove_unused_columns=False,
        )
        # The order of a batch's rows must not hang on how many GPUs there are.
        arguments._n_gpu = min(1, arguments.n_gpu)
        super().__init__(model=model, args=arguments, callbacks=watching.callbacks(scratch))
        for callback in ("PrinterCallback", "ProgressCallback"):
            self._remove_by_name(callback)
        self.rows, self.steps, self.batch_size, self.adam = rows, steps, config.batch_size, adam_of(config)
        self.are_packed = config.packing
        # Every rank has the whole model and sums the gradients itself, once a step: accelerate need not wrap it.
        model._is_accelerate_prepared = True  # type: ignore[assignment]

    def create_optimizer(self, model: Any = None) -> RootAdam:
        """Adam whose steps can be differentiated."""
        optimizer = RootAdam(self.model.trainable().values(), self.args.learning_rate, self.adam)
        self.optimizer = optimizer
        return optimizer

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """One item a step: the positions of its rows."""
        items: Any = [{"rows": torch.tensor(step, dtype=torch.long)} for step in self.steps]
        # Not prepared by accelerate, which would deal the steps out to the ranks.
        return DataLoader(items, batch_size=1, shuffle=False, collate_fn=lambda batch: batch[0])

    def training_step(self, model: Any, inputs: dict[str, Tensor], *_: Any, **__: Any) -> Tensor:
        """Sum of the rows' losses divided by the constant batch size, in chunks of similar length.

        Each chunk goes back before the next one goes forward, so that only one's activations are held.
        """
        model.train()
        # A batch that lost all of its rows still needs a loss with a gradient of 0.
        loss: Tensor = torch.stack([value.sum() for value in model.trainable().values()]).sum() * 0.0
        torch.autograd.backward(loss)
        step = self.state.global_step
        for batch, weight in self._micro_batches(inputs["rows"].tolist(), step):
            part = model.row_losses(batch).sum() * weight / self.batch_size
            torch.autograd.backward(part)
            loss = loss + part.detach()
        loss = self._summed(loss.detach())
        if not torch.isfinite(loss):
            raise TrainingError(f"step {step}: {NO_NUMBER}")
        return loss

    def _micro_batches(self, indices: Sequence[int], step: int) -> Iterator[tuple[Batch, float]]:
        """This rank's part of a step's rows, each batch with the weight of its rows.

        Where the base is shared out, a rank passes through it as often as any other: those with fewer batches make up
        for it with a row that weighs nothing.
        """
        own = batches(self.rows, own_rows(self.rows, indices), step, are_packed=self.are_packed)
        missing = 0
        if self.model.is_sharded:
            own = iter(counted := list(own))
            missing = most(len(counted), self.model.device.type) - len(counted)
        yield from ((batch, 1.0) for batch in own)
        for _ in range(missing):
            yield next(batches(self.rows, indices[:1], step, are_packed=self.are_packed)), 0.0

    def _summed(self, loss: Tensor) -> Tensor:
        """The loss over all ranks; so are the gradients after it, the same bytes in every rank."""
        if current() == ALONE:
            return loss
        gradients = [value.grad for value in self.model.trainable().values() if value.grad is not None]
        flat = torch.cat([loss.reshape(1), *(gradient.reshape(-1) for gradient in gradients)])
        summed: Tensor = self.accelerator.reduce(flat)
        parts = torch.split(summed[1:], [gradient.numel() for gradient in gradients])
        for gradient, whole in zip(gradients, parts, strict=True):
            gradient.copy_(whole.view_as(gradient))
        return summed[0]

    def _remove_by_name(self, name: str) -> None:
        for callback in list(self.callback_handler.callbacks):
            if type(callback).__name__ == name:
                self.remove_callback(type(callback))

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Only the LoRA parameters: the base does not change."""
        folder = Path(str(output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        parameters = {name: value.detach() for name, value in self.model.trainable().items()}
        save_file(parameters, folder / "model.safetensors")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        saved = load_file(Path(resume_from_checkpoint) / "model.safetensors")
        with torch.no_grad():
            for name, value in self.model.trainable().items():
                value.copy_(saved[name])


def own_rows(rows: EncodedRows, indices: Sequence[int]) -> Sequence[int]:
    """This rank's part of a step's rows: dealt out by length, so that no rank has all the long ones."""
    if current() == ALONE:
        return indices
    lengths = rows.lengths()
    return sorted(indices, key=lambda index: (-lengths[index], index))[current().number :: current().count]
