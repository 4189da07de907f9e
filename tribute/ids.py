"""The ids that Tribute writes: one grammar, and how each id is put together and taken apart.

| id           | form                                             | such as                        |
|--------------|--------------------------------------------------|--------------------------------|
| contributor  | 1 to 40 of a-z, 0-9, hyphen, underscore          | `scipy`                        |
| tag          | `<dataset>@<version>`                            | `docs@v1.0.0`                  |
| contribution | `<contributor, cut>-<8 hex digits>`              | `scipy-0a1b2c3d`               |
| row          | `<contribution>:<line>`, lines counted from 1    | `scipy-0a1b2c3d:17`            |
| run          | `<name>-<12 hex digits>`                         | `docs-0a1b2c3d4e5f`            |
| statement    | `<period>-<contributor>`                         | `2026-11-scipy`                |
| payout       | `<period>/<contributor>`                         | `2026-11/scipy`                |
| payment      | `<period>-<contributor>-<currency>`              | `2026-11-scipy-EUR`            |
| end to end   | `<period without hyphen>-<24 hex digits>`        | `202611-0a1b…`, 31 characters  |
| dispute      | `<period>-<contributor>-<number>`                | `2026-11-scipy-1`              |
| payee        | `payee:<contributor>`                            | `payee:scipy`                  |
"""

import hashlib
import re
from collections.abc import Iterable

from tribute.errors import RegistryError, RewardError
from tribute.months import PERIOD

ID = r"[a-z0-9][a-z0-9_-]{0,39}"
"""What names a contributor, a dataset, a run or a signer; it also names files and folders."""
ID_IN_WORDS = "1 to 40 lower-case letters, digits, hyphens and underscores, the first a letter or digit"
VERSION = r"v[0-9]+\.[0-9]+\.[0-9]+"
PAYEE = "payee:"
CONTRIBUTOR_PART = 31
"""A contribution's id has at most 40 characters: this many of the contributor's, a hyphen and 8 hex digits."""

_ID = re.compile(ID)
_TAG = re.compile(rf"({ID})@({VERSION})")
_ROW = re.compile(rf"({ID}):([0-9]+)")
_PAYOUT = re.compile(rf"({PERIOD})/({ID})")
_STATEMENT = re.compile(rf"({PERIOD})[-/]({ID})")
_DISPUTE = re.compile(rf"{PERIOD}-{ID}-[0-9]{{1,3}}")


def is_id(text: str) -> bool:
    """Whether the text may name a contributor, a dataset or a run."""
    return _ID.fullmatch(text) is not None


def tag(dataset: str, version: str) -> str:
    """(`docs`, `v1.0.0`) → `docs@v1.0.0`."""
    return f"{dataset}@{version}"


def is_tag(text: str) -> bool:
    """Whether the text has the form of a tag; the version itself may not exist."""
    return _TAG.fullmatch(text) is not None


def parse_tag(text: str) -> tuple[str, str]:
    """`docs@v1.0.0` → (`docs`, `v1.0.0`). Raises RegistryError."""
    match = _TAG.fullmatch(text)
    if match is None:
        raise RegistryError(f"{text!r} is no dataset version; expected NAME@vX.Y.Z, such as docs@v1.0.0")
    return match[1], match[2]


def contribution_id(contributor_id: str, dataset: str, content: Iterable[bytes]) -> str:
    """The same rows from the same contributor for the same dataset have the same id, whenever they come."""
    # Ids hold no line break, so no two triples run together into the same bytes.
    digest = hashlib.sha256(f"{dataset}\n{contributor_id}\n".encode())
    for part in content:
        digest.update(part)
    return f"{contributor_id[:CONTRIBUTOR_PART]}-{digest.hexdigest()[:8]}"


def row_id(contribution: str, line: int) -> str:
    """(`scipy-0a1b2c3d`, 17) → `scipy-0a1b2c3d:17`."""
    return f"{contribution}:{line}"


def is_row_id(text: str) -> bool:
    """Whether the text has the form of a row's id; the row itself may not exist."""
    return _ROW.fullmatch(text) is not None


def parse_row_id(text: str) -> tuple[str, int]:
    """`scipy-0a1b2c3d:17` → (`scipy-0a1b2c3d`, 17). Raises RegistryError."""
    match = _ROW.fullmatch(text)
    if match is None:
        raise RegistryError(f"{text!r} is no row; expected CONTRIBUTION:LINE, such as scipy-0a1b2c3d:17")
    return match[1], int(match[2])


def contribution_of(row: str) -> str:
    """The contribution of a row's id that is known to be one."""
    return row.rpartition(":")[0]


def run_name(run_id: str) -> str:
    """A run's name: its id without the fingerprint of its config."""
    return run_id.rpartition("-")[0]


def statement_id(period: str, contributor_id: str) -> str:
    """The name of a contributor's statement for a period."""
    return f"{period}-{contributor_id}"


def parse_statement_id(text: str) -> tuple[str, str]:
    """`2026-11-scipy`, or its payout `2026-11/scipy`, → (`2026-11`, `scipy`). Raises RewardError."""
    match = _STATEMENT.fullmatch(text)
    if match is None:
        raise RewardError(f"{text!r}: expected a statement's number, such as 2026-11-ada, or 2026-11/ada")
    return match[1], match[2]


def parse_payout(text: str) -> tuple[str, str] | None:
    """`2026-11/scipy` → (`2026-11`, `scipy`); None where the text has another form."""
    match = _PAYOUT.fullmatch(text)
    return None if match is None else (match[1], match[2])


def payment_id(period: str, contributor_id: str, currency: str) -> str:
    """What pays a contributor the payable balance of one currency after a period."""
    return f"{period}-{contributor_id}-{currency}"


def end_to_end_id(payment: str) -> str:
    """What a payment is called at the bank: a digest, because a payment's id may be longer than the 35 allowed."""
    return f"{payment[:4]}{payment[5:7]}-{hashlib.sha256(payment.encode()).hexdigest()[:24]}"


def dispute_id(period: str, contributor_id: str, number: int) -> str:
    """The name of the `number`th dispute, counted from 1, about a contributor's statement."""
    return f"{period}-{contributor_id}-{number}"


def is_dispute_id(text: str) -> bool:
    """Whether the text has the form of a dispute's id."""
    return _DISPUTE.fullmatch(text) is not None


def payee_ref(contributor_id: str) -> str:
    """What stands for a payee outside the vault, which alone knows the bank account behind it."""
    return PAYEE + contributor_id


def parse_payee_ref(text: str) -> str:
    """`payee:scipy` → `scipy`. Raises RewardError."""
    if not text.startswith(PAYEE):
        raise RewardError(f"{text!r} is no payee; expected {PAYEE}CONTRIBUTOR")
    return text.removeprefix(PAYEE)
