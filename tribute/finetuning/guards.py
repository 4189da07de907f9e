"""What must hold before anything is trained: the guards, one function and one line of error per guard.

BASE_GUARDS read the base's config and tokenizer, MODEL_GUARDS try the loaded model, `check_rows` looks at the encoded
rows. Missing weights are refused where they are loaded (base_models.py), too few labels by the task (task_types.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tribute.config import FinetuningConfig
from tribute.errors import TrainingError
from tribute.finetuning.base_models import base_folder, load_config, load_tokenizer
from tribute.finetuning.chat import chat_template
from tribute.finetuning.encoding import Batch, EncodedRows
from tribute.finetuning.models import RowModel
from tribute.finetuning.task_types import TaskType

SPECIAL = ("pad_token_id", "eos_token_id", "bos_token_id", "unk_token_id", "cls_token_id", "sep_token_id")
TRIED = 8
"""Tokens of the rows on which a model is tried."""
CLOSEST = 1e-6
"""Labels' embeddings, of length 1, that are no further apart than rounding moves them."""


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


@dataclass(frozen=True)
class Loaded:
    """A loaded base, two short rows to try it on, and what it is to learn."""

    model: RowModel
    batch: Batch
    task: TaskType
    max_tokens: int


def check_before_loading(finetuning: FinetuningConfig, task: TaskType) -> None:
    """Every guard that needs no weights.

    Raises TrainingError, or BaseModelError where config or tokenizer cannot be read.
    """
    folder = base_folder(finetuning.base)
    config = load_config(folder)
    text, tokenizer = config.get_text_config(), load_tokenizer(folder)
    learned = (task, finetuning.max_tokens, finetuning.template)
    base = Base(folder, text, bool(config.is_encoder_decoder), tokenizer, *learned)
    for guard in BASE_GUARDS:
        guard(base)


def check_model(model: RowModel, rows: EncodedRows, task: TaskType, max_tokens: int) -> None:
    """Every guard that needs the loaded model; `rows` are its own, before any layer is cached. Raises TrainingError."""
    whole = rows.collate(range(min(2, len(rows))))
    batch = model.placed({name: value[:, :TRIED] if value.dim() > 1 else value for name, value in whole.items()})
    for guard in MODEL_GUARDS:
        guard(Loaded(model, batch, task, max_tokens))


def check_rows(model: RowModel, *parts: EncodedRows) -> None:
    """Raises TrainingError naming the first row without a token, or with one that the base has no vector for."""
    vectors = int(model.network.get_input_embeddings().num_embeddings)
    for rows in parts:
        for row_id, tokens in zip(rows.row_ids, rows.tokens, strict=True):
            if not tokens:
                raise TrainingError(f"row {row_id} has no token for the base's tokenizer; use another base")
            if max(tokens) >= vectors:
                raise TrainingError(
                    f"row {row_id} has token id {max(tokens)}, the base has vectors for ids below {vectors}: the "
                    "tokenizer is not this model's; use the one that it was trained with"
                )


def check_cut(train: EncodedRows, evaluation: EncodedRows, config: FinetuningConfig, task: TaskType) -> None:
    """A row without its prompt teaches stumps, and a cut evaluation row measures another task.

    Raises TrainingError unless the config says `truncate`; a label is learned from a text's start as well.
    """
    if task.reads_ahead or config.truncate:
        return
    stumps = [row_id for part in (train, evaluation) for row_id, has_prompt in part.cut.items() if not has_prompt]
    for rows, what in (
        (stumps, "would lose the whole prompt"),
        (list(evaluation.cut), "of the evaluation would be cut"),
    ):
        if rows:
            raise TrainingError(
                f"finetuning.max_tokens: {config.max_tokens}: {len(rows)} rows {what}, {rows[0]} first; raise it, take "
                "these rows out, or set finetuning.truncate: true"
            )


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
        raise _beyond(base.max_tokens, positions)


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


def shifted_positions_suffice(loaded: Loaded) -> None:
    """RoBERTa and its kind count positions from behind the padding token on."""
    for name, module in loaded.model.network.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            positions = module.num_embeddings - module.padding_idx - 1
            if loaded.max_tokens > positions:
                raise _beyond(loaded.max_tokens, positions)


def nothing_is_random(loaded: Loaded) -> None:
    """Whatever is random makes every pass another one, and attribution could not walk the training again."""
    model, training = loaded.model, loaded.model.training
    model.train()
    with torch.no_grad():
        first, second = (model.log_probabilities(loaded.batch) for _ in range(2))
    model.train(training)
    if not torch.equal(first, second):
        raise TrainingError(
            "the base predicts differently each time it reads the same row; turn its dropout off in config.json"
        )


def later_tokens_are_not_seen(loaded: Loaded) -> None:
    """The first token's prediction must not depend on the last."""
    ids = loaded.batch["input_ids"]
    if loaded.task.reads_ahead or ids.shape[1] < 2:
        return
    other = ids.clone()
    other[:, -1] = (other[:, -1] + 1) % loaded.model.network.get_input_embeddings().num_embeddings
    with torch.no_grad():
        batches = ({"input_ids": given, "attention_mask": torch.ones_like(given)} for given in (ids, other))
        first, second = (loaded.model.log_probabilities(batch)[:, 0] for batch in batches)
    if not torch.allclose(first, second, rtol=1e-3, atol=1e-3):
        raise TrainingError("the base sees later tokens when it predicts the next one; use a causal model")


def label_embeddings_differ(loaded: Loaded) -> None:
    """Labels with equal embeddings, which are the head's rows, are one class to the model."""
    labels = loaded.task.labels
    if not labels:
        return
    head: torch.Tensor = loaded.model.head
    # Differences, not products: these would round labels that are close to 0 apart.
    distances = (head[:, None] - head[None]).norm(dim=-1) + 2 * torch.eye(len(head), device=head.device)
    if distances.min() < CLOSEST:
        one, other = divmod(int(distances.argmin()), len(head))
        raise TrainingError(
            f"{loaded.task.tag}: the base cannot tell the labels {labels[one]!r} and {labels[other]!r} apart; name "
            "them in other words, or use another base"
        )


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
MODEL_GUARDS: tuple[Callable[[Loaded], None], ...] = (
    shifted_positions_suffice,
    nothing_is_random,
    later_tokens_are_not_seen,
    label_embeddings_differ,
)


def _beyond(max_tokens: int, positions: int) -> TrainingError:
    return TrainingError(
        f"finetuning.max_tokens: {max_tokens}, the base has {positions} positions; lower it to {positions} or less"
    )
