"""One LoRA training with transformers.Trainer, recorded so that attribution can walk it again."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from tribute.config import FinetuningConfig
from tribute.errors import TrainingError
from tribute.finetuning.curve import CurveFile
from tribute.finetuning.encoding import EncodedRows
from tribute.finetuning.evaluation import NO_NUMBER
from tribute.finetuning.models import RowModel
from tribute.finetuning.optimizer import CLIP_EPS, Adam, RootAdam
from tribute.finetuning.recorder import Recorder
from tribute.finetuning.trace import STATES, Trace, longest_gap, state_steps
from tribute.finetuning.trace_states import StatesFile, read_states
from tribute.progress import Progress, ignore
from tribute.strict import parse_json

CHECKPOINTS = 4
"""How often a training is saved, so that an interrupted one goes on from there."""
NO_MEMORY = (
    "the GPU's memory is full; lower finetuning.tokens_at_once, or set finetuning.gradient_checkpointing: true or "
    "finetuning.precision: bfloat16"
)
SCHEDULERS = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
"""`finetuning.schedule` → what transformers calls it."""


@dataclass(frozen=True)
class Training:
    """What a finished training leaves beside the model."""

    trace: Trace
    """Its states lie in `states`: it can be walked as long as that file is there."""
    states: Path
    curve: list[dict[str, float]]


def schedule(rows: int, config: FinetuningConfig, seed: int) -> list[list[int]]:
    """Row positions of every step: each epoch a fresh permutation, cut into batches.

    It depends on the number of rows and the seed alone, so trainings without some rows see the others in
    the same steps (common random numbers).
    """
    generator = np.random.Generator(np.random.Philox(seed))
    steps = []
    for _ in range(config.epochs):
        order = generator.permutation(rows)
        steps += [order[start : start + config.batch_size].tolist() for start in range(0, rows, config.batch_size)]
    return steps


def train(
    model: RowModel,
    rows: EncodedRows,
    config: FinetuningConfig,
    seed: int,
    scratch: Path,
    *,
    dropped: frozenset[int] = frozenset(),
    recorded: bool = True,
    progress: Progress = ignore,
) -> Training:
    """Train the model's LoRA parameters in place; resumes from `scratch` where a killed training left off.

    The caller removes `scratch` once the result is safe.

    Rows in `dropped` are taken out of their batches while the loss is still divided by the batch size. A training that
    nobody will walk again need not be `recorded`: its trace then has no states, which may take gigabytes.
    Raises TrainingError where the loss is not a number, or the GPU's memory is full.
    """
    steps = [[row for row in step if row not in dropped] for step in schedule(len(rows), config, seed)]
    rates = learning_rates(config, len(steps))
    adam = adam_of(config)
    states = state_steps(rates, config.trace_states, longest_gap(adam.beta1)) if recorded else []
    parameters = sum(value.numel() for value in model.trainable().values())
    file = StatesFile(scratch / STATES, len(states), parameters, config.trace_precision)
    recorder = Recorder(model, len(steps), states, file, progress)
    trainer = ScheduledTrainer(model, rows, steps, config, scratch, recorder)
    try:
        trainer.train(resume_from_checkpoint=last_checkpoint(scratch))
    except torch.OutOfMemoryError as error:
        raise TrainingError(f"step {trainer.state.global_step}: {NO_MEMORY}") from error
    model.eval()
    entries = [entry for entry in trainer.state.log_history if "loss" in entry]
    curve = [
        {"step": entry["step"] - 1, "loss": entry["loss"], "learning_rate": float(rate)}
        for entry, rate in zip(entries, rates, strict=True)
    ]
    trace = Trace(
        seed,
        config.batch_size,
        adam,
        {name: tuple(value.shape) for name, value in model.trainable().items()},
        rates,
        [[rows.row_ids[row] for row in step] for step in steps],
        read_states(file.path, states) if recorded else [],
        clip_factors([entry["grad_norm"] for entry in entries], config.optimizer.clip),
    )
    return Training(trace, file.path, curve)


def last_checkpoint(scratch: Path) -> str | None:
    """The newest checkpoint that was saved to its end, or None; one cut short by a kill is removed."""
    for folder in sorted(scratch.glob("checkpoint-*/"), key=lambda path: -int(path.name.rpartition("-")[2])):
        try:
            # The trainer writes this file last.
            parse_json((folder / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(folder)
        else:
            return str(folder)
    return None


def adam_of(config: FinetuningConfig) -> Adam:
    """The optimiser that a config asks for."""
    return Adam(**config.optimizer.model_dump(exclude={"clip"}))


def clip_factors(norms: Sequence[float], clip: float) -> list[float]:
    """What gradients of these norms are multiplied by; none where nothing is clipped (`clip` 0)."""
    return [min(1.0, clip / (norm + CLIP_EPS)) for norm in norms] if clip else []


def learning_rates(config: FinetuningConfig, steps: int) -> np.ndarray:
    """Linear warm-up from 0, then as `finetuning.schedule` says, float64 [steps]."""
    warm = warmup_steps(config, steps)
    rising = np.arange(warm) / max(1, warm)
    linear = np.arange(steps - warm, 0, -1) / (steps - warm)
    after = {"linear": linear, "cosine": (1 - np.cos(np.pi * linear)) / 2, "constant": np.ones(steps - warm)}
    return config.learning_rate * np.concatenate([rising, after[config.schedule]])


def warmup_steps(config: FinetuningConfig, steps: int) -> int:
    """Steps in which the rate rises; none in a training so short that it would not move."""
    return int(config.warmup * steps)


class ScheduledTrainer(Trainer):
    """A Trainer whose steps are given, and whose loss is each step's sum over rows / batch size."""

    def __init__(
        self,
        model: RowModel,
        rows: EncodedRows,
        steps: Sequence[Sequence[int]],
        config: FinetuningConfig,
        scratch: Path,
        recorder: Recorder,
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
        super().__init__(model=model, args=arguments, callbacks=[recorder, CurveFile(scratch)])
        for callback in ("PrinterCallback", "ProgressCallback"):
            self._remove_by_name(callback)
        self.rows, self.steps, self.batch_size, self.adam = rows, steps, config.batch_size, adam_of(config)

    def create_optimizer(self, model: Any = None) -> RootAdam:
        """Adam whose steps can be differentiated."""
        optimizer = RootAdam(self.model.trainable().values(), self.args.learning_rate, self.adam)
        self.optimizer = optimizer
        return optimizer

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """One item a step: the positions of its rows."""
        items: Any = [{"rows": torch.tensor(step, dtype=torch.long)} for step in self.steps]
        loader = DataLoader(items, batch_size=1, shuffle=False, collate_fn=lambda batch: batch[0])
        prepared: DataLoader[dict[str, Tensor]] = self.accelerator.prepare(loader)
        return prepared

    def compute_loss(self, model: Any, inputs: dict[str, Tensor], *_: Any, **__: Any) -> Tensor:
        """Sum of the rows' losses divided by the constant batch size, computed in chunks of similar length."""
        # A batch that lost all of its rows still needs a loss with a gradient of 0.
        total: Tensor = torch.stack([value.sum() for value in model.trainable().values()]).sum() * 0.0
        for chunk in self.rows.chunks(inputs["rows"].tolist()):
            total = total + model.row_losses(self.rows.collate(chunk)).sum()
        if not torch.isfinite(total):
            raise TrainingError(f"step {self.state.global_step}: {NO_NUMBER}")
        return total / self.batch_size

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
