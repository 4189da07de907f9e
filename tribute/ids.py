"""The ids that Tribute writes, and how each is put together and taken apart."""

import hashlib
import re

from tribute.errors import RegistryError

TAG = re.compile(r"([a-z0-9][a-z0-9_-]{0,39})@(v\d+\.\d+\.\d+)")


def split_tag(tag: str) -> tuple[str, str]:
    """`docs@v1.0.0` → (`docs`, `v1.0.0`). Raises RegistryError."""
    match = TAG.fullmatch(tag)
    if match is None:
        raise RegistryError(f"{tag!r} is no dataset version; expected NAME@vX.Y.Z, such as docs@v1.0.0")
    return match[1], match[2]


def statement_id(period: str, contributor_id: str) -> str:
    """The name of a contributor's statement for a period."""
    return f"{period}-{contributor_id}"


def end_to_end_id(payment_id: str) -> str:
    """What a payment is called at the bank: `<period without hyphen>-<24 hex digits>`, 31 characters."""
    return f"{payment_id[:4]}{payment_id[5:7]}-{hashlib.sha256(payment_id.encode()).hexdigest()[:24]}"
