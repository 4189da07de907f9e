"""International bank account numbers (ISO 13616)."""

import re

IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Z0-9])")
IBAN_LENGTH = {
    **{"AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18},
    **{"FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20},
    **{"LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24},
    **{"TR": 26, "UA": 29, "AE": 23, "SA": 24, "IL": 23, "BR": 29},
}


def is_iban(text: str) -> bool:
    """ISO 13616: the country's length, and 1 modulo 97 with letters as numbers and the first four moved behind."""
    plain = text.replace(" ", "")
    moved = "".join(str(int(character, 36)) for character in plain[4:] + plain[:4])
    return len(plain) == IBAN_LENGTH.get(plain[:2]) and int(moved) % 97 == 1


_PLAIN_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}")


def good_iban(text: str) -> bool:
    """Whether the check digits of an IBAN are right (ISO 13616: the number read modulo 97 is 1)."""
    compact = text.replace(" ", "")
    return (
        bool(_PLAIN_IBAN.fullmatch(compact))
        and int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1
    )
