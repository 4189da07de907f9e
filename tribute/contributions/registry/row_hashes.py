"""The hashes of every recorded row, kept beside the registry so that a receipt need not read all rows again.

A cache: what is missing is made anew. Knows nothing of screening's reasons.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.rows import ContributedRow, Row
from tribute.contributions.schema import DatasetSchema
from tribute.files import replacing

DIGEST = np.dtype("V32")


def keep(registry: Registry, one: Contribution, rows: Iterable[ContributedRow]) -> None:
    """Remember the hashes of a contribution whose rows are at hand."""
    path = _path(registry, one)
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as beside:
        np.save(beside, _table(rows))


def earlier(
    registry: Registry, now: Snapshot, before: Contribution, rows: list[ContributedRow]
) -> list[ContributedRow]:
    """The rows of earlier contributions that have a text in common with `rows`, in the ledger's order.

    They come without their text: only ids and hashes are known.
    """
    wanted = _table(rows)[:, 0]
    schema, found = now.schema(before.dataset), []
    for one in now.contributions(before.dataset):
        if one.seq < before.seq:
            table = _hashes(registry, one, schema)
            for place in np.flatnonzero(np.isin(_comparable(table[:, 0]), _comparable(wanted))):
                text, content = (bytes(table[place, column]).hex() for column in (0, 1))
                found.append(ContributedRow(one.id, one.contributor_id, Row(int(place) + 1, "", "", ""), text, content))
    return found


def _hashes(registry: Registry, one: Contribution, schema: DatasetSchema) -> NDArray[Any]:
    path = _path(registry, one)
    if not path.exists():
        keep(registry, one, registry.rows_of(one, schema))
    table: NDArray[Any] = np.load(path)
    return table


def _path(registry: Registry, one: Contribution) -> Path:
    return registry.repository.root / ".git" / "tribute-hashes" / f"{one.sha256}.npy"


def _table(rows: Iterable[ContributedRow]) -> NDArray[Any]:
    """(rows, 2): text and content sha256, 32 bytes each."""
    content = b"".join(bytes.fromhex(row.text_sha256 + row.content_sha256) for row in rows)
    return np.frombuffer(content, dtype=DIGEST).reshape(-1, 2)


def _comparable(digests: NDArray[Any]) -> NDArray[Any]:
    """The first 8 bytes as numbers; who shares these is compared in full by the checks."""
    plain = np.ascontiguousarray(digests).view(np.uint8).reshape(-1, 32)[:, :8]
    return np.ascontiguousarray(plain).view(np.uint64).ravel()
