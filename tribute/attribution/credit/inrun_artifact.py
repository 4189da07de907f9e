"""Credit by in-run attribution as an artifact: of a run's own trainings, and of trainings with planted controls."""

from pathlib import Path

import numpy as np
import pandas as pd

from tribute.artifacts import Kind
from tribute.attribution.credit.planted_rows import planted
from tribute.attribution.gradients.sample import stratified_sample
from tribute.attribution.measurement import Measurement, Run
from tribute.attribution.retraining.jobs import checked_seeds
from tribute.files import write_json
from tribute.finetuning.preparation.preparation import Prepared, check_base, prepare, training_inputs
from tribute.finetuning.recording.trace import Trace, trace_of
from tribute.finetuning.workers import Folders, Key
from tribute.progress import Progress

CREDIT = Kind("credit", __name__)
CONTROL = Kind("control", __name__)


def credit_job(run: Run, seed: int, folders: Folders, progress: Progress) -> None:
    """Runs in a child: walks one adapter's trace; writes `scores.parquet` and `credit.json`."""
    adapter, finetuning = run.adapter(seed), run.config.finetuning
    check_base(run.dataset, adapter, finetuning)
    trace = trace_of(adapter)
    ready = prepare(run.dataset, finetuning, folders.scratch, trace.seed)
    evaluation = adapter.json("evaluation.json")
    measured = evaluation["before"]["loss"] - evaluation["loss"]
    _write_credit(folders.result, ready, trace, measured, run.config.attribution.sample, progress)


def control_job(run: Run, seed: int, folders: Folders, progress: Progress) -> None:
    """Runs in a child: trains a seed with planted controls and credits it; files as of a credit."""
    from tribute.finetuning.evaluation import evaluate
    from tribute.finetuning.training.training import train_prepared

    finetuning = run.config.finetuning
    ready = prepare(run.dataset, finetuning, folders.scratch, seed, planted)
    before = evaluate(ready.model, ready.evaluation).losses.mean()
    training = train_prepared(ready, finetuning, seed, folders.checkpoints, progress)
    measured = float(before - evaluate(ready.model, ready.evaluation).losses.mean())
    _write_credit(folders.result, ready, training.trace, measured, run.config.attribution.sample, progress)


def _write_credit(
    folder: Path, ready: Prepared, trace: Trace, measured: float, sample_size: int, progress: Progress
) -> None:
    """Walk the trace; writes `scores.parquet`, `folds.parquet`, `rows.parquet` and `credit.json`."""
    from tribute.attribution.credit.inrun import in_run_credit

    chosen, weights = stratified_sample(ready.evaluation.slices, sample_size)
    credit = in_run_credit(ready.model, ready.train, ready.evaluation.take(chosen), weights, trace, progress)
    pd.DataFrame(
        {
            "row_id": np.repeat(list(ready.train.row_ids), len(credit.slices)),
            "contributor_id": np.repeat(ready.contributors, len(credit.slices)),
            "query": credit.slices * len(ready.train),
            "credit": credit.scores.reshape(-1),
        }
    ).to_parquet(folder / "scores.parquet", index=False)
    by_fold = pd.DataFrame(credit.folds, columns=[f"fold_{fold}" for fold in range(credit.folds.shape[1])])
    by_fold.insert(0, "row_id", list(ready.train.row_ids))
    by_fold.to_parquet(folder / "folds.parquet", index=False)
    _seen(ready).to_parquet(folder / "rows.parquet", index=False)
    facts = {
        "seed": trace.seed,
        "measured": measured,
        "integrated": float(credit.scores.sum()),
        "sample": len(chosen),
        "curve": [{"step": step, "loss": loss} for step, loss in zip(credit.steps, credit.losses, strict=True)],
        "drift": credit.drift,
        "weight_decay": credit.weight_decay,
    }
    write_json(folder / "credit.json", facts, sort_keys=True)


def _seen(ready: Prepared) -> pd.DataFrame:
    """Every row that the model saw, with its tokens: those it was trained on, then those `held_out`."""
    parts = [(ready.train, ready.contributors, False)]
    if ready.validation is not None:
        parts.append((ready.validation, list(ready.held_out), True))
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "row_id": list(rows.row_ids),
                    "contributor_id": contributors,
                    "tokens": rows.lengths(),
                    "held_out": held_out,
                }
            )
            for rows, contributors, held_out in parts
        ],
        ignore_index=True,
    )


def _credit_key(run: Run, seed: int) -> Key:
    return Key({"dataset": run.dataset.id, "adapter": run.adapter(seed).id}, {"sample": run.config.attribution.sample})


def _control_key(run: Run, seed: int) -> Key:
    inputs, settings = training_inputs(run.dataset, run.config.finetuning)
    return Key(inputs, settings | {"seed": seed, "sample": run.config.attribution.sample})


INRUN = Measurement(CREDIT, "attribute, seed {}", lambda run: run.seeds, _credit_key, credit_job, is_paid_by=True)
CONTROLS = Measurement(CONTROL, "planted controls, seed {}", checked_seeds, _control_key, control_job, is_trained=True)
