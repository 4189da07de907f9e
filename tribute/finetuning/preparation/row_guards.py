"""What must hold of encoded rows before they are trained on: tokens that the base knows, and nothing cut unasked."""

from collections.abc import Sequence

from tribute.config import FinetuningConfig
from tribute.errors import TrainingError
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.preparation.task_types import TaskType


def check_rows(vectors: int, *parts: EncodedRows) -> None:
    """Raises TrainingError naming the first row without a token, or with one beyond the base's `vectors`."""
    for rows in parts:
        for row_id, tokens in zip(rows.row_ids, rows.tokens, strict=True):
            if not tokens:
                raise TrainingError(f"row {row_id} has no token for the base's tokenizer; use another base")
            if max(tokens) >= vectors:
                raise TrainingError(
                    f"row {row_id} has token id {max(tokens)}, the base has vectors for ids below {vectors}: the "
                    "tokenizer is not this model's; use the one that it was trained with"
                )


def check_cut(seen: Sequence[EncodedRows], evaluation: EncodedRows, config: FinetuningConfig, task: TaskType) -> None:
    """A row without its prompt teaches stumps, and a cut evaluation row measures another task.

    Raises TrainingError unless the config says `truncate`; a label is learned from a text's start as well.
    """
    if task.reads_ahead or config.truncate:
        return
    stumps = [row_id for part in (*seen, evaluation) for row_id, has_prompt in part.cut.items() if not has_prompt]
    for rows, what in (
        (stumps, "would lose the whole prompt"),
        (list(evaluation.cut), "of the evaluation would be cut"),
    ):
        if rows:
            raise TrainingError(
                f"finetuning.max_tokens: {config.max_tokens}: {len(rows)} rows {what}, {rows[0]} first; raise it, take "
                "these rows out, or set finetuning.truncate: true"
            )
