"""The tokenizer that --tokenizer names, read and checked before anything is recorded."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import Tokenizer


def named_tokenizer(registry: "Registry", dataset: str, folder: Path | None) -> "Tokenizer | None":
    """The tokenizer in a base model's folder; None where none is given.

    Raises BaseModelError where it cannot be read, RegistryError where the dataset's schema names another or none.
    """
    if folder is None:
        return None
    from tribute.contributions.releases import named_ids, read_tokenizer

    tokenizer = read_tokenizer(folder)
    named_ids(registry.snapshot().schema(dataset), tokenizer)
    return tokenizer
