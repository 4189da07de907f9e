"""The form in which texts are compared: what reads the same, and looks the same, is the same.

Only comparisons fold; the text is stored as it was written. A form has a number, which the registry's log records
with each release: hashes made in one form are never compared with hashes made in another.
"""

import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import regex

NORMAL_FORM = 2
"""The form of hashes made now. Form 1 (before 0.2.0): NFKC, case folded, white space collapsed."""
TABLE = Path(__file__).parents[1] / "assets" / "confusables.txt"
IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}+")
BLANK = "\u2800"
"""The empty Braille pattern: it is shown as a blank and is no white space to Unicode."""
MIXED = regex.compile(r"(?=\S*[A-Za-z])\S*[^\x00-\x7f]\S*")
"""A word with an ASCII letter and a character beyond ASCII: one alphabet may be hidden in the other."""

_WORD = regex.compile(r"\w+")


def normalise(text: str, form: int = NORMAL_FORM) -> str:
    """A text in a normal form, white space collapsed to single blanks and stripped at both ends.

    Form 2 drops every default-ignorable code point of Unicode, folds compatibility characters (NFKC) and case, and
    replaces look-alikes by their prototype (UTS #39, section 4).
    """
    if form == 1:
        return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if text.isascii():
        return " ".join(text.casefold().translate(_prototypes()).split())
    visible = unicodedata.normalize("NFKC", without_ignorables(text).replace(BLANK, " "))
    folded = MIXED.sub(lambda word: word[0].translate(_capitals()), visible).casefold()
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", folded)).translate(_prototypes())
    return " ".join(without_ignorables(plain).split())


def words(text: str) -> list[str]:
    """The words of a text's normal form in their order, without punctuation."""
    return list(_WORD.findall(normalise(text)))


def without_ignorables(text: str) -> str:
    """The text without code points that are not meant to be seen: joiners, variation selectors, fillers, tags."""
    return text if text.isascii() else str(IGNORABLE.sub("", text))


@cache
def _prototypes() -> Mapping[int, str]:
    """Code point → what it looks like, for texts that are case folded and decomposed already."""
    return {source: target for source, target, is_capital in _table() if not is_capital}


@cache
def _capitals() -> Mapping[int, str]:
    """Code point of a capital letter → the ASCII letter or digit that it looks like, in a word with ASCII letters.

    Its small letter goes the same way unless that looks like an ASCII letter of its own (Greek nu: N, but v).
    """
    capitals = {source: target for source, target, is_capital in _table() if is_capital}
    for source, target in list(capitals.items()):
        small = chr(source).casefold()
        if len(small) == 1 and not _prototypes().get(ord(small), small).isascii():
            capitals[ord(small)] = target.lower()
    return capitals


@cache
def _table() -> tuple[tuple[int, str, bool], ...]:
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    parts = [(line.startswith("!"), line.removeprefix("!").split()) for line in lines]
    return tuple((int(code, 16), "".join(chr(int(part, 16)) for part in rest), mark) for mark, (code, *rest) in parts)
