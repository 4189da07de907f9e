"""Property: what is inserted unseen, or looks the same, never makes a row new."""

import json
import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from tests.contributions.conftest import CASES
from tribute.contributions.normal_form import normalise
from tribute.contributions.rows import Row, contributed, text_sha256
from tribute.contributions.schema import load_schema
from tribute.contributions.screening import BASIC, Screening, excluded, find

IGNORABLE = [chr(code) for code in range(0x110000) if regex.match(r"\p{Default_Ignorable_Code_Point}", chr(code))]
NOTES = load_schema(CASES / "00-common" / "schema.yaml")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def rows_of(name: str, contributor: str):
    """The rows of a case's file, of a contributor."""
    lines = (CASES / "12-invisible-copy" / name).read_text(encoding="utf-8").splitlines()
    values = [json.loads(line) for line in lines]
    rows = [Row(line, row["text"], row["label"], row["label"]) for line, row in enumerate(values, 1)]
    return contributed(f"{contributor}-00000000", contributor, rows)


@given(texts, st.lists(st.tuples(st.integers(0, 30), st.sampled_from(IGNORABLE)), max_size=10))
def test_an_ignorable_anywhere_makes_no_row_new(text: str, insertions: list[tuple[int, str]]):
    """Every default-ignorable code point, at every place, in every script."""
    changed = text
    for place, character in insertions:
        changed = changed[:place] + character + changed[place:]

    assert text_sha256(changed) == text_sha256(text)


@pytest.mark.parametrize("character", IGNORABLE[::97])
@pytest.mark.parametrize("text", ["draw the line", "می\u200cخواهم", "ភាសាខ្មែរ", "e\u0301tude", "각", "한\u1100"])
def test_scripts(character: str, text: str):
    """Between all characters of Latin, Persian, Khmer, combining marks and Hangul."""
    assert normalise(character.join(text)) == normalise(text)


@given(texts)
def test_a_normal_form_is_stable(text: str):
    """Folding what is folded already changes nothing more than once."""
    once = normalise(text)

    assert normalise(once) == normalise(normalise(once))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("draw the line", "dr\u0430w the l\u0456ne"),
        ("HELLO world", "\u041dELLO w\u043erld"),
        ("modem", "rnodern"),
        ("value 10", "value lO"),
        ("plot a map", "\uff50\uff4c\uff4f\uff54 \U0001d41a \u2133ap".lower()),
        ("two words", "two\u2800words"),
        ("two words", "two\u00a0words"),
        ("Straße", "STRASSE"),
    ],
)
def test_look_alikes(text: str, other: str):
    """Cyrillic in Latin words, letters in pairs, digits for letters, mathematical letters and odd blanks."""
    assert text_sha256(text) == text_sha256(other)


@pytest.mark.parametrize(("text", "other"), [("a cat", "a cut"), ("nine", "vine"), ("Ελένη", "Μαρία"), ("вот", "нет")])
def test_other_words_stay_other_words(text: str, other: str):
    """Folding does not make one word of two."""
    assert text_sha256(text) != text_sha256(other)


@pytest.mark.parametrize("text", ["Ελληνικά ΝΥ", "Привет НАТО", "Հայերեն", "Draw Ä"])
def test_case_within_a_script(text: str):
    """Upper and lower case of one script are the same text."""
    assert text_sha256(text.upper()) == text_sha256(text.lower())


@pytest.mark.parametrize("name", ["copy-cgj.jsonl", "copy-soft-hyphen.jsonl"])
def test_invisible_copies_are_duplicates(name: str):
    """The case: each row of the copy repeats a row of the original; the copied evaluation row is out as well."""
    original, copy = rows_of("original.jsonl", "ada"), rows_of(name, "mallory")
    leak = rows_of("leak-cgj.jsonl", "eve")
    evaluation = rows_of("evaluation.jsonl", "")

    rows = [*original, *copy, *leak]
    found = excluded(rows, find(Screening(rows, evaluation, NOTES, BASIC)), {})

    assert [finding.reason for finding in found] == ["duplicate"] * len(copy) + ["near_evaluation"]


def test_flags_that_differ_in_tags_alone_wait():
    """England's and Scotland's flags have one normal form: the later row waits for a person, it is not lost."""
    flags = [
        "\U0001f3f4" + "".join(chr(0xE0000 + ord(sign)) for sign in code) + "\U000e007f" for code in ("gbeng", "gbsct")
    ]
    rows = [
        row
        for name, flag in zip(("ada", "bob"), flags, strict=True)
        for row in contributed(f"{name}-00000000", name, [Row(1, f"draw {flag}", "plotting", "plotting")])
    ]
    (finding,) = excluded(rows, find(Screening(rows, [], NOTES, BASIC)), {})

    assert (finding.reason, finding.action) == ("near_duplicate", "hold")


def test_form_one_is_kept():
    """Versions released before compare in the form that they were released in."""
    assert normalise("Ｐlot\u00ad m1 ß", 1) == unicodedata.normalize("NFKC", "Ｐlot\u00ad m1 ß").casefold()
