"""A base model's tokenizer as screening uses it: to compare rows as the model reads them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.digests import file_sha256
from tribute.errors import BaseModelError

TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True)
class Tokenizer:
    """`encode` gives each text's token ids, untruncated, or None where a token is unknown to it.

    `sha256` is that of its `tokenizer.json`.
    """

    sha256: str
    encode: Callable[[Sequence[str]], Sequence[Sequence[int] | None]]


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a base model's folder. Raises BaseModelError where there is none that can be read."""
    from tokenizers import Tokenizer as FastTokenizer

    file = folder / TOKENIZER_FILE
    try:
        return untruncated(FastTokenizer.from_file(str(file)), file_sha256(file))
    except Exception as error:  # the library raises its own plain Exception
        raise BaseModelError(
            f"{file}: no tokenizer that can be read ({error}); give the base model's folder"
        ) from error


def untruncated(fast: Any, sha256: str = "") -> Tokenizer:
    """A tokenizer of the library `tokenizers`; without a file it is known by the sha256 of its JSON."""
    fast.no_truncation()
    fast.no_padding()
    # A special token that is written in a row is text, as in training.
    fast.encode_special_tokens = True
    unknown = _unknown_id(fast)

    def encode(texts: Sequence[str]) -> list[list[int] | None]:
        encoded = fast.encode_batch(list(texts), add_special_tokens=False)
        return [None if unknown in encoding.ids else encoding.ids for encoding in encoded]

    return Tokenizer(sha256 or hashlib.sha256(fast.to_str().encode()).hexdigest(), encode)


def _unknown_id(fast: Any) -> int | None:
    """The id of what the tokenizer does not know; None for one that knows every byte."""
    token = getattr(fast.model, "unk_token", None)
    return fast.token_to_id(token) if token else getattr(fast.model, "unk_id", None)
