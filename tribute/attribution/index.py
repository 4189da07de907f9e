"""A million rows' influence on one answer in a second: eight bits a coordinate, in shards that are only added to.

`shards/<number>.safetensors` holds `coordinates` int8 [rows, WIDTH] and `scales` float32 [rows], the strongest
coordinates of each row's gradient (see Curvature.coordinates), largest ÷ 127; with its scale a row takes 4,036 bytes.
`sum` shows damage at every query.
`sums.safetensors` holds what was summed over all rows of the finished shards. A killed collection finds both again
and goes on behind the last shard that is in the sums.
"""

import json
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tribute.attribution.checked import load_checked, save_checked
from tribute.errors import IntegrityError

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
    progress: Callable[[int, int], None] = lambda done, total: None,
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
            path = folder / SHARDS / f"{start // rows_per_shard:06d}.safetensors"
            total = torch.tensor(word_sum(quantised.numpy(), scales.numpy()))
            save_checked(path, dict(zip(TENSORS, (quantised, scales, total), strict=True)))
            save_checked(folder / SUMS, {"sums": sums, "rows": torch.tensor(wanted.stop)})
        progress(wanted.stop, rows)
    return sums


def quantise(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """int8 [n, width] and float32 scales [n]; their product is the vectors again, within half a level."""
    scales = vectors.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / LEVELS
    return (vectors / scales[:, None]).round().to(torch.int8), scales


class Index:
    """The shards of one adapter, in the order of the rows."""

    def __init__(self, folder: Path) -> None:
        """Raises IntegrityError where there are no shards."""
        self.folder = folder
        self.paths = sorted((folder / SHARDS).glob("*.safetensors"))
        if not self.paths:
            raise IntegrityError(f"{folder / SHARDS}: there are no shards; {self._remedy()}")

    def scores(self, query: Tensor) -> np.ndarray:
        """Each row's product with `query` float32 [width], float32 [rows].

        A shard is mapped only while it is read, so memory does not grow with the rows. Raises IntegrityError naming
        the shard whose bytes are not those that were written.
        """
        asked, scale = quantise(query[None])
        return np.concatenate([self._products(path, asked.T.contiguous()) for path in self.paths]) * float(scale)

    def _products(self, path: Path, query: Tensor) -> np.ndarray:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # goes with the last array that views it
        mapped.madvise(mmap.MADV_WILLNEED)
        try:
            start = 8 + int.from_bytes(mapped[:8], "little")
            about = json.loads(mapped[8:start])
            coordinates, scales, total = (_mapped(mapped, start, about[name]) for name in TENSORS)
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{path}: is no shard ({error}); {self._remedy()}") from error
        if int(total) != word_sum(coordinates, scales):
            raise IntegrityError(f"{path}: its bytes are not those that were written; {self._remedy()}")
        return np.asarray(torch._int_mm(torch.from_numpy(coordinates), query)[:, 0].numpy() * scales)

    def _remedy(self) -> str:
        return f"delete {self.folder} and run `tribute explain` again"


def word_sum(*arrays: np.ndarray) -> int:
    """The arrays' bytes as 64-bit words, summed: damage shows, at a tenth of the time that reading takes."""
    total = 0
    for array in arrays:
        flat = array.reshape(-1).view(np.uint8)
        words = len(flat) // 8 * 8
        total += int(flat[:words].view(np.uint64).sum(dtype=np.uint64)) + int(flat[words:].sum(dtype=np.int64))
    return total % 2**63


def _mapped(mapped: mmap.mmap, start: int, about: Mapping[str, Any]) -> np.ndarray:
    """A tensor of a safetensors file without a copy."""
    kind, count = {"I8": np.int8, "F32": np.float32, "I64": np.int64}[about["dtype"]], prod(about["shape"])
    offset = start + about["data_offsets"][0]
    return np.frombuffer(mapped, dtype=kind, count=count, offset=offset).reshape(about["shape"])
