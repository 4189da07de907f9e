"""A promise of rows that shows none of them: the root of a salted hash tree over a file's rows, and its opening.

    root = Merkle root over leaf(HMAC-SHA256(salt, number), row), one leaf per row in the order of the file

Rows are the bytes that the registry would record. The salt is 32 random bytes, so nobody finds rows by guessing. The
opening belongs to the contributor alone until the rows are revealed. Knows nothing of the registry.
"""

import hmac
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tribute.contributions.intake.ingest import ingest
from tribute.contributions.schema import DatasetSchema
from tribute.errors import ContributionError
from tribute.files import write_json
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


def make_opening(contributor_id: str, file: Path, schema: DatasetSchema) -> Opening:
    """A commitment to a file's rows, with a salt of its own. Raises ContributionError with all faulty rows."""
    salt = secrets.token_bytes(32)
    with TemporaryDirectory() as folder:
        rows = ingest(file, schema, Path(folder)).data.read_bytes().splitlines()
    return Opening(contributor_id, schema.name, len(rows), _root(salt, rows), salt.hex())


def write_opening(opening: Opening, file: Path) -> None:
    """Raises ContributionError where the file exists: a lost salt cannot be made again."""
    if file.exists():
        raise ContributionError(f"{file} exists already and may open another commitment; move it first")
    write_json(file, asdict(opening), indent=1)


def read_opening(file: Path) -> Opening:
    """Raises ContributionError where the file is no opening."""
    try:
        opening = Opening(**parse_json(file.read_text(encoding="utf-8")))
        bytes.fromhex(opening.root + opening.salt)
    except (OSError, ValueError, TypeError) as error:
        raise ContributionError(f"{file}: not an opening as `tribute commit` writes it ({error})") from error
    return opening


def check_opening(opening: Opening, contributor_id: str, dataset: str, data: Path, file: Path) -> None:
    """Raise ContributionError unless the commitment is to exactly these rows of this contributor and dataset."""
    if (opening.contributor_id, opening.dataset) != (contributor_id, dataset):
        raise ContributionError(
            f"{file}: the commitment is {opening.contributor_id}'s to {opening.dataset}, "
            f"expected {contributor_id}'s to {dataset}"
        )
    if _root(bytes.fromhex(opening.salt), data.read_bytes().splitlines()) != opening.root:
        raise ContributionError(
            f"{file}: the commitment is to other rows; reveal the file as it was committed, every row in its place"
        )


def _root(salt: bytes, rows: list[bytes]) -> str:
    salts = (hmac.digest(salt, str(number).encode(), "sha256") for number in range(len(rows)))
    return Tree([leaf(own, row) for own, row in zip(salts, rows, strict=True)]).root.hex()
