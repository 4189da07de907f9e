"""One text of a contributed row: not blank, not too long, nothing in it that cannot be seen."""

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from tribute.contributions.normal_form import normalise
from tribute.contributions.schema import DatasetSchema
from tribute.errors import ContributionError

HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters but tab and line ends
    "\u202a-\u202e\u2066-\u2069"  # these reverse the direction of text: what is shown is not what is stored
    "\U000e0000-\U000e007f\ufff9-\ufffb]"  # these hide a text inside the text
)
FLAGS = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f")
"""The flag of a region, such as Scotland's: a black flag and the region's code in tag characters."""


class RowError(ContributionError):
    """Raised when a row is not what the schema asks for; says what and what to do, not where."""


def checked_text(column: str, value: Any, schema: DatasetSchema) -> str:
    """The text that `column` holds. Raises RowError."""
    if value is not None and not isinstance(value, str):
        raise RowError(f"column {column!r} holds {type(value).__name__}, expected a string")
    if value is None or not value.strip() or not (value.isascii() or normalise(value)):
        raise RowError(f"column {column!r} is blank; fill it or remove the row")
    if len(value) > schema.max_characters:
        raise RowError(
            f"row too long: column {column!r} has {len(value)} characters, "
            f"dataset {schema.name} allows {schema.max_characters}; shorten it"
        )
    if column == schema.columns[0] and len(value) < schema.min_characters:
        raise RowError(
            f"row too short: column {column!r} has {len(value)} characters, "
            f"dataset {schema.name} asks for {schema.min_characters}; lengthen it or remove the row"
        )
    # JSON can spell half of a surrogate pair, which no UTF-8 file can hold.
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise RowError(f"column {column!r} has half a surrogate pair; write the character whole")
    if match := HIDDEN.search(FLAGS.sub("", value)):
        name = unicodedata.name(match[0], "a control character")
        raise RowError(f"column {column!r} has the invisible character U+{ord(match[0]):04X} ({name}); remove it")
    return value


def nearest(text: str, names: Iterable[str]) -> str | None:
    """The name that somebody who wrote `text` most likely meant: the same but for case and blanks, or a slip away."""
    plain = {name.strip().casefold(): name for name in names}
    close = get_close_matches(text.strip().casefold(), plain, n=1, cutoff=0.75)
    return plain[close[0]] if close else None
