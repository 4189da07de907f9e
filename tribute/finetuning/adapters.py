"""The artifacts of this column: baselines, adapters with their traces, and retrainings without some rows."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tribute.artifacts import Artifact, Kind, Store, artifact_key
from tribute.config import FinetuningConfig
from tribute.digests import canonical_digest
from tribute.files import write_json
from tribute.finetuning.base_models import base_folder
from tribute.finetuning.preparation import Prepared, prepare, task_of, training_inputs
from tribute.finetuning.workers import Progress, run_child

if TYPE_CHECKING:
    from tribute.finetuning.training import Training

BASELINES = Kind("baselines", __name__)
ADAPTER = Kind("adapter", __name__)
RETRAINING = Kind("retraining", __name__)


def make_baselines(
    store: Store, dataset: Artifact, config: FinetuningConfig, scratch: Path, progress: Progress
) -> Artifact:
    """`baselines.json`: what simple methods reach on the same rows."""
    inputs, _ = training_inputs(dataset, config)

    def build(folder: Path) -> None:
        run_child(
            baselines_job,
            dataset,
            config,
            scratch,
            folder,
            timeout_seconds=_seconds(config),
            progress=progress,
        )

    settings = {"max_tokens": config.max_tokens}
    return store.make(BASELINES, inputs, settings, build)


def find_adapter(store: Store, dataset: Artifact, config: FinetuningConfig, seed: int) -> Artifact | None:
    """The adapter of this seed, if it was trained before."""
    inputs, settings = training_inputs(dataset, config)
    return store.find(ADAPTER, inputs, settings | {"seed": seed})


def make_adapter(
    store: Store,
    dataset: Artifact,
    config: FinetuningConfig,
    seed: int,
    scratch: Path,
    record: Callable[[Path], Mapping[str, Any]],
    progress: Progress,
) -> Artifact:
    """Train one seed in a child process; `record(folder)` tracks the result and returns provenance."""
    inputs, settings = training_inputs(dataset, config)
    settings = settings | {"seed": seed}
    own = scratch / artifact_key(ADAPTER, inputs, settings)

    def build(folder: Path) -> Mapping[str, Any]:
        arguments = (dataset, config, seed, scratch, own, folder)
        run_child(adapter_job, *arguments, timeout_seconds=_seconds(config), progress=progress)
        return record(folder)

    adapter = store.make(ADAPTER, inputs, settings, build)
    shutil.rmtree(own, ignore_errors=True)
    return adapter


def find_retraining(
    store: Store, dataset: Artifact, config: FinetuningConfig, seed: int, kept: Sequence[str]
) -> Artifact | None:
    """The training of this seed on the rows `kept` alone, if it was made before."""
    inputs, settings = _retraining_key(dataset, config, seed, kept)
    return store.find(RETRAINING, inputs, settings)


def make_retraining(
    store: Store,
    dataset: Artifact,
    config: FinetuningConfig,
    seed: int,
    kept: Sequence[str],
    scratch: Path,
    progress: Progress,
) -> Artifact:
    """Train again on the rows `kept` (ids) alone, all else the same; keeps only the evaluation.

    Whatever asked for it, a training of the same rows and seed is made once.
    """
    inputs, settings = _retraining_key(dataset, config, seed, kept)
    own = scratch / artifact_key(RETRAINING, inputs, settings)

    def build(folder: Path) -> None:
        arguments = (dataset, config, seed, frozenset(kept), scratch, own, folder)
        run_child(retraining_job, *arguments, timeout_seconds=_seconds(config), progress=progress)

    retraining = store.make(RETRAINING, inputs, settings, build)
    shutil.rmtree(own, ignore_errors=True)
    return retraining


def _retraining_key(
    dataset: Artifact, config: FinetuningConfig, seed: int, kept: Sequence[str]
) -> tuple[dict[str, str], dict[str, Any]]:
    inputs, settings = training_inputs(dataset, config)
    return inputs, settings | {"seed": seed, "rows": len(kept), "kept": canonical_digest(sorted(kept))}


def proxy_of(config: FinetuningConfig) -> FinetuningConfig:
    """The same training with LoRA on the last layer alone: the layers below are computed once, so it is cheap."""
    facts = json.loads((base_folder(config.base) / "config.json").read_text(encoding="utf-8"))
    lora = config.lora.model_copy(update={"layers": (facts["num_hidden_layers"] - 1,)})
    return config.model_copy(update={"lora": lora})


def baselines_job(dataset: Artifact, config: FinetuningConfig, scratch: Path, folder: Path, progress: Progress) -> None:
    """Runs in a child: writes baselines.json and leaves the lower layers' output in `scratch`."""
    from tribute.finetuning.evaluation import baselines, evaluate
    from tribute.finetuning.models import SentenceClassifier

    ready = prepare(dataset, config, scratch)
    progress(1, 2)
    if isinstance(ready.model, SentenceClassifier):
        measured = baselines(ready.model, ready.train, ready.evaluation)
    else:
        measured = {"zero_shot": evaluate(ready.model, ready.evaluation).summary()}
    write_json(folder / "baselines.json", measured, sort_keys=True)
    progress(2, 2)


def adapter_job(
    dataset: Artifact,
    config: FinetuningConfig,
    seed: int,
    scratch: Path,
    own: Path,
    folder: Path,
    progress: Progress,
) -> None:
    """Runs in a child: writes an adapter folder; `own` keeps the checkpoints of this training."""
    from tribute.finetuning.trace import save_trace

    ready = prepare(dataset, config, scratch, seed)
    training = _train_between_evaluations(ready, config, seed, frozenset(), own, folder, progress)
    save_adapter(ready.model.network, folder, task_of(dataset))
    write_json(folder / "curve.json", {"training": training.curve}, sort_keys=True)
    save_trace(folder, training.trace)


def retraining_job(
    dataset: Artifact,
    config: FinetuningConfig,
    seed: int,
    kept: frozenset[str],
    scratch: Path,
    own: Path,
    folder: Path,
    progress: Progress,
) -> None:
    """Runs in a child: writes the evaluation of a training on the rows `kept`."""
    ready = prepare(dataset, config, scratch, seed)
    dropped = frozenset(position for position, row_id in enumerate(ready.train.row_ids) if row_id not in kept)
    _train_between_evaluations(ready, config, seed, dropped, own, folder, progress)


def _train_between_evaluations(
    ready: Prepared,
    config: FinetuningConfig,
    seed: int,
    dropped: frozenset[int],
    own: Path,
    folder: Path,
    progress: Progress,
) -> "Training":
    from tribute.finetuning.evaluation import evaluate, evaluation_report
    from tribute.finetuning.training import train

    before = evaluate(ready.model, ready.evaluation)
    training = train(ready.model, ready.train, config, seed, own, dropped=dropped, progress=progress)
    after = evaluate(ready.model, ready.evaluation)
    report = evaluation_report(before, after, ready.evaluation)
    write_json(folder / "evaluation.json", report, sort_keys=True)
    losses = {"row_id": list(ready.evaluation.row_ids), "before": before.losses, "loss": after.losses}
    pd.DataFrame(losses).to_parquet(folder / "losses.parquet", index=False)
    return training


def save_adapter(network: Any, folder: Path, task: str) -> None:
    """What `save_pretrained` writes, less the machine's paths and with sets in a fixed order."""
    network.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["target_modules"] = sorted(config["target_modules"])
    config["base_model_name_or_path"] = None
    config["task_type"] = {"causal-lm": "CAUSAL_LM", "sequence-classification": "FEATURE_EXTRACTION"}[task]
    write_json(path, config, sort_keys=True)


def _seconds(config: FinetuningConfig) -> float:
    return 60.0 * config.timeout_minutes
