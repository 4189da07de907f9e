"""Theorem: an account number is an IBAN by its country's length and its check digits, however it was typed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.ibans import make_iban
from tribute.iban import IBAN, LENGTHS, iban_fault, is_iban, normalise

ibans = st.sampled_from(sorted(LENGTHS)).flatmap(
    lambda country: st.text(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=LENGTHS[country] - 4, max_size=LENGTHS[country] - 4
    ).map(lambda account: make_iban(country, account))
)
separators = st.sampled_from(["", " ", "\u00a0", "\u202f", "\u2009", "\t", "-", "\u2011", "\u200b", "\ufeff", "\u2212"])


@given(ibans, st.lists(separators, min_size=34, max_size=34), st.booleans())
def test_blanks_hyphens_and_case_do_not_matter(iban: str, between: list[str], lower: bool):
    """However people write it, it is the same number."""
    typed = "".join(character + gap for character, gap in zip(iban.lower() if lower else iban, between, strict=False))

    assert normalise(typed) == iban
    assert is_iban(typed)


@given(ibans, st.data())
def test_a_wrong_character_is_noticed(iban: str, data: st.DataObject):
    """No digit can be exchanged for another."""
    place = data.draw(st.sampled_from([place for place in range(2, len(iban)) if iban[place].isdigit()]))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != iban[place]]))

    assert not is_iban(iban[:place] + other + iban[place + 1 :])


@given(ibans)
def test_running_text_finds_it(iban: str):
    """The pattern for running text takes every country's IBAN, in groups of four."""
    grouped = " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))
    match = IBAN.search(f"Konto: {grouped}, danke")

    assert match is not None
    assert is_iban(match[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "DE",
        "DE89",
        "XX89370400440532013000",
        "DE8937040044053201300",
        "DE893704004405320130001",
        "DE8937040044053201300ä",
    ],
)
def test_what_is_no_iban(text: str):
    """Unknown countries, other lengths and other characters are refused without an error."""
    assert not is_iban(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "begins with a country's two letters"),
        ("ZZ89370400440532013000", "begins with a country's two letters"),
        ("US89370400440532013000", "begins with a country's two letters"),
        ("89370400440532013000DE", "begins with a country's two letters"),
        (make_iban("DE", "37040044053201300"), "has 21 characters, an IBAN of DE has 22"),
        (make_iban("DE", "3704004405320130000"), "has 23 characters, an IBAN of DE has 22"),
        ("GB82WEST12345698765433", "check digits are wrong"),
        ("GB28WEST12345698765432", "check digits are wrong"),
        ("DE8937040044053201300\u0660", "letters and digits alone"),
        ("DEA9370400440532013000", "letters and digits alone"),
        ("DE89370400440532013.00", "letters and digits alone"),
    ],
)
def test_what_is_wrong_is_said_and_no_digit_of_it(text, fault):
    """Length by country comes first: the check digits of a cut number may be right."""
    said = iban_fault(text)

    assert fault in said
    assert not is_iban(text)
    assert not re.search(r"\d{4}", said)


@pytest.mark.parametrize("digits", ["00", "01", "99"])
def test_check_digits_that_no_country_gives(digits):
    """98 less a rest of 97 is 02 to 98: the others leave the right rest and are never given out."""
    twins = {"00": 97, "01": 98, "99": 2}
    account = next(
        f"{number:018d}" for number in range(2000) if make_iban("DE", f"{number:018d}")[2:4] == f"{twins[digits]:02d}"
    )

    assert "check digits are wrong" in iban_fault(f"DE{digits}{account}")
