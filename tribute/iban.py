"""International bank account numbers (ISO 13616), as people write them and as banks take them."""

import re
import unicodedata

IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Z0-9])")
"""What may be an IBAN in running text."""
LENGTHS = {
    **{"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29},
    **{"BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29},
    **{"ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28},
    **{"HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20},
    **{"LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19},
    **{"MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29},
    **{"PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24},
    **{"SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20},
    **{"YE": 30},
}
"""Country → characters of its IBANs, by the IBAN registry."""
_COMPACT = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]+")


def normalise(text: str) -> str:
    """The form that banks take: capitals, without blanks, hyphens and invisible characters of any kind.

    Whether it is an IBAN is not said.
    """
    return "".join(
        character
        for character in unicodedata.normalize("NFKC", text).replace("\u2212", "-").upper()
        if not character.isspace() and unicodedata.category(character) not in ("Cf", "Pd")
    )


def iban_fault(text: str) -> str:
    """What is wrong with an IBAN, however it is typed; empty where nothing is. Repeats no character of the account."""
    compact = normalise(text)
    length = LENGTHS.get(compact[:2])
    if length is None:
        return "an IBAN begins with a country's two letters, such as DE"
    if len(compact) != length:
        return f"the IBAN has {len(compact)} characters, an IBAN of {compact[:2]} has {length}"
    if not _COMPACT.fullmatch(compact):
        return "an IBAN has two letters, two digits, and then letters and digits alone"
    # 98 less the rest gives 02 to 98: 00, 01 and 99 are given to nobody, though they leave the same rest.
    number = int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4]))
    if number % 97 != 1 or compact[2:4] in ("00", "01", "99"):
        return "the IBAN's check digits are wrong, so a character is mistyped"
    return ""


def is_iban(text: str) -> bool:
    """Whether a text, normalised, has the country's length and check digits (1 modulo 97, letters as numbers)."""
    return not iban_fault(text)
