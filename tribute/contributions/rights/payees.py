"""What a bank needs to know about a payee: the normal form of name, IBAN and BIC, and what is wrong with them.

A payment file may hold the letters a-z, A-Z, the digits, blanks and / - ? : ( ) . , ' + alone (the character set of
SEPA's payments). A name keeps its spelling in the vault; `payment_name` is what the bank gets.
"""

import re
import unicodedata
from collections.abc import Mapping

from tribute.iban import iban_fault, normalise

LONGEST_NAME = 70
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")
_SEPA = re.compile(r"[A-Za-z0-9/?:().,'+ -]*")
_LATIN = {
    **{"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"},
    **{"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ħ": "h", "Ħ": "H", "ı": "i", "ŋ": "n"},
    **{"Ŋ": "N", "ŧ": "t", "Ŧ": "T", "ĸ": "k", "ſ": "s"},
}
_GREEK = {
    **dict(zip("αβγδεζηικλμνξοπρσςτυφω", "avgdeziiklmnxoprsstyfo", strict=True)),
    **{"θ": "th", "χ": "ch", "ψ": "ps"},
}
_BULGARIAN = {
    **dict(zip("абвгдезийклмнопрстуфхъь", "abvgdeziyklmnoprstufhay", strict=True)),
    **{"ж": "zh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sht", "ю": "yu", "я": "ya"},
}
_SIGNS = {
    **{"&": "+", "_": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", ";": ",", "\\": "/", "|": "/"},
    **dict.fromkeys('’‘‚`´"“”„«»‹›', "'"),
    **dict.fromkeys("[{<", "("),
    **dict.fromkeys("]}>", ")"),
    **dict.fromkeys("!#$%*=@^~·", "."),
}
_TABLE = _LATIN | _SIGNS | _GREEK | _BULGARIAN
_TABLE |= {letter.upper(): text.capitalize() for letter, text in (_GREEK | _BULGARIAN).items() if letter != "ς"}
"""Character → what stands for it; Greek and Bulgarian, the other scripts of the euro area, letter by letter."""


def payment_name(name: str) -> str:
    """A name in SEPA's characters: letters lose their marks, `Łukasz Müßig & Søn` → `Lukasz Mussig + Son`.

    A character for which nothing stands is kept; `payee_faults` names it.
    """
    return "".join(_letters(character) for character in unicodedata.normalize("NFC", name))


def _letters(character: str) -> str:
    if character in _TABLE:
        return _TABLE[character]
    plain = (part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    return "".join(_TABLE.get(part, part) for part in plain)


def normal_details(details: Mapping[str, str]) -> dict[str, str]:
    """A person's details as the vault stores them: single blanks in the name, IBAN and BIC as banks write them."""
    forms = {"name": _single_blanks, "iban": normalise, "bic": normalise}
    return {key: forms[key](value) if key in forms else value for key, value in details.items()}


def payee_faults(details: Mapping[str, str]) -> list[str]:
    """What is wrong with the name, IBAN and BIC that are given; an empty value is none. Repeats none of them."""
    checks = {"name": _name_fault, "iban": iban_fault, "bic": _bic_fault}
    return [fault for key, check in checks.items() if details.get(key) and (fault := check(details[key]))]


def missing_to_pay(person: Mapping[str, str]) -> list[str]:
    """Why a bank cannot pay this person; empty where it can."""
    return [f"no {key}" for key in ("name", "iban") if not person.get(key)] + payee_faults(person)


def _single_blanks(text: str) -> str:
    return " ".join(text.split())


def _name_fault(name: str) -> str:
    if invisible := next((character for character in name if unicodedata.category(character)[0] == "C"), ""):
        what = unicodedata.name(invisible, "a control character")
        return f"the name holds U+{ord(invisible):04X} ({what}), which nobody sees; type it again"
    if not name.strip():
        return "the name is blank"
    written = payment_name(_single_blanks(name))
    if strange := next((character for character in written if not _SEPA.fullmatch(character)), ""):
        return (
            f"the name holds {strange!r}, which no payment file may; "
            "give it in Latin letters, as the bank has it for the account"
        )
    if not any(character.isalnum() for character in written):
        return "the name has no letter"
    if len(written) > LONGEST_NAME:
        return f"the name has {len(written)} characters, a payment file takes {LONGEST_NAME}; shorten it"
    return ""


def _bic_fault(bic: str) -> str:
    if _BIC.fullmatch(normalise(bic)):
        return ""
    return "a BIC has 8 or 11 letters and digits, such as ABNANL2A"
