"""Rows as the model sees them: token ids, padded batches, and the cached output of frozen lower layers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tribute.contributions.conversations import read_transcript
from tribute.errors import TrainingError
from tribute.finetuning.encoding.chat import Chat, chat_template
from tribute.finetuning.encoding.token_keys import token_keys

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
    cut: Mapping[str, bool] = field(default_factory=dict)
    """Row that was too long → whether anything of its input is left."""
    budget: int = TOKENS_PER_CHUNK
    """Padded tokens of a chunk."""
    drops: bool = False
    """Whether a training on them drops features, so that its batches need `dropout_keys`."""

    def __len__(self) -> int:
        return len(self.tokens)

    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 [rows]."""
        return np.array([len(tokens) for tokens in self.tokens], dtype=np.int64)

    def chunks(self, indices: Sequence[int], budget: int | None = None) -> Iterator[Sequence[int]]:
        """Split `indices` into chunks of similar length within the budget of padded tokens, longest first."""
        lengths, budget = self.lengths(), budget or self.budget
        ordered = sorted(indices, key=lambda index: (-lengths[index], index))
        while ordered:
            size = max(1, budget // int(lengths[ordered[0]]))
            yield ordered[:size]
            ordered = ordered[size:]

    def collate(self, indices: Sequence[int], step: int | None = None) -> Batch:
        """Pad the rows to the longest: `attention_mask`, `labels` and `input_ids` or `inputs_embeds`.

        For a `step` of a training that `drops` also `dropout_keys`, which say what its dropout keeps.
        """
        width = max(len(self.tokens[index]) for index in indices)
        mask = torch.zeros(len(indices), width, dtype=torch.long)
        for position, index in enumerate(indices):
            mask[position, : len(self.tokens[index])] = 1
        batch = {"attention_mask": mask, "labels": self._labels(indices, width)}
        if self.drops and step is not None:
            batch["dropout_keys"] = token_keys([self.tokens[index] for index in indices], step, width)
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
    whole = tokenizer(list(frame["text"]))["input_ids"]
    cut = {row_id: True for row_id, ids in zip(frame["row_id"], whole, strict=True) if len(ids) > max_tokens}
    tokens = tokenizer(list(frame["text"]), truncation=True, max_length=max_tokens)["input_ids"]
    position = {label: index for index, label in enumerate(labels)}
    targets = [position[label] for label in frame["target"]]
    rows = EncodedRows(list(frame["row_id"]), list(frame["slice"]), tokens, targets, tokenizer.pad_token_id)
    return replace(rows, cut=cut)


@dataclass(frozen=True)
class RowFormat:
    """How rows of causal-lm become tokens."""

    max_tokens: int
    is_conversation: bool = False
    """Rows are transcripts (see contributions/conversations.py), otherwise a prompt and a response."""
    template: str = ""
    """`finetuning.template`."""


def encode_causal(frame: pd.DataFrame, tokenizer: Any, format_: RowFormat) -> EncodedRows:
    """Rows for causal-lm: by the chat template where there is one, else prompt, new line, response and end.

    Only what the assistant says is labelled. A row too long loses the start of its prompt, then the end of its
    response; the tokenizer's beginning of text stays. Raises TrainingError naming the row that cannot be written.
    """
    template = chat_template(tokenizer, format_.template, format_.is_conversation)
    chat = Chat(tokenizer, template) if template else None
    begin = beginning(tokenizer) if chat is None else [tokenizer.bos_token_id]
    tokens, targets, cut = [], [], {}
    for row_id, text, target in zip(frame["row_id"], frame["text"], frame["target"], strict=True):
        try:
            row = _pair(text, target, tokenizer) if chat is None else _turns(text, target, chat, format_)
        except TrainingError as error:
            raise TrainingError(f"row {row_id}: {error}") from error
        kept = len(begin) if row.ids[: len(begin)] == begin else 0
        ids, labels, has_prompt = _fitted(row, kept, format_.max_tokens)
        tokens.append(ids)
        targets.append(labels)
        if len(row.ids) > len(ids):
            cut[row_id] = has_prompt
    rows = EncodedRows(list(frame["row_id"]), list(frame["slice"]), tokens, targets, tokenizer.pad_token_id)
    return replace(rows, cut=cut)


@dataclass(frozen=True)
class _Written:
    """A row's tokens, which of them are learned, and how many right before these are the format's, not the prompt's."""

    ids: list[int]
    learned: list[bool]
    lead: int


def _pair(prompt: str, response: str, tokenizer: Any) -> _Written:
    question = beginning(tokenizer) + tokenizer(prompt + "\n", add_special_tokens=False)["input_ids"]
    answer = tokenizer(response, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return _Written(question + answer, [False] * len(question) + [True] * len(answer), 1)


def _turns(text: str, target: str, chat: Chat, format_: RowFormat) -> _Written:
    if format_.is_conversation:
        messages, tools = read_transcript(text, target)
    else:
        messages, tools = [{"role": "user", "content": text}, {"role": "assistant", "content": target}], []
    ids, learned = chat.encode(messages, tools)
    return _Written(ids, learned, chat.lead(messages, tools) if len(ids) > format_.max_tokens else 0)


def _fitted(row: _Written, begin: int, most: int) -> tuple[list[int], list[int], bool]:
    """At most `most` tokens and their labels, and whether anything of the prompt is among them."""
    first = row.learned.index(True)
    answer = row.ids[first:][: most - 1 - begin] if len(row.ids) > most else row.ids[first:]
    marks = row.learned[first : first + len(answer)]
    head = row.ids[begin:first][-(most - len(answer) - begin) :]
    labels = [token if is_learned else IGNORED for token, is_learned in zip(answer, marks, strict=True)]
    return row.ids[:begin] + head + answer, [IGNORED] * (begin + len(head)) + labels, len(head) > row.lead


def encode_prompt(prompt: str, tokenizer: Any, format_: RowFormat) -> list[int]:
    """The ids after which a model that learned such rows answers. Raises TrainingError where the template fails."""
    template = chat_template(tokenizer, format_.template, format_.is_conversation)
    if template is None:
        return beginning(tokenizer) + list(tokenizer(prompt + "\n", add_special_tokens=False)["input_ids"])
    return Chat(tokenizer, template).prompt([{"role": "user", "content": prompt}])


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
