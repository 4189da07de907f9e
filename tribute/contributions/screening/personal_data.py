"""Rows with personal data: which kind, and where, but never the data itself.

Addresses reserved for documentation (example.org) belong to nobody.
"""

import re
from collections.abc import Iterator
from itertools import chain

from tribute.contributions.screening.findings import Check, Finding, Reason, Rows, Screening
from tribute.iban import IBAN, is_iban

PERSONAL_DATA = Reason(
    "personal_data",
    "hold",
    "holds personal data",
    "Contribute the row again without it, or with made-up data in its place.",
)
EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}(?![\w-])", re.IGNORECASE)
NOBODYS = re.compile(r"@(?:.+\.)?(?:example\.\w+|(?:\w[\w-]*\.)?(?:example|test|invalid|localhost))$", re.IGNORECASE)
DIGITS = re.compile(r"(?:\d[ .()/-]{0,2}){7,}")
CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")
CARDS = re.compile(r"4|5[1-5]|2[2-7]|3[47]|3[068]|6(?:011|5)|35")
"""How card numbers of the large schemes begin."""


def personal_data(text: str) -> Iterator[str]:
    """`e-mail address at character 12` and the like for every match; the first character of a text is 1."""
    if "@" in text:
        places = (match.start() + 1 for match in EMAIL.finditer(text) if not NOBODYS.search(match[0]))
        yield from (f"e-mail address at character {place}" for place in places)
    if not DIGITS.search(text):
        return
    taken = []
    for match in chain(IBAN.finditer(text), CARD.finditer(text)):
        kind = "IBAN" if match[0][0].isalpha() else "payment card number"
        if is_iban(match[0]) if kind == "IBAN" else is_card(match[0]):
            taken.append(match.span())
            yield f"{kind} at character {match.start() + 1}"
    for start, end in _phone_numbers(text):
        if all(end <= low or start >= high for low, high in taken):
            yield f"phone number at character {start + 1}"


def is_card(text: str) -> bool:
    """ISO/IEC 7812: a known scheme's beginning and a Luhn check digit."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return bool(CARDS.match(re.sub(r"\D", "", text))) and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _phone_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Numbers written with their country code: without it a date or an order number looks the same."""
    if "+" not in text:
        return
    from phonenumbers import PhoneNumberMatcher

    for match in PhoneNumberMatcher(text, None):
        yield match.start, match.end


def rows_with_personal_data(rows: Rows) -> Iterator[Finding]:
    """Rows with an e-mail address, phone number, IBAN or payment card number in text or response."""
    for row in rows:
        if places := [*personal_data(row.row.text), *personal_data(row.row.target)]:
            yield Finding(row, PERSONAL_DATA, None, 1.0, 1.0, "patterns_and_checksums", ", ".join(places))


def _find(screening: Screening) -> list[Finding]:
    return list(rows_with_personal_data(screening.rows)) if screening.policy.personal_data else []


CHECK = Check(PERSONAL_DATA, "row", _find)
