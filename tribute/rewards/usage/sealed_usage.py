"""A sealed month of usage, `usage/<month>/`, as rewards reads it; the live store is never read.

Reads only the documented files (docs/reference/services.md), so no other column has to be imported.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tribute.digests import file_sha256
from tribute.errors import IntegrityError, RewardError
from tribute.strict import parse_json

SEAL, USAGE, CREDITS = "seal.json", "usage.parquet", "credits.parquet"
COPY = "usage.json"
"""What a period's folder calls its copy of the seal."""
BATCH = 65_536


@dataclass(frozen=True)
class SealedUsage:
    """The files of a month, as far as they are about one dataset's models."""

    folder: Path
    dataset: str

    @cached_property
    def seal(self) -> Mapping[str, Any]:
        """`seal.json`."""
        return read_seal(self.folder / SEAL)

    @property
    def period(self) -> str:
        """The month."""
        return str(self.seal["month"])

    @property
    def record(self) -> dict[str, str]:
        """What a period's manifest says of it: dataset, Merkle root of the receipts, sha256 of the seal."""
        root = str(self.seal["root"])
        return {"dataset": self.dataset, "receipts_root": root, "seal_sha256": file_sha256(self.folder / SEAL)}

    def check(self, period: str) -> None:
        """Raise RewardError for another month, IntegrityError where a file is not as it was sealed."""
        if self.period != period:
            raise RewardError(f"{self.folder}: is the usage of {self.period}, {period} is to be paid")
        for name in (USAGE, CREDITS):
            if file_sha256(self.folder / name) != self.seal["files"].get(name):
                raise IntegrityError(f"{self.folder / name}: not the file that was sealed; restore it")

    def funds(self) -> dict[str, dict[str, int]]:
        """Currency → payer → minor units; payers who fund nothing are left out."""
        return funds_of(self.seal, self.dataset)

    def events(self, currency: str) -> Iterator[list[dict[str, Any]]]:
        """The events that fund pools, in batches."""
        for batch in _batches(self.folder / USAGE):
            yield [row for row in batch if self._funds(row) and row["currency"] == currency]

    def credits(self) -> Iterator[list[dict[str, Any]]]:
        """`receipt, contributor, signed, absolute` of all answers, in batches."""
        return _batches(self.folder / CREDITS)

    def _funds(self, row: Mapping[str, Any]) -> bool:
        return not row["test"] and not row["affiliated"] and row["model"].partition("@")[0] == self.dataset


def read_seal(path: Path) -> dict[str, Any]:
    """A month's seal, or a period's copy of it. Raises RewardError where there is none."""
    try:
        seal: dict[str, Any] = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RewardError(f"{path}: cannot be read ({error}); seal the month with `tribute usage seal`") from error
    return seal


def funds_of(seal: Mapping[str, Any], dataset: str) -> dict[str, dict[str, int]]:
    """Currency → payer → minor units that fund a dataset's period, by a seal."""
    funds: dict[str, dict[str, int]] = {}
    for line in seal["funds"]:
        if line["dataset"] == dataset and line["minor"]:
            funds.setdefault(str(line["currency"]), {})[str(line["payer"])] = int(line["minor"])
    return funds


def _batches(path: Path) -> Iterator[list[dict[str, Any]]]:
    for batch in pq.ParquetFile(path).iter_batches(BATCH):
        yield batch.to_pylist()
