"""What a server asks of whatever runs the models. A model is named by its adapter's artifact id."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

Tokens = Sequence[int]


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn; a temperature of 0 takes the most probable token each time."""

    most: int
    """Tokens after which the answer ends."""
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: Sequence[str] = ()
    """Texts before which the answer ends."""


@dataclass(frozen=True)
class Piece:
    """A part of an answer as it grows."""

    text: str
    tokens: int
    """Tokens that were computed for it; of all pieces together, those of the answer."""
    finish: str | None = None
    """On the last piece: `stop`, or `length` where `Sampling.most` tokens did not end the answer."""
    ids: Tokens = ()
    """These tokens, where the engine knows them: without them the answer cannot be explained."""


class Engine(Protocol):
    """Runs models. All methods may be called from many threads."""

    def encode(self, model: str, text: str) -> Tokens:
        """A text's tokens as the model's rows were encoded, uncut."""
        ...

    def encode_chat(self, model: str, messages: Sequence[Mapping[str, Any]]) -> Tokens:
        """A conversation's tokens up to the answer. Raises ServiceError 400 where the model's format has no such."""
        ...

    def classify(self, model: str, rows: Sequence[Tokens]) -> list[list[float]]:
        """Probabilities of the labels [rows][labels]."""
        ...

    def embed(self, model: str, rows: Sequence[Tokens]) -> list[list[float]]:
        """Unit-length vectors [rows][width]."""
        ...

    def embed_base(self, model: str, texts: Sequence[str]) -> "np.ndarray":
        """Unit-length vectors of texts by the model's base alone, float32 [texts, width]; long texts are cut."""
        ...

    def score(self, model: str, prompt: Tokens, answer: Tokens) -> list[float]:
        """The log-probability in nats of each of the answer's tokens, given all before it."""
        ...

    def attests(self, model: str) -> bool:
        """Whether it is certain that the model answers, so that its contributors can be paid for an answer."""
        ...

    def generate(self, model: str, prompt: Tokens, sampling: Sampling) -> Iterator[Piece]:
        """An answer, piece by piece; the last piece says why it ended."""
        ...
