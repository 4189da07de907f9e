"""A promise of rows that shows none of them: the root of a salted hash tree over a file's rows, and its opening.

    root = Merkle root over leaf(HMAC-SHA256(salt, number), row), one leaf per row in the order of the file

Rows are the bytes that the registry would record. The salt is 32 random bytes, so nobody finds rows by guessing. The
opening belongs to the contributor alone until the rows are revealed; then the log gets the salt. Whose rows of which
dataset they are, and how many, is in no leaf: the log's entry of the commitment says so, a reveal is compared with
it, and roots of any age stay valid. Knows nothing of the registry.
"""

import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tribute.contributions.intake.ingest import ingest
from tribute.contributions.schema import DatasetSchema, Format
from tribute.errors import ContributionError
from tribute.files import json_bytes
from tribute.merkle import Tree, leaf
from tribute.strict import parse_json


@dataclass(frozen=True)
class Opening:
    """What opens a commitment: whose rows of which dataset it holds, their number, and the salt, 64 hex digits."""

    contributor_id: str
    dataset: str
    rows: int
    root: str
    salt: str


def make_opening(
    contributor_id: str,
    file: Path,
    schema: DatasetSchema,
    columns: Mapping[str, str] | None = None,
    *,
    skip_faulty: bool = False,
    format_: Format | None = None,
) -> Opening:
    """A commitment to a file's rows, read like `ingest` does, with a salt of its own. Raises ContributionError."""
    salt = secrets.token_bytes(32)
    with TemporaryDirectory() as folder:
        read = ingest(file, schema, Path(folder), columns, skip_faulty=skip_faulty, format_=format_)
        root = root_of(salt, read.data)
    return Opening(contributor_id, schema.name, read.rows, root, salt.hex())


def write_opening(opening: Opening, file: Path) -> None:
    """Write it for its owner alone to read (mode 0600).

    Raises ContributionError where the file exists: a lost salt cannot be made again.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ContributionError(f"{file} exists already and may open another commitment; move it first") from error
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(json_bytes(asdict(opening), indent=1))
        opened.flush()
        os.fsync(descriptor)


def read_opening(file: Path) -> Opening:
    """Raises ContributionError where the file is no opening."""
    try:
        opening = Opening(**parse_json(file.read_text(encoding="utf-8")))
        bytes.fromhex(opening.root), bytes.fromhex(opening.salt)
    except (OSError, ValueError, TypeError) as error:
        raise ContributionError(f"{file}: not an opening as `tribute commit` writes it ({error})") from error
    return opening


def check_opening(opening: Opening, data: Path, file: Path) -> None:
    """Raise ContributionError unless the commitment is to exactly these rows."""
    if root_of(bytes.fromhex(opening.salt), data) != opening.root:
        raise ContributionError(
            f"{file}: the commitment is to other rows; reveal the file as it was committed, every row in its place"
        )


def root_of(salt: bytes, data: Path) -> str:
    """The root over the rows of a recorded file, 64 hex digits."""
    with data.open("rb") as lines:
        rows = (line.removesuffix(b"\n") for line in lines)
        leaves = [leaf(hmac.digest(salt, str(number).encode(), "sha256"), row) for number, row in enumerate(rows)]
    return Tree(leaves).root.hex()
