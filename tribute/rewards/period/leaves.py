"""The leaves of a period's Merkle tree: one statement's money each, with a salt. `leaves.csv`.

A leaf's content is the statement's figures: its lines of allocation.csv and balances.csv, as texts, in
RFC 8785 form. Everything else on a statement explains these figures; the root stands in the signed manifest.

    salt = HMAC-SHA256(sha256(evidence.parquet ‖ "salt"), statement id)

The salt is the same wherever the period is made. leaves.csv holds all salts, as it lies beside the figures; a proof
holds its own alone, so that whoever sees one statement cannot guess at the figures behind its neighbours' hashes.
"""

import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from tribute import merkle
from tribute.digests import canonical
from tribute.ids import statement_id
from tribute.rewards import tables
from tribute.rewards.tables import AllocationRow, Balance, LeafRow, texts

Figures = dict[str, Any]
"""`statement_id, contributor_id, allocation, balances`: what a leaf is the hash of."""


def figures(period: str, allocation: Iterable[AllocationRow], balances: Iterable[Balance]) -> dict[str, Figures]:
    """Contributor → the figures of the statement, in the order of the ids; the rows keep their files' order."""
    lines: dict[str, list[dict[str, str]]] = defaultdict(list)
    standing: dict[str, list[dict[str, str]]] = defaultdict(list)
    for line in allocation:
        lines[line.contributor_id].append(texts(line))
    for balance in balances:
        standing[balance.contributor_id].append(texts(balance))
    return {
        name: {
            "statement_id": statement_id(period, name),
            "contributor_id": name,
            "allocation": lines.get(name, []),
            "balances": standing.get(name, []),
        }
        for name in sorted(lines.keys() | standing.keys())
    }


def salt_key(evidence: Path) -> bytes:
    """What a period's salts are derived from."""
    with evidence.open("rb") as file:
        hasher = sha256()
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    hasher.update(b"salt")
    return hasher.digest()


def leaf_rows(statements: Iterable[Figures], key: bytes) -> list[LeafRow]:
    """The lines of leaves.csv."""
    rows = []
    for statement in statements:
        salt = hmac.digest(key, statement["statement_id"].encode(), "sha256").hex()
        leaf = leaf_of(statement, salt)
        rows.append(LeafRow(statement["contributor_id"], statement["statement_id"], salt, leaf))
    return rows


def leaf_of(figures: Figures, salt: str) -> str:
    """The leaf hash of a statement's figures, 64 hex digits."""
    return merkle.leaf(bytes.fromhex(salt), canonical(figures)).hex()


def tree(rows: Iterable[LeafRow]) -> merkle.Tree:
    """The tree over the lines of leaves.csv."""
    return merkle.Tree([bytes.fromhex(row.leaf_sha256) for row in rows])


class Proofs:
    """The proofs of a period's statements; called with a contributor's id."""

    def __init__(
        self, period: str, rows: Sequence[LeafRow], allocation: Iterable[AllocationRow], balances: Iterable[Balance]
    ) -> None:
        """`rows` are the lines of leaves.csv."""
        self.rows = rows
        self.tree = tree(rows)
        self._places = {row.contributor_id: place for place, row in enumerate(rows)}
        self._figures = figures(period, allocation, balances)

    @classmethod
    def read(cls, folder: Path) -> "Proofs":
        """Those of a period's folder; its name is the period."""
        return cls(
            folder.name,
            tables.read(folder / "leaves.csv", tables.LEAVES),
            tables.read(folder / "allocation.csv", tables.ALLOCATION),
            tables.read(folder / "balances.csv", tables.BALANCES),
        )

    def __call__(self, contributor_id: str) -> dict[str, Any] | None:
        """`figures, salt, index, size, path, root` (hashes in hex), see `proves`; None for a stranger."""
        place = self._places.get(contributor_id)
        if place is None:
            return None
        return {
            "figures": self._figures[contributor_id],
            "salt": self.rows[place].salt,
            "index": place,
            "size": len(self.rows),
            "path": [sibling.hex() for sibling in self.tree.proof(place)],
            "root": self.tree.root.hex(),
        }


def proves(proof: Mapping[str, Any], root: str) -> bool:
    """Whether a proof leads from the figures in it to the period's root."""
    leaf_hash = bytes.fromhex(leaf_of(proof["figures"], proof["salt"]))
    path = [bytes.fromhex(text) for text in proof["path"]]
    return merkle.proves(leaf_hash, proof["index"], proof["size"], path, bytes.fromhex(root))
