"""One LoRA training with transformers.Trainer, recorded so that attribution can walk it again."""

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from transformers.trainer import TRAINER_STATE_NAME

from tribute.config import FinetuningConfig
from tribute.finetuning import ranks
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.optimizers.adam import CLIP_EPS, adam_of
from tribute.finetuning.preparation.preparation import Prepared
from tribute.finetuning.recording.curve import CURVE
from tribute.finetuning.recording.recorder import Recorder
from tribute.finetuning.recording.trace import STATES, Trace, assign, longest_gap, state_steps
from tribute.finetuning.recording.trace_states import State, StatesFile, copy_states, read_states
from tribute.finetuning.stopping import Stopped, postponing_the_end
from tribute.finetuning.training.schedule import learning_rates, schedule
from tribute.finetuning.training.trainer import ScheduledTrainer, Stopper, Watching
from tribute.finetuning.training.validation import Validator
from tribute.progress import Progress, ignore
from tribute.strict import parse_json

BEST, CHOSEN = "best.safetensors", "chosen.safetensors"
"""The state with the least validation loss, and all states up to it."""


@dataclass(frozen=True)
class Training:
    """What a finished training leaves beside the model."""

    trace: Trace
    """Its states lie in `states`: it can be walked as long as that file is there."""
    states: Path
    curve: list[dict[str, float]]
    """A point per step that was trained, also where the trace ends at an earlier one, the best."""


def train_prepared(
    ready: Prepared,
    config: FinetuningConfig,
    seed: int,
    scratch: Path,
    progress: Progress,
    dropped: frozenset[int] | None = None,
) -> Training:
    """`train` with what `prepare` gave; a training without the rows `dropped`, be they none, records no states."""
    return train(
        ready.model,
        ready.train,
        config,
        seed,
        scratch,
        dropped=dropped or frozenset(),
        validation=ready.validation,
        recorded=dropped is None,
        progress=progress,
    )


def train(
    model: RowModel,
    rows: EncodedRows,
    config: FinetuningConfig,
    seed: int,
    scratch: Path,
    *,
    dropped: frozenset[int] = frozenset(),
    validation: EncodedRows | None = None,
    recorded: bool = True,
    progress: Progress = ignore,
) -> Training:
    """Train the model's LoRA parameters in place; resumes from `scratch` where a killed training left off.

    The caller removes `scratch` once the result is safe.

    Rows in `dropped` are taken out of their batches while the loss is still divided by the batch size. A training that
    nobody will walk again need not be `recorded`: its trace then has no states, which may take gigabytes. With
    `validation` rows, `config.validation` says when they are evaluated; model and trace end at the best of these steps.
    In a rank (see `ranks`) all take part in the training; only the main process returns, unless the base is shared out:
    then all do, with what the main process recorded. Raises TrainingError where
    the loss is not a number; Stopped, with the present step saved, where SIGTERM came to a training in one process.
    """
    steps = [[row for row in step if row not in dropped] for step in schedule(len(rows), config, seed)]
    rates = learning_rates(config, len(steps))
    adam = adam_of(config)
    longest = len(steps) if config.trace_segments else longest_gap(adam.beta1)
    states = state_steps(rates, config.trace_states, longest) if recorded else []
    parameters = sum(value.numel() for value in model.trainable().values())
    file = StatesFile(scratch / STATES, len(states), parameters, config.trace_precision)
    ranks.join(model.device.type)
    recorder, validator = Recorder(model, len(steps), states if ranks.current().is_main else [], file, progress), None
    if validation is not None and config.validation is not None:
        best = StatesFile(scratch / BEST, 1, parameters, config.trace_precision)
        validator = Validator(model, validation, config.validation, best, scratch / CURVE)
    # A rank that stopped to save would leave the others waiting for it: ranks go back to their last checkpoint.
    with postponing_the_end() if ranks.current() == ranks.ALONE else nullcontext() as asked:
        stopper = Stopper(asked) if asked else None
        trainer = ScheduledTrainer(model, rows, steps, config, scratch, Watching(recorder, validator, stopper))
        trainer.train(resume_from_checkpoint=ranks.from_main(lambda: last_checkpoint(scratch)))
    if asked and asked.is_set():
        raise Stopped
    if model.is_sharded:
        ranks.meet()
    else:
        ranks.part()
    model.eval()
    entries = [entry for entry in trainer.state.log_history if "loss" in entry]
    curve = [
        {"step": entry["step"] - 1, "loss": entry["loss"], "learning_rate": float(rate)}
        for entry, rate in zip(entries, rates, strict=False)
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
    if validator is None:
        return Training(trace, file.path, curve)
    for step, loss in validator.losses.items():
        curve[step - 1]["validation_loss"] = loss
    last = read_states(validator.best.path, [validator.best_step])[0]
    assign(model.trainable(), last.theta)
    return Training(_ended(trace, last, scratch / CHOSEN), scratch / CHOSEN, curve)


def _ended(trace: Trace, last: State, path: Path) -> Trace:
    """The trace as if it had ended with the state `last`; its states are copied to `path`."""
    states = [state for state in trace.states if state.step < last.step]
    if trace.states:
        states = ranks.from_main(lambda: copy_states([*states, last], len(last.theta), path))
    return replace(
        trace,
        learning_rates=trace.learning_rates[: last.step],
        steps=trace.steps[: last.step],
        states=states,
        clips=trace.clips[: last.step],
    )


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


def clip_factors(norms: Sequence[float], clip: float) -> list[float]:
    """What gradients of these norms are multiplied by; none where nothing is clipped (`clip` 0)."""
    return [min(1.0, clip / (norm + CLIP_EPS)) for norm in norms] if clip else []
