"""An answer token by token: how the next token is drawn, and how tokens become text that only ever grows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from tribute.services.engines.engine import Piece, Sampling, Tokens

UNFINISHED = "\ufffd"
"""What a tokenizer writes for the bytes of a character that is not complete yet."""

Step = Callable[[list[int], Any], tuple[Tensor, Any]]
"""(new tokens, cache so far) → (log-probabilities of the next token, float [vocabulary]; cache)."""


def generate(step: Step, tokenizer: Any, ends: set[int], prompt: Tokens, sampling: Sampling) -> Iterator[Piece]:
    """The pieces of an answer to `prompt`; `ends` are the tokens that end it, which count and are not shown."""
    chance = torch.Generator().manual_seed(sampling.seed) if sampling.seed is not None else None
    text, cache, fresh = _Text(tokenizer, sampling.stop), None, list(prompt)
    answer, unsaid = list[int](), list[int]()
    while len(answer) < sampling.most:
        logs, cache = step(fresh, cache)
        token = _drawn(logs, sampling, chance)
        answer.append(token)
        unsaid.append(token)
        fresh = [token]
        if token in ends:
            break
        shown = text.grow(answer)
        if text.stopped:
            yield Piece(shown, len(unsaid), "stop", unsaid)
            return
        if shown:
            yield Piece(shown, len(unsaid), None, unsaid)
            unsaid = []
    yield Piece(text.rest(), len(unsaid), "stop" if answer and answer[-1] in ends else "length", unsaid)


def _drawn(logs: Tensor, sampling: Sampling, chance: torch.Generator | None) -> int:
    if sampling.temperature == 0:
        return int(logs.argmax())
    # By their distance to the best, in float64: a temperature near 0 then leaves the best alone, and no NaN.
    chances = ((logs - logs.max()).double() / sampling.temperature).softmax(-1)
    ordered, places = chances.sort(descending=True)
    # The most probable token always stays, however small top_p is.
    ordered[(ordered.cumsum(-1) - ordered) > sampling.top_p] = 0
    return int(places[torch.multinomial(ordered, 1, generator=chance)])


class _Text:
    """The text of growing tokens, held back where it is half a character or may be the start of a stop text."""

    def __init__(self, tokenizer: Any, stop: Sequence[str]) -> None:
        self._tokenizer, self._stop = tokenizer, [text for text in stop if text]
        self._whole, self._shown = "", 0
        self.stopped = False

    def grow(self, tokens: Sequence[int]) -> str:
        """What can be shown of the answer now and was not before."""
        self._whole = self._tokenizer.decode(tokens, skip_special_tokens=True)
        places = [place for text in self._stop if (place := self._whole.find(text)) >= 0]
        if places:
            self.stopped, self._whole = True, self._whole[: min(places)]
            return self.rest()
        held = max((self._held(text) for text in self._stop), default=0)
        if self._whole.endswith(UNFINISHED):
            held = max(held, 1)
        return self._show(len(self._whole) - held)

    def rest(self) -> str:
        """What was held back until the end."""
        return self._show(len(self._whole))

    def _held(self, stop: str) -> int:
        """The length of the longest end of the text that begins a stop text."""
        return next((size for size in range(len(stop) - 1, 0, -1) if self._whole.endswith(stop[:size])), 0)

    def _show(self, end: int) -> str:
        part = self._whole[self._shown : max(end, self._shown)]
        self._shown = max(end, self._shown)
        return part
