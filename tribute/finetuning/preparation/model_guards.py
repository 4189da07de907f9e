"""What must hold of a loaded base before it is trained: MODEL_GUARDS try it on short rows."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from tribute.errors import TrainingError
from tribute.finetuning.encoding.encoding import Batch, EncodedRows
from tribute.finetuning.encoding.packing import pack
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.preparation.base_guards import too_few_positions
from tribute.finetuning.preparation.task_types import TaskType

TRIED = 8
"""Tokens of the rows on which a model is tried."""
PACKED = 0.02
"""Losses of packed rows may differ by this, in nats or relative: a base in bfloat16 rounds."""
CLOSEST = 1e-6
"""Labels' embeddings, of length 1, that are no further apart than rounding moves them."""


@dataclass(frozen=True)
class Loaded:
    """A loaded base, two short rows to try it on, and what it is to learn."""

    model: RowModel
    batch: Batch
    task: TaskType
    max_tokens: int


def check_model(model: RowModel, rows: EncodedRows, task: TaskType, max_tokens: int) -> None:
    """Every guard that needs the loaded model; `rows` are its own, before any layer is cached. Raises TrainingError."""
    whole = rows.collate(range(min(2, len(rows))))
    batch = model.placed({name: value[:, :TRIED] if value.dim() > 1 else value for name, value in whole.items()})
    for guard in MODEL_GUARDS:
        guard(Loaded(model, batch, task, max_tokens))


def check_packing(model: RowModel, rows: EncodedRows, task: TaskType) -> None:
    """Rows of a pack must have the losses that they have alone. Raises TrainingError where they have not."""
    if task.reads_ahead:
        raise TrainingError("finetuning.packing is for causal-lm: a label is of a whole text; set it to false")
    tried = list(range(min(3, len(rows))))
    with torch.no_grad():
        packed, padded = (model.row_losses(batch) for batch in (pack(rows, tried, 0), rows.collate(tried)))
    if not torch.allclose(packed, padded, rtol=PACKED, atol=PACKED):
        raise TrainingError("finetuning.packing: the base lets packed rows see each other; set it to false")


def shifted_positions_suffice(loaded: Loaded) -> None:
    """RoBERTa and its kind count positions from behind the padding token on."""
    for name, module in loaded.model.network.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            positions = module.num_embeddings - module.padding_idx - 1
            if loaded.max_tokens > positions:
                raise too_few_positions(loaded.max_tokens, positions)


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


MODEL_GUARDS: tuple[Callable[[Loaded], None], ...] = (
    shifted_positions_suffice,
    nothing_is_random,
    later_tokens_are_not_seen,
    label_embeddings_differ,
)
