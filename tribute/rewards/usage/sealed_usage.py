"""A sealed month of usage, `usage/<month>/`, as rewards reads it; the live store is never read.

Reads only the documented files (docs/reference/services.md), so no other column has to be imported.
"""

from collections.abc import Iterable, Iterator, Mapping
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
    """The files of a month, as far as they are about one dataset's models, and of earlier months that are paid with it.

    `deferred` are months before it, whose use of the dataset no period has paid yet.
    """

    folder: Path
    dataset: str
    deferred: tuple[str, ...] = ()

    @classmethod
    def recorded(cls, folder: Path, record: Mapping[str, Any]) -> "SealedUsage":
        """What a period's manifest says of it as `record`, with its month's folder; nothing is read."""
        return cls(folder, str(record["dataset"]), tuple(record.get("deferred", ())))

    @cached_property
    def seal(self) -> Mapping[str, Any]:
        """`seal.json`."""
        return read_seal(self.folder / SEAL)

    @property
    def period(self) -> str:
        """The month."""
        return str(self.seal["month"])

    @property
    def folders(self) -> list[Path]:
        """The sealed months, earliest first."""
        return [*(self.folder.parent / month for month in self.deferred), self.folder]

    @property
    def is_there(self) -> bool:
        """Whether the files of all its months are."""
        return all(folder.is_dir() for folder in self.folders)

    @property
    def record(self) -> dict[str, Any]:
        """What a period's manifest says of it: dataset, Merkle root of the receipts, sha256 of the seal.

        With the sha256 of every earlier month's seal, where such are paid with it.
        """
        *earlier, own = [file_sha256(folder / SEAL) for folder in self.folders]
        record = {"dataset": self.dataset, "receipts_root": str(self.seal["root"]), "seal_sha256": own}
        return record | ({"deferred": dict(zip(self.deferred, earlier, strict=True))} if earlier else {})

    def check(self, period: str) -> None:
        """Raise RewardError for another month, IntegrityError where a file is not as it was sealed."""
        if self.period != period:
            raise RewardError(f"{self.folder}: is the usage of {self.period}, {period} is to be paid")
        for folder in self.folders:
            files = read_seal(folder / SEAL)["files"]
            for name in (USAGE, CREDITS):
                if file_sha256(folder / name) != files.get(name):
                    raise IntegrityError(f"{folder / name}: not the file that was sealed; restore it")

    def funds(self) -> dict[str, dict[str, int]]:
        """Currency → payer → minor units of the month alone; payers who fund nothing are left out."""
        return funds_of(self.seal, self.dataset)

    def events(self, currency: str) -> Iterator[list[dict[str, Any]]]:
        """The events that fund pools, in batches."""
        for batch in _batches(self.folders, USAGE):
            yield [row for row in batch if self._funds(row) and row["currency"] == currency]

    def credits(self) -> Iterator[list[dict[str, Any]]]:
        """`receipt, contributor, signed, absolute` of all answers, in batches."""
        return _batches(self.folders, CREDITS)

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


def _batches(folders: Iterable[Path], name: str) -> Iterator[list[dict[str, Any]]]:
    for folder in folders:
        for batch in pq.ParquetFile(folder / name).iter_batches(BATCH):
            yield batch.to_pylist()
