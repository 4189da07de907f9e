"""Credit by in-run attribution as an artifact: of a run's own trainings, and of trainings with planted controls."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact, Kind, Store, artifact_key
from tribute.attribution.credit.planted_rows import planted
from tribute.attribution.gradients.sample import PARTS, stratified_sample
from tribute.config import AttributionConfig, FinetuningConfig
from tribute.files import write_json
from tribute.finetuning.preparation import Prepared, check_base, prepare, training_inputs
from tribute.finetuning.trace import Trace, trace_of
from tribute.finetuning.workers import Progress, run_child

CREDIT = Kind("credit", __name__)
CONTROL = Kind("control", __name__)


def find_credit(store: Store, dataset: Artifact, adapter: Artifact, config: AttributionConfig) -> Artifact | None:
    """The credit of this adapter, if it was computed before."""
    return store.find(CREDIT, {"dataset": dataset.id, "adapter": adapter.id}, {"sample": config.sample})


def make_credit(
    store: Store,
    dataset: Artifact,
    adapter: Artifact,
    config: AttributionConfig,
    finetuning: FinetuningConfig,
    scratch: Path,
    progress: Progress,
) -> Artifact:
    """Walk one adapter's trace in a child process: `scores.parquet` and `credit.json`."""

    def build(folder: Path) -> None:
        arguments = (dataset, adapter, finetuning, config.sample, scratch, folder)
        run_child(credit_job, *arguments, timeout_seconds=60.0 * finetuning.timeout_minutes, progress=progress)

    inputs = {"dataset": dataset.id, "adapter": adapter.id}
    return store.make(CREDIT, inputs, {"sample": config.sample}, build)


def credit_job(
    dataset: Artifact,
    adapter: Artifact,
    finetuning: FinetuningConfig,
    sample_size: int,
    scratch: Path,
    folder: Path,
    progress: Progress,
) -> None:
    """Runs in a child: see `make_credit`."""
    check_base(dataset, adapter, finetuning)
    trace = trace_of(adapter)
    ready = prepare(dataset, finetuning, scratch, trace.seed)
    evaluation = adapter.json("evaluation.json")
    measured = evaluation["before"]["loss"] - evaluation["loss"]
    _write_credit(folder, ready, trace, measured, sample_size, progress)


def make_control(
    store: Store,
    dataset: Artifact,
    seed: int,
    config: AttributionConfig,
    finetuning: FinetuningConfig,
    scratch: Path,
    progress: Progress,
) -> Artifact:
    """Train one seed with planted controls and credit it; files as of a credit."""
    inputs, settings = training_inputs(dataset, finetuning)
    settings = settings | {"seed": seed, "sample": config.sample}
    own = scratch / artifact_key(CONTROL, inputs, settings)

    def build(folder: Path) -> None:
        arguments = (dataset, seed, finetuning, config.sample, scratch, own, folder)
        run_child(control_job, *arguments, timeout_seconds=60.0 * finetuning.timeout_minutes, progress=progress)

    control = store.make(CONTROL, inputs, settings, build)
    shutil.rmtree(own, ignore_errors=True)
    return control


def find_control(
    store: Store, dataset: Artifact, seed: int, config: AttributionConfig, finetuning: FinetuningConfig
) -> Artifact | None:
    """The control of this seed, if it was made before."""
    inputs, settings = training_inputs(dataset, finetuning)
    return store.find(CONTROL, inputs, settings | {"seed": seed, "sample": config.sample})


def control_job(
    dataset: Artifact,
    seed: int,
    finetuning: FinetuningConfig,
    sample_size: int,
    scratch: Path,
    own: Path,
    folder: Path,
    progress: Progress,
) -> None:
    """Runs in a child: see `make_control`."""
    from tribute.finetuning.evaluation import evaluate
    from tribute.finetuning.training import train

    ready = prepare(dataset, finetuning, scratch, seed, planted)
    before = evaluate(ready.model, ready.evaluation).losses.mean()
    training = train(ready.model, ready.train, finetuning, seed, own, progress=progress)
    measured = float(before - evaluate(ready.model, ready.evaluation).losses.mean())
    _write_credit(folder, ready, training.trace, measured, sample_size, progress)


def _write_credit(
    folder: Path, ready: Prepared, trace: Trace, measured: float, sample_size: int, progress: Progress
) -> None:
    """Walk the trace; writes `scores.parquet`, `folds.parquet`, `rows.parquet` and `credit.json`."""
    from tribute.attribution.credit.inrun import in_run_credit

    chosen, weights = stratified_sample(ready.evaluation.slices, sample_size)
    found = in_run_credit(ready.model, ready.train, ready.evaluation.take(chosen), weights, trace, progress, PARTS)
    pd.DataFrame(
        {
            "row_id": np.repeat(list(ready.train.row_ids), len(found.slices)),
            "contributor_id": np.repeat(ready.contributors, len(found.slices)),
            "query": found.slices * len(ready.train),
            "credit": found.scores.reshape(-1),
        }
    ).to_parquet(folder / "scores.parquet", index=False)
    by_fold = pd.DataFrame(found.folds).groupby(pd.Series(ready.contributors, name="contributor_id")).sum()
    by_fold.columns = [f"fold_{fold}" for fold in by_fold.columns]
    by_fold.reset_index().to_parquet(folder / "folds.parquet", index=False)
    rows = {"row_id": list(ready.train.row_ids), "contributor_id": ready.contributors, "tokens": ready.train.lengths()}
    pd.DataFrame(rows).to_parquet(folder / "rows.parquet", index=False)
    facts = {
        "seed": trace.seed,
        "measured": measured,
        "integrated": float(found.scores.sum()),
        "sample": len(chosen),
        "curve": [{"step": step, "loss": loss} for step, loss in zip(found.steps, found.losses, strict=True)],
        "drift": found.drift,
    }
    write_json(folder / "credit.json", facts, sort_keys=True)
