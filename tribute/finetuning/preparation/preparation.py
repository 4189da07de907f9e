"""From a dataset artifact and a config to a model and rows that can be trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import load_file, save_file

from tribute.artifacts import Artifact, check_files, package_versions
from tribute.config import FinetuningConfig
from tribute.digests import canonical_digest
from tribute.errors import AttributionError, TrainingError
from tribute.files import replacing
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.base_models import (
    base_digest,
    base_folder,
    load_config,
    load_tokenizer,
    quantizer_version,
    text_folder,
)
from tribute.finetuning.models.lora import add_lora
from tribute.finetuning.models.lower_layers import cache_lower_layers
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.models.sharding import shard
from tribute.finetuning.preparation.base_guards import check_before_loading
from tribute.finetuning.preparation.model_guards import check_model, check_packing
from tribute.finetuning.preparation.row_guards import check_cut, check_rows
from tribute.finetuning.preparation.split import split
from tribute.finetuning.preparation.task_types import task_type
from tribute.finetuning.ranks import ALONE, current, join


@dataclass(frozen=True)
class Prepared:
    """A model before its adapter, and the rows it will see."""

    model: RowModel
    train: EncodedRows
    evaluation: EncodedRows
    contributors: list[str]
    """Contributor of every training row."""
    validation: EncodedRows | None = None
    """Rows held out of the training, where the config holds some out."""
    held_out: Sequence[str] = ()
    """Contributor of every validation row."""


@dataclass(frozen=True)
class ReadRows:
    """The rows of a training as a base's tokenizer reads them, beside the tables that they come from."""

    frame: pd.DataFrame
    held_out: pd.DataFrame
    """Of validation; empty where the config holds none out."""
    train: EncodedRows
    evaluation: EncodedRows
    validation: EncodedRows | None


def training_inputs(dataset: Artifact, config: FinetuningConfig) -> tuple[dict[str, str], dict[str, Any]]:
    """The digests and the settings that decide what a training gives, for the artifact's key."""
    inputs = {"dataset": dataset.id, "base": base_digest(base_folder(config.base))}
    settings = config.model_dump(
        mode="json", exclude={"base", "seeds", "timeout_minutes", "prompts", "metrics", "metric_rows"}
    )
    if config.device == "auto":
        settings["device"] = compute_device(config).partition(":")[0]
    if version := quantizer_version(config.precision):
        settings["bitsandbytes"] = version
    return inputs, settings


def compute_device(config: FinetuningConfig) -> str:
    """`cpu`, `cuda`, or a rank's own of several. Raises TrainingError where a GPU is asked for and there is none."""
    if config.device == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        if config.processes > (there := torch.cuda.device_count()):
            raise TrainingError(
                f"finetuning.processes: {config.processes}, but torch sees {there} GPUs on this machine, and each "
                f"process takes its own; set it to at most {there}"
            )
        return f"cuda:{current().number}" if config.processes > 1 else "cuda"
    if config.device == "cuda":
        raise TrainingError("finetuning.device: cuda, but torch sees no GPU on this machine; set it to cpu or auto")
    return "cpu"


def encode(dataset: Artifact, config: FinetuningConfig, part: str) -> tuple[pd.DataFrame, EncodedRows]:
    """The `train` or `evaluation` rows, as stored and as the model sees them."""
    frame = pd.read_parquet(dataset.file(f"{part}.parquet"))
    return frame, encode_frame(dataset, config, frame)


def encode_frame(dataset: Artifact, config: FinetuningConfig, frame: pd.DataFrame) -> EncodedRows:
    """Rows of the dataset's kind as the model sees them."""
    return task_type(dataset).encode(frame, load_tokenizer(text_folder(config.base)), config)


def build_model(dataset: Artifact, config: FinetuningConfig) -> RowModel:
    """The base model with the head of the dataset's task, before any adapter."""
    return task_type(dataset).build(base_folder(config.base), config.precision)


def read_for_training(
    dataset: Artifact, config: FinetuningConfig, alter: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame
) -> ReadRows:
    """The rows, once every guard that needs no weights has passed them; `alter` as for `prepare`.

    Raises TrainingError or BaseModelError where one does not, or there is no GPU.
    """
    check_files(dataset)
    frame, held_out = split(dataset, config.validation)
    frame = alter(frame)
    task = task_type(dataset)
    task.check_training_rows(frame)
    check_before_loading(config, task)
    compute_device(config)
    train, evaluation, *validation = (
        replace(encode_frame(dataset, config, part), budget=config.tokens_at_once, drops=config.lora.dropout > 0)
        for part in (frame, pd.read_parquet(dataset.file("evaluation.parquet")), held_out)
        if len(part) or part is not held_out
    )
    vectors = load_config(text_folder(config.base)).get_text_config().vocab_size
    check_rows(vectors, train, evaluation, *validation)
    check_cut([train, *validation], evaluation, config, task)
    return ReadRows(frame, held_out, train, evaluation, validation[0] if validation else None)


def prepare(
    dataset: Artifact,
    config: FinetuningConfig,
    scratch: Path,
    seed: int | None = None,
    alter: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame,
) -> Prepared:
    """Model and rows; the frozen lower layers' output is computed once for the same rows and kept in `scratch`.

    With a `seed` the model gets a fresh adapter. `alter` may change the training table before it is encoded.
    Raises TrainingError or BaseModelError where a guard (`*_guards.py`) stops the training, or there is no GPU.
    """
    rows, task, device = read_for_training(dataset, config, alter), task_type(dataset), compute_device(config)
    model = build_model(dataset, config)
    check_model(model, rows.train, task, config.max_tokens)
    if config.packing:
        check_packing(model, rows.train, task)
    inputs, _ = training_inputs(dataset, config)
    cut = [config.max_tokens, config.lora.layers, config.lora.modules_to_save, config.precision, config.tokens_at_once]
    key = canonical_digest([inputs, list(rows.frame["text"]), *cut, package_versions()])[:24]
    parts = [rows.train, rows.evaluation, *([] if rows.validation is None else [rows.validation])]
    train, evaluation, *validation = _with_lower_layers(model, config, parts, scratch / f"lower-{key}.safetensors")
    if seed is not None:
        add_lora(model, config.lora, seed)
    if config.gradient_checkpointing:
        again = {"use_reentrant": False, "context_fn": model.tokens_in_pass.for_checkpoint}
        model.network.gradient_checkpointing_enable(gradient_checkpointing_kwargs=again)
    if config.shard and current() != ALONE:
        kind = device.partition(":")[0]
        join(kind)
        shard(model, kind)
    return Prepared(
        model.to(device),
        train,
        evaluation,
        list(rows.frame["contributor_id"]),
        validation[0] if validation else None,
        list(rows.held_out["contributor_id"]),
    )


def _with_lower_layers(
    model: RowModel, config: FinetuningConfig, parts: Sequence[EncodedRows], file: Path
) -> list[EncodedRows]:
    if file.exists():
        hidden = load_file(file)
        cached = [part.with_flat(hidden[str(place)]) for place, part in enumerate(parts)]
        cache_lower_layers(model, config.lora)
    else:
        cached = cache_lower_layers(model, config.lora, *parts)
        if cached[0].hidden is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as beside:
                save_file({str(place): part.flat() for place, part in enumerate(cached)}, beside)
    return cached


def check_base(dataset: Artifact, adapter: Artifact, finetuning: FinetuningConfig) -> None:
    """Raises AttributionError where the adapter learned from another base or dataset version."""
    inputs, _ = training_inputs(dataset, finetuning)
    for name, digest in inputs.items():
        if adapter.inputs[name] != digest:
            raise AttributionError(
                f"adapter {adapter.id[:12]} learned from {name} {adapter.inputs[name][:12]}, the run names "
                f"{digest[:12]}; use the {name} that the adapter was made from, or fine-tune again"
            )
