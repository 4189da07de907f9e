"""Inclusion proofs of a sealed month: this receipt, or addendum, is under the month's root."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tribute.merkle import Tree
from tribute.services.seal.seal import RECEIPTS, SEAL
from tribute.strict import parse_json


class Proofs:
    """The proofs of a sealed month's folder; called with a record's id."""

    def __init__(self, folder: Path) -> None:
        table = pq.read_table(folder / RECEIPTS, columns=["id", "leaf"])
        self.places = {name: place for place, name in enumerate(table["id"].to_pylist())}
        self.tree = Tree(table["leaf"].to_pylist())
        self.month = parse_json((folder / SEAL).read_bytes())["month"]

    def __call__(self, record: str) -> dict[str, Any] | None:
        """`month, index, size, path, root` (hashes in hex); None where the month has no such record."""
        place = self.places.get(record)
        if place is None:
            return None
        return {
            "month": self.month,
            "index": place,
            "size": len(self.places),
            "path": [sibling.hex() for sibling in self.tree.proof(place)],
            "root": self.tree.root.hex(),
        }
