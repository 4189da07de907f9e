"""What must hold before a base is loaded: BASE_GUARDS read its config and tokenizer, one function and error per guard.

Missing weights are refused where they are loaded (base_models.py), too few labels by the task (task_types.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.config import FinetuningConfig
from tribute.errors import TrainingError
from tribute.finetuning.encoding.chat import chat_template
from tribute.finetuning.models.base_models import load_config, load_tokenizer, quantizer_version, text_folder
from tribute.finetuning.preparation.task_types import TaskType

SPECIAL = ("pad_token_id", "eos_token_id", "bos_token_id", "unk_token_id", "cls_token_id", "sep_token_id")


@dataclass(frozen=True)
class Base:
    """A base before its weights are loaded, and what it is to learn."""

    folder: Path
    config: Any
    """The transformers config of its text model."""
    is_encoder_decoder: bool
    tokenizer: Any
    task: TaskType
    max_tokens: int
    template: str
    """`finetuning.template`."""


def check_before_loading(finetuning: FinetuningConfig, task: TaskType) -> None:
    """Every guard that needs no weights.

    Raises TrainingError, or BaseModelError where config or tokenizer cannot be read.
    """
    quantizer_version(finetuning.precision)
    folder = text_folder(finetuning.base)
    config = load_config(folder)
    text, tokenizer = config.get_text_config(), load_tokenizer(folder)
    learned = (task, finetuning.max_tokens, finetuning.template)
    base = Base(folder, text, bool(config.is_encoder_decoder), tokenizer, *learned)
    for guard in BASE_GUARDS:
        guard(base)


def no_encoder_decoder(base: Base) -> None:
    """A T5 reads with one half and writes with the other: no single text is learned."""
    if base.is_encoder_decoder:
        raise TrainingError(
            f"{base.folder}: {base.config.model_type} is an encoder-decoder; use an encoder or a causal model"
        )


def no_encoder_for_responses(base: Base) -> None:
    """An encoder sees the tokens that it should predict, and its head for them is random."""
    from transformers.models.auto import modeling_auto as auto

    kind = base.config.model_type
    is_encoder = kind in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(base.config, "is_decoder", False)
    writes = kind in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not is_encoder
    if not (base.task.reads_ahead or writes):
        raise TrainingError(f"{base.folder}: {kind} is an encoder, which cannot learn responses; use a causal model")


def conversations_have_a_template(base: Base) -> None:
    """Turns need roles and ends that the base knows."""
    if not base.task.reads_ahead:
        try:
            chat_template(base.tokenizer, base.template, base.task.has_conversations)
        except TrainingError as error:
            raise TrainingError(f"{base.folder}: {error}") from error


def positions_suffice(base: Base) -> None:
    """Beyond its positions a base fails, or was never trained."""
    positions = getattr(base.config, "max_position_embeddings", None)
    if isinstance(positions, int) and 0 < positions < base.max_tokens:
        raise too_few_positions(base.max_tokens, positions)


def tokenizer_has_padding(base: Base) -> None:
    """Rows of a batch are padded to one length."""
    if base.tokenizer.pad_token_id is None:
        raise TrainingError(
            f"{base.folder}: the tokenizer has neither a padding token nor an end token; set pad_token in its config"
        )


def tokenizer_has_an_end(base: Base) -> None:
    """A response ends with the end token, or the model never learns to stop."""
    if not base.task.reads_ahead and base.tokenizer.eos_token_id is None:
        raise TrainingError(f"{base.folder}: the tokenizer has no end token; set eos_token in its config")


def special_ids_have_vectors(base: Base) -> None:
    """A padding token that was added to the tokenizer alone has no vector."""
    vectors = base.config.vocab_size
    for name in SPECIAL:
        id_ = getattr(base.tokenizer, name, None)
        if id_ is not None and id_ >= vectors:
            raise TrainingError(
                f"{base.folder}: the tokenizer's {name.removesuffix('_id')} has id {id_}, the base has vectors for ids "
                f"below {vectors}; resize the base's embedding, or name a token that it knows"
            )


def label_tokens_differ(base: Base) -> None:
    """Labels that the tokenizer takes for the same are one class to the model."""
    seen: dict[tuple[int, ...], str] = {}
    for label in base.task.labels:
        ids = tuple(base.tokenizer(label)["input_ids"])
        if ids in seen:
            words = " ".join(base.tokenizer.convert_ids_to_tokens(ids))
            raise TrainingError(
                f"{base.task.tag}: the base cannot tell the labels {seen[ids]!r} and {label!r} apart, both are the "
                f"tokens {words}; name them in words that it knows, or use another base"
            )
        seen[ids] = label


BASE_GUARDS: tuple[Callable[[Base], None], ...] = (
    no_encoder_decoder,
    no_encoder_for_responses,
    conversations_have_a_template,
    positions_suffice,
    tokenizer_has_padding,
    tokenizer_has_an_end,
    special_ids_have_vectors,
    label_tokens_differ,
)


def too_few_positions(max_tokens: int, positions: int) -> TrainingError:
    """The error of a base that has fewer positions than a row may have tokens."""
    return TrainingError(
        f"finetuning.max_tokens: {max_tokens}, the base has {positions} positions; lower it to {positions} or less"
    )
