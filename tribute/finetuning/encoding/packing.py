"""The batches of a training step: rows padded to one length, or packed end to end without a token of padding.

In a pack every row has positions of its own, from 0 on, by which transformers keeps attention within rows. Each row's
loss is the one it has when padded, but for rounding, so attribution takes rows padded whatever the training did.
"""

from collections.abc import Iterator, Sequence

import torch

from tribute.finetuning.encoding.encoding import IGNORED, Batch, EncodedRows
from tribute.finetuning.encoding.token_keys import token_keys


def batches(rows: EncodedRows, indices: Sequence[int], step: int, *, are_packed: bool) -> Iterator[Batch]:
    """Some of the rows for a step of a training, within the budget of tokens at once."""
    if are_packed:
        yield from (pack(rows, part, step) for part in _packs(rows, indices))
    else:
        yield from (rows.collate(part, step) for part in rows.chunks(indices))


def pack(rows: EncodedRows, indices: Sequence[int], step: int) -> Batch:
    """Rows of responses as one sequence: `input_ids` or `inputs_embeds`, `labels`, `row` and more, [1, tokens]."""
    tokens = [list(rows.tokens[index]) for index in indices]
    lengths = [len(ids) for ids in tokens]
    # A row's first token would be predicted from the row before.
    labels = [[IGNORED, *rows.targets[index][1:]] for index in indices]
    if rows.hidden is None:
        inputs = {"input_ids": torch.tensor([[token for ids in tokens for token in ids]])}
    else:
        inputs = {"inputs_embeds": torch.cat([rows.hidden[index] for index in indices])[None]}
    if rows.drops:
        keys = token_keys(tokens, step, max(lengths))
        kept = [own[:length] for own, length in zip(keys, lengths, strict=True)]
        inputs["dropout_keys"] = torch.cat(kept)[None]
    return inputs | {
        "labels": torch.tensor([[label for row in labels for label in row]]),
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        "row": torch.repeat_interleave(torch.arange(len(indices)), torch.tensor(lengths))[None],
    }


def _packs(rows: EncodedRows, indices: Sequence[int]) -> Iterator[list[int]]:
    """Fill each pack with rows as they come."""
    lengths, part = rows.lengths(), list[int]()
    for index in indices:
        if part and lengths[[*part, index]].sum() > rows.budget:
            yield part
            part = []
        part.append(index)
    if part:
        yield part
