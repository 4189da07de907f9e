"""Theorem: an account number is an IBAN by its country's length and its check digits, however it was typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.iban import IBAN, LENGTHS, is_iban, normalise


def with_check_digits(country: str, account: str) -> str:
    """The IBAN of an account, by the rule of ISO 13616."""
    number = int("".join(str(int(character, 36)) for character in f"{account}{country}00"))
    return f"{country}{98 - number % 97:02d}{account}"


ibans = st.sampled_from(sorted(LENGTHS)).flatmap(
    lambda country: st.text(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=LENGTHS[country] - 4, max_size=LENGTHS[country] - 4
    ).map(lambda account: with_check_digits(country, account))
)
separators = st.sampled_from(["", " ", "\u00a0", "\u202f", "\u2009", "\t", "-", "\u2011", "\u200b"])


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
