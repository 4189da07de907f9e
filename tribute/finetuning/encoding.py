"""Rows as the model sees them: token ids, padded batches, and the cached output of frozen lower layers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

IGNORED = -100
"""The label of tokens that do not count in a causal loss, as in transformers."""
TOKENS_PER_CHUNK = 512
"""Padded tokens computed at once: enough to fill a core, little enough that a short row never pads to a long one."""

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class EncodedRows:
    """Tokenised rows. `tokens[i]` are ids; `targets[i]` is a class index or, for causal-lm, token labels."""

    row_ids: Sequence[str]
    slices: Sequence[str]
    tokens: Sequence[Sequence[int]]
    targets: Sequence[Any]
    pad_id: int
    hidden: Sequence[Tensor] | None = None
    """Cached hidden states [tokens, width] after the frozen lower layers, or None."""

    def __len__(self) -> int:
        return len(self.tokens)

    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 [rows]."""
        return np.array([len(tokens) for tokens in self.tokens], dtype=np.int64)

    def chunks(self, indices: Sequence[int], budget: int = TOKENS_PER_CHUNK) -> Iterator[Sequence[int]]:
        """Split `indices` into chunks of similar length within the budget of padded tokens, longest first."""
        lengths = self.lengths()
        ordered = sorted(indices, key=lambda index: (-lengths[index], index))
        while ordered:
            size = max(1, budget // int(lengths[ordered[0]]))
            yield ordered[:size]
            ordered = ordered[size:]

    def collate(self, indices: Sequence[int]) -> Batch:
        """Pad the rows to the longest: `attention_mask`, `labels` and `input_ids` or `inputs_embeds`."""
        width = max(len(self.tokens[index]) for index in indices)
        mask = torch.zeros(len(indices), width, dtype=torch.long)
        for position, index in enumerate(indices):
            mask[position, : len(self.tokens[index])] = 1
        batch = {"attention_mask": mask, "labels": self._labels(indices, width)}
        if self.hidden is None:
            batch["input_ids"] = _pad([self.tokens[index] for index in indices], width, self.pad_id)
        else:
            batch["inputs_embeds"] = torch.nn.utils.rnn.pad_sequence(
                [self.hidden[index] for index in indices], batch_first=True
            )
        return batch

    def with_hidden(self, compute: Callable[[Batch], Tensor]) -> "EncodedRows":
        """Cache `compute(batch)` → [rows, tokens, width] for every row."""
        hidden: list[Tensor] = [torch.empty(0)] * len(self)
        for chunk in self.chunks(range(len(self))):
            with torch.no_grad():
                states = compute(self.collate(chunk))
            for position, index in enumerate(chunk):
                hidden[index] = states[position, : len(self.tokens[index])].clone()
        return replace(self, hidden=hidden)

    def take(self, indices: Sequence[int]) -> "EncodedRows":
        """The same kind of rows, only these."""
        return replace(
            self,
            row_ids=[self.row_ids[index] for index in indices],
            slices=[self.slices[index] for index in indices],
            tokens=[self.tokens[index] for index in indices],
            targets=[self.targets[index] for index in indices],
            hidden=None if self.hidden is None else [self.hidden[index] for index in indices],
        )

    def flat(self) -> Tensor:
        """All cached states in one float32 tensor [tokens of all rows, width]."""
        return torch.cat(list(self.hidden or []))

    def with_flat(self, flat: Tensor) -> "EncodedRows":
        """The inverse of `flat`."""
        return replace(self, hidden=list(torch.split(flat, self.lengths().tolist())))

    def _labels(self, indices: Sequence[int], width: int) -> Tensor:
        if isinstance(self.targets[indices[0]], int):
            return torch.tensor([self.targets[index] for index in indices])
        return _pad([self.targets[index] for index in indices], width, IGNORED)


def encode_classification(frame: pd.DataFrame, tokenizer: Any, labels: Sequence[str], max_tokens: int) -> EncodedRows:
    """Rows for sequence classification; the target is the label's position in `labels`."""
    tokens = tokenizer(list(frame["text"]), truncation=True, max_length=max_tokens)["input_ids"]
    position = {label: index for index, label in enumerate(labels)}
    targets = [position[label] for label in frame["target"]]
    return EncodedRows(list(frame["row_id"]), list(frame["slice"]), tokens, targets, tokenizer.pad_token_id)


def encode_causal(frame: pd.DataFrame, tokenizer: Any, max_tokens: int) -> EncodedRows:
    """Rows for causal-lm: the tokenizer's beginning of text where it has one, prompt, new line, response, end.

    Only the response's tokens are labelled. A row too long for `max_tokens` loses the start of its prompt, then the
    end of its response.
    """
    begin, tokens, targets = beginning(tokenizer), [], []
    for prompt, response in zip(frame["text"], frame["target"], strict=True):
        answer = tokenizer(response, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        answer = answer[: max_tokens - 1 - len(begin)]
        question = tokenizer(prompt + "\n", add_special_tokens=False)["input_ids"]
        question = begin + question[-(max_tokens - len(answer) - len(begin)) :]
        tokens.append(question + answer)
        targets.append([IGNORED] * len(question) + answer)
    return EncodedRows(list(frame["row_id"]), list(frame["slice"]), tokens, targets, tokenizer.pad_token_id)


def beginning(tokenizer: Any) -> list[int]:
    """The ids that a tokenizer sets before a text by itself, such as a beginning of text."""
    alone = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    places = [start for start in range(len(whole) - len(alone) + 1) if whole[start : start + len(alone)] == alone]
    return list(whole[: places[0]]) if places else []


def _pad(sequences: Sequence[Sequence[int]], width: int, value: int) -> Tensor:
    padded = torch.full((len(sequences), width), value, dtype=torch.long)
    for position, sequence in enumerate(sequences):
        padded[position, : len(sequence)] = torch.tensor(sequence)
    return padded
