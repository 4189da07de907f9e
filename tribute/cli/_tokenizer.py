"""A base model's tokenizer as the release uses it: to compare rows as the model reads them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tribute.contributions.releases import Tokenizer
from tribute.digests import file_sha256
from tribute.errors import BaseModelError

FILE = "tokenizer.json"


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a base model's folder. Raises BaseModelError where there is none that can be read."""
    from tokenizers import Tokenizer as FastTokenizer

    file = folder / FILE
    try:
        fast = FastTokenizer.from_file(str(file))
    except Exception as error:  # the library raises its own plain Exception
        raise BaseModelError(
            f"{file}: no tokenizer that can be read ({error}); give the base model's folder"
        ) from error
    fast.no_truncation()
    fast.no_padding()
    unknown = _unknown_id(fast)

    def encode(texts: Sequence[str]) -> list[list[int] | None]:
        encoded = fast.encode_batch(list(texts), add_special_tokens=False)
        return [None if unknown in encoding.ids else encoding.ids for encoding in encoded]

    return Tokenizer(file_sha256(file), encode)


def _unknown_id(fast: Any) -> int | None:
    """The id of what the tokenizer does not know; None for one that knows every byte."""
    token = getattr(fast.model, "unk_token", None)
    return fast.token_to_id(token) if token else getattr(fast.model, "unk_id", None)
