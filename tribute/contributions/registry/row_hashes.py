"""The hashes of every recorded row, kept beside the registry so that a receipt need not read all rows again.

A cache: what is missing is computed again. Knows nothing of screening's reasons.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tribute.contributions.normal_form import NORMAL_FORM
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.rows import ContributedRow, Row
from tribute.contributions.schema import DatasetSchema
from tribute.files import replacing

DIGEST = np.dtype("V32")
FOLDER = Path(".git") / "tribute-hashes"


def keep_hashes(registry: Registry, contribution: Contribution, rows: Iterable[ContributedRow]) -> None:
    """Remember the hashes of a contribution whose rows are at hand."""
    path = _path(registry, contribution)
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as beside:
        np.save(beside, _table(rows))


def earlier_rows(
    registry: Registry, now: Snapshot, contribution: Contribution, rows: list[ContributedRow]
) -> list[ContributedRow]:
    """The rows of earlier contributions that have a text in common with `rows`, in the order of the log.

    They come without their text: only ids and hashes are known.
    """
    wanted = _first_bytes(_table(rows)[:, 0])
    schema, earlier = now.schema(contribution.dataset), []
    for other in now.contributions(contribution.dataset):
        if other.seq < contribution.seq:
            table = _hashes(registry, other, schema)
            for position in np.flatnonzero(np.isin(_first_bytes(table[:, 0]), wanted)).tolist():
                text, content = (bytes(table[position, column]).hex() for column in (0, 1))
                row = Row(position + 1, "", "", "")
                earlier.append(ContributedRow(other.id, other.contributor_id, row, text, content))
    return earlier


def forget_hashes(registry: Registry, live: set[str]) -> None:
    """Remove the hashes of all contributions but those with these sha256 sums, and those of older normal forms."""
    names = {_path_name(sha256) for sha256 in live}
    for path in (registry.repository.root / FOLDER).glob("*.npy"):
        if path.name not in names:
            path.unlink()


def _hashes(registry: Registry, contribution: Contribution, schema: DatasetSchema) -> NDArray[Any]:
    path = _path(registry, contribution)
    if not path.exists():
        keep_hashes(registry, contribution, registry.rows_of(contribution, schema))
    table: NDArray[Any] = np.load(path)
    return table


def _path(registry: Registry, contribution: Contribution) -> Path:
    return registry.repository.root / FOLDER / _path_name(contribution.sha256)


def _path_name(sha256: str) -> str:
    return f"{sha256}-{NORMAL_FORM}.npy"


def _table(rows: Iterable[ContributedRow]) -> NDArray[Any]:
    """(rows, 2): text and content sha256, 32 bytes each."""
    content = b"".join(bytes.fromhex(row.text_sha256 + row.content_sha256) for row in rows)
    return np.frombuffer(content, dtype=DIGEST).reshape(-1, 2)


def _first_bytes(digests: NDArray[Any]) -> NDArray[Any]:
    """The first 8 bytes as numbers; digests that share these are compared in full by the checks."""
    plain = np.ascontiguousarray(digests).view(np.uint8).reshape(-1, 32)[:, :8]
    return np.ascontiguousarray(plain).view(np.uint64).ravel()
