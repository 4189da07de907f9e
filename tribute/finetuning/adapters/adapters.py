"""The artifacts of this column: baselines, adapters with their traces, and retrainings without some rows."""

import shutil
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tribute.artifacts import Artifact, Kind
from tribute.config import BaseConfig, FinetuningConfig, weights_sha256
from tribute.contributions.dataset import read_description
from tribute.digests import canonical_digest
from tribute.files import write_json
from tribute.finetuning.adapters.adapter_folder import ROWS, TEMPLATE, cut_rows, write_card
from tribute.finetuning.adapters.answers import write_answers
from tribute.finetuning.adapters.task_metrics import metric_digests
from tribute.finetuning.encoding.chat import BASE
from tribute.finetuning.models.base_models import TOKENIZER_FILES, base_digest, base_folder, load_config
from tribute.finetuning.preparation.preparation import Prepared, prepare, training_inputs
from tribute.finetuning.preparation.task_types import task_type
from tribute.finetuning.workers import Folders, Key, Recipe, how_run
from tribute.progress import Progress
from tribute.strict import parse_json

if TYPE_CHECKING:
    from tribute.finetuning.training.training import Training

BASELINES = Kind("baselines", __name__)
ADAPTER = Kind("adapter", __name__)
RETRAINING = Kind("retraining", __name__)


def baselines(dataset: Artifact, config: FinetuningConfig) -> Recipe:
    """`baselines.json`: what simple methods reach on the same rows."""
    inputs, settings = training_inputs(dataset, config)
    key = Key(inputs, {name: settings[name] for name in ("max_tokens", "validation")})
    return Recipe(BASELINES, key, "baselines", baselines_job, (dataset, config), *how_run(config, trains=False))


def adapter(dataset: Artifact, config: FinetuningConfig, seed: int) -> Recipe:
    """The training of one seed: adapter, trace and evaluation."""
    inputs, settings = training_inputs(dataset, config)
    # Prompts by their digest: a manifest cannot forget, and a prompt may quote somebody's row.
    asked: dict[str, Any] = {"prompts_sha256": canonical_digest(list(config.prompts))} if config.prompts else {}
    if config.metrics:
        asked |= {"metrics": metric_digests(config), "metric_rows": config.metric_rows}
    key = Key(inputs, settings | asked | {"seed": seed})
    return Recipe(ADAPTER, key, f"fine-tune, seed {seed}", adapter_job, (dataset, config, seed), *how_run(config))


def retraining(dataset: Artifact, config: FinetuningConfig, seed: int, kept: Collection[str]) -> Recipe:
    """The training on the rows `kept` (ids) alone, all else the same; keeps only the evaluation.

    Whatever asked for it, a training of the same rows and seed is made once.
    """
    inputs, settings = training_inputs(dataset, config)
    settings = settings | {"seed": seed, "rows": len(kept), "kept": canonical_digest(sorted(kept))}
    arguments = (dataset, config, seed, kept)
    key = Key(inputs, settings)
    return Recipe(RETRAINING, key, f"retrain, seed {seed}", retraining_job, arguments, *how_run(config))


def proxy_of(config: FinetuningConfig) -> FinetuningConfig:
    """The same training with LoRA on the last layer alone: the layers below are computed once, so it is cheap."""
    depth = load_config(base_folder(config.base)).get_text_config().num_hidden_layers
    lora = config.lora.model_copy(update={"layers": (depth - 1,)})
    return config.model_copy(update={"lora": lora})


def baselines_job(dataset: Artifact, config: FinetuningConfig, folders: Folders, progress: Progress) -> None:
    """Runs in a child: writes baselines.json and leaves the lower layers' output in `scratch`."""
    ready = prepare(dataset, config, folders.scratch)
    progress(1, 2)
    measured = task_type(dataset).baselines(ready.model, ready.train, ready.evaluation)
    write_json(folders.result / "baselines.json", measured, sort_keys=True)
    progress(2, 2)


def adapter_job(dataset: Artifact, config: FinetuningConfig, seed: int, folders: Folders, progress: Progress) -> None:
    """Runs in a child: writes an adapter folder."""
    from tribute.finetuning.recording.trace import save_trace

    ready = prepare(dataset, config, folders.scratch, seed)
    training = _train_between_evaluations(ready, config, seed, None, folders, progress)
    save_adapter(ready.model.network, folders.result, task_type(dataset).peft_name, config.base)
    write_json(folders.result / "curve.json", {"training": training.curve}, sort_keys=True)
    save_trace(folders.result, training.trace, training.states)
    _describe(dataset, config, ready, folders.result)
    write_answers(dataset, config, ready, folders.result)


def _describe(dataset: Artifact, config: FinetuningConfig, ready: Prepared, folder: Path) -> None:
    """Write `rows.json`, the config's template and the model card beside an adapter."""
    cut = cut_rows(ready.train, ready.contributors, ready.evaluation)
    if ready.validation is not None:
        cut |= {"validation": {"rows": len(ready.held_out), "held_out": dict(sorted(Counter(ready.held_out).items()))}}
    write_json(folder / ROWS, cut, sort_keys=True)
    if config.template not in ("", BASE):
        (folder / TEMPLATE).write_text(config.template, encoding="utf-8")
    evaluation = parse_json((folder / "evaluation.json").read_text(encoding="utf-8"))
    write_card(folder, config, read_description(dataset), cut, (evaluation["before"]["loss"], evaluation["loss"]))


def retraining_job(
    dataset: Artifact,
    config: FinetuningConfig,
    seed: int,
    kept: Collection[str],
    folders: Folders,
    progress: Progress,
) -> None:
    """Runs in a child: writes the evaluation of a training on the rows `kept`, and nothing else."""
    ready, stays = prepare(dataset, config, folders.scratch, seed), frozenset(kept)
    dropped = frozenset(position for position, row_id in enumerate(ready.train.row_ids) if row_id not in stays)
    _train_between_evaluations(ready, config, seed, dropped, folders, progress)


def _train_between_evaluations(
    ready: Prepared,
    config: FinetuningConfig,
    seed: int,
    dropped: frozenset[int] | None,
    folders: Folders,
    progress: Progress,
) -> "Training":
    """Writes what the training did to the evaluation; only one that drops no rows (None) records its states."""
    from tribute.finetuning.evaluation import evaluate, evaluation_report
    from tribute.finetuning.training.training import train_prepared

    before = evaluate(ready.model, ready.evaluation)
    training = train_prepared(ready, config, seed, folders.checkpoints, progress, dropped)
    after = evaluate(ready.model, ready.evaluation)
    write_json(folders.result / "evaluation.json", evaluation_report(before, after, ready.evaluation), sort_keys=True)
    losses = {"row_id": list(ready.evaluation.row_ids), "before": before.losses, "loss": after.losses}
    pd.DataFrame(losses).to_parquet(folders.result / "losses.parquet", index=False)
    return training


def save_adapter(network: Any, folder: Path, peft_name: str, base: BaseConfig) -> None:
    """What `save_pretrained` writes, with sets in a fixed order, and what it takes to load it: see `_name_base`."""
    network.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = parse_json(path.read_text(encoding="utf-8"))
    config["target_modules"] = sorted(config["target_modules"])
    config["task_type"] = peft_name
    write_json(path, config | _name_base(folder, base), sort_keys=True)


def _name_base(folder: Path, base: BaseConfig) -> dict[str, str | None]:
    """Where PEFT finds the base, for the adapter's config; its digests and its tokenizer lie beside in `folder`."""
    source = base_folder(base)
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)
    write_json(folder / "base.json", {"digest": base_digest(source), "weights_sha256": weights_sha256(source)})
    return {"base_model_name_or_path": base.hub or str(source.resolve()), "revision": base.revision}
