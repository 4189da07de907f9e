"""A million rows' influence on one answer in a second: eight bits a coordinate, in shards that are only added to.

`shards/<number>.safetensors` holds `coordinates` int8 [rows, WIDTH] and `scales` float32 [rows], the strongest
coordinates of each row's gradient (see Curvature.coordinates), largest ÷ 127; with its scale a row takes 4,036 bytes.
`sum` shows damage at every query, and whether rows and shards lie where they were written.
`sums.safetensors` holds what was summed over all rows of the finished shards. A killed collection finds both again
and goes on behind the last shard that is in the sums.
"""

import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tribute.attribution.gradients.tensors import load_checked, save_checked
from tribute.errors import IntegrityError
from tribute.progress import Progress, ignore
from tribute.strict import parse_json

WIDTH = 4032
"""Coordinates a row: fewer rank rows worse, see docs/attribution.md."""
ROWS_PER_SHARD = 4096
LEVELS = 127
SHARDS, SUMS = "shards", "sums.safetensors"
TENSORS = ("coordinates", "scales", "sum")

Measure = Callable[[Sequence[int]], Iterator[tuple[Sequence[int], Tensor, Tensor]]]
"""Chunk by chunk: some of the rows asked for, their coordinates [chunk, width], and what to add to the sums."""


def collect(
    folder: Path,
    rows: int,
    sums: Tensor,
    measure: Measure,
    rows_per_shard: int,
    progress: Progress = ignore,
) -> Tensor:
    """Write the shards of rows 0 to `rows` below `folder` and return `sums` (zeros to start from) over all of them.

    May be called again after it was cut off, with the same arguments: the bytes are those of one undisturbed call.
    """
    (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    for torn in folder.rglob(".*"):  # a killed process was writing these
        torn.unlink()
    finished = 0
    if (folder / SUMS).exists():
        kept = load_checked(folder / SUMS)
        sums, finished = kept["sums"], int(kept["rows"])
    for start in range(finished, rows, rows_per_shard):
        wanted = range(start, min(start + rows_per_shard, rows))
        shard = None
        for chunk, coordinates, added in measure(wanted):
            if shard is None:
                shard = torch.zeros(len(wanted), coordinates.shape[1])
            shard[[row - start for row in chunk]] = coordinates.cpu()
            sums = sums + added.cpu()
            progress(start + len(chunk), rows)
        if shard is not None:
            quantised, scales = quantise(shard)
            path = shard_path(folder, start // rows_per_shard)
            total = torch.tensor(word_sum(quantised.numpy(), scales.numpy(), start))
            save_checked(path, dict(zip(TENSORS, (quantised, scales, total), strict=True)))
            save_checked(folder / SUMS, {"sums": sums, "rows": torch.tensor(wanted.stop)})
        progress(wanted.stop, rows)
    return sums


def quantise(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """int8 [n, width] and float32 scales [n]; their product is the vectors again, within half a level."""
    scales = vectors.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / LEVELS
    return (vectors / scales[:, None]).round().to(torch.int8), scales


class Index:
    """The shards of one adapter, in the order of its `rows`."""

    def __init__(self, folder: Path, rows: int, rows_per_shard: int) -> None:
        """Raises IntegrityError naming the first shard that is missing or too many."""
        self.folder, self.rows = folder, rows
        self.starts = range(0, rows, rows_per_shard)
        wanted = {shard_path(folder, number) for number in range(len(self.starts))}
        found = set((folder / SHARDS).glob("*.safetensors"))
        if wanted != found:
            first = min(wanted ^ found)
            raise IntegrityError(
                f"{first}: {'missing' if first in wanted else 'one too many'}; {rows:,} rows are "
                f"{len(wanted)} shards, found are {len(found)}; {self._remedy()}"
            )

    def scores(self, query: Tensor) -> np.ndarray:
        """Each row's product with `query` float32 [width], float32 [rows].

        A shard is mapped only while it is read, so memory does not grow with the rows. Raises IntegrityError naming
        the shard whose bytes are not those that were written.
        """
        asked, scale = quantise(query[None])
        products = [self._products(number, asked.T.contiguous()) for number in range(len(self.starts))]
        return np.concatenate(products) * float(scale)

    def _products(self, number: int, query: Tensor) -> np.ndarray:
        path, start = shard_path(self.folder, number), self.starts[number]
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # goes with the last array that views it
        mapped.madvise(mmap.MADV_WILLNEED)
        try:
            behind = 8 + int.from_bytes(mapped[:8], "little")
            about = parse_json(mapped[8:behind])
            coordinates, scales, total = (_mapped(mapped, behind, about[name]) for name in TENSORS)
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{path}: is no shard ({error}); {self._remedy()}") from error
        expected = min(self.starts.step, self.rows - start)
        if not len(coordinates) == len(scales) == expected:
            raise IntegrityError(f"{path}: holds {len(coordinates)} rows, expected {expected}; {self._remedy()}")
        if int(total) != word_sum(coordinates, scales, start):
            raise IntegrityError(f"{path}: its bytes are not those that were written there; {self._remedy()}")
        return np.asarray(torch._int_mm(torch.from_numpy(coordinates), query)[:, 0].numpy() * scales)

    def _remedy(self) -> str:
        return f"delete {self.folder} and run `tribute explain` again"


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / SHARDS / f"{number:06d}.safetensors"


def word_sum(coordinates: np.ndarray, scales: np.ndarray, start: int) -> int:
    """The bytes of rows `start`, `start` + 1, … as 64-bit words: a checksum that costs no more than reading them.

    A row's words are summed, and its sum is multiplied by an odd number of the row's own. So a changed word always
    shows (no odd number makes it 0 modulo 2⁶⁴), and so do rows in another order and shards under another name.
    """
    words = coordinates.shape[1] // 8 * 8
    sums = coordinates[:, :words].view(np.uint64).sum(1, dtype=np.uint64)
    sums += coordinates[:, words:].view(np.uint8).sum(1, dtype=np.uint64) + scales.view(np.uint32)
    odd = 2 * np.arange(start, start + len(sums), dtype=np.uint64) + 1
    return int((sums * odd).sum().view(np.int64))


def _mapped(mapped: mmap.mmap, start: int, about: Mapping[str, Any]) -> np.ndarray:
    """A tensor of a safetensors file without a copy."""
    kind, count = {"I8": np.int8, "F32": np.float32, "I64": np.int64}[about["dtype"]], prod(about["shape"])
    offset = start + about["data_offsets"][0]
    return np.frombuffer(mapped, dtype=kind, count=count, offset=offset).reshape(about["shape"])
