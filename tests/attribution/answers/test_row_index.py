"""Theorem: however often collecting is killed, the index is that of one undisturbed run, at one shard's work a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.terminal import tree
from tribute.attribution.answers.row_index import SHARDS, Index, collect, quantise, word_sum
from tribute.errors import IntegrityError

pytestmark = pytest.mark.numeric

WIDTH, ROWS, PER_SHARD = 24, 50, 8


def rows_of(wanted):
    """Vectors that depend on the row alone, some of length 0."""
    vectors = [torch.randn(WIDTH, generator=torch.Generator().manual_seed(row)) * (row % 5) for row in wanted]
    return torch.stack(vectors)


def measure(wanted):
    """Three rows at a time, last first."""
    ordered = list(wanted)[::-1]
    for chunk in (ordered[start : start + 3] for start in range(0, len(ordered), 3)):
        yield chunk, rows_of(chunk), rows_of(chunk).sum(0)


def opened(folder):
    """The index of 50 rows in a folder."""
    return Index(folder, ROWS, PER_SHARD)


@pytest.fixture
def index(tmp_path):
    """The folder of an index of 50 rows in seven shards."""
    collect(tmp_path, ROWS, torch.zeros(WIDTH), measure, PER_SHARD)
    return tmp_path


def test_scores_are_products(index):
    """Within what eight bits round off, in the order of the rows."""
    query = torch.randn(WIDTH, generator=torch.Generator().manual_seed(99))

    found = opened(index).scores(query)

    vectors = rows_of(range(ROWS))
    exact = (vectors @ query).numpy()
    half = 0.5 / 127 * (vectors.abs().amax(1) * query.abs().sum() + vectors.abs().sum(1) * query.abs().max())
    assert (np.abs(found - exact) <= 1.01 * half.numpy() + 1e-6).all()
    assert np.corrcoef(found, exact)[0, 1] > 0.999


def test_sums_are_over_all_rows(tmp_path):
    """In any number of shards."""
    found = [collect(tmp_path / str(size), ROWS, torch.zeros(WIDTH), measure, size) for size in (1, 7, 100)]

    for one in found:
        assert torch.allclose(one, rows_of(range(ROWS)).sum(0), atol=1e-4)


def test_a_row_takes_no_more_than_4_kb():
    """Coordinates and scale, at the width that is used."""
    from tribute.attribution.answers.row_index import WIDTH as USED

    coordinates, scales = quantise(torch.randn(10, USED))

    assert (coordinates.numel() * coordinates.element_size() + scales.numel() * scales.element_size()) / 10 <= 4096


COLLECTOR = """
import sys, time
from pathlib import Path
import torch
from tests.attribution.answers.test_row_index import PER_SHARD, ROWS, WIDTH, collect, measure

folder, log = Path(sys.argv[1]), Path(sys.argv[2])

def slow(wanted):
    with log.open("a") as file:
        file.write(f"{wanted.start}\\n")
    for part in measure(wanted):
        time.sleep(0.05)
        yield part

collect(folder, ROWS, torch.zeros(WIDTH), slow, PER_SHARD)
"""


def test_kill_9_costs_one_shard(index, tmp_path):
    """Killed twice in the middle, each time at most one shard is measured again, and no byte differs in the end."""
    folder, log, undisturbed = tmp_path / "killed", tmp_path / "measured", tree(index)
    command = [sys.executable, "-c", COLLECTOR, str(folder), str(log)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    for shards in (2, 5):
        process = subprocess.Popen(command, env=environment)
        while process.poll() is None and len(list((folder / SHARDS).glob("[0-9]*"))) < shards:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.returncode == -signal.SIGKILL
    subprocess.run(command, env=environment, check=True)

    measured = [int(line) for line in log.read_text().split()]
    assert sorted(set(measured)) == list(range(0, ROWS, PER_SHARD))
    assert len(measured) <= len(set(measured)) + 2
    assert tree(folder) == undisturbed


@pytest.mark.parametrize("place", ["header", "coordinates", "scales", "cut"])
def test_a_damaged_shard_is_named(index, place):
    """One line: which shard, and what to do."""
    path = index / SHARDS / "000003.safetensors"
    content = bytearray(path.read_bytes())
    length = 8 + int.from_bytes(content[:8], "little")
    damaged = {"header": 9, "coordinates": len(content) - 1, "scales": length + 9, "cut": 0}[place]
    content[damaged] ^= 4 if place != "cut" else 0
    path.write_bytes(content[: length + 20] if place == "cut" else content)

    with pytest.raises(IntegrityError, match=rf"{path}: .*; delete {index} and run `tribute explain` again") as raised:
        opened(index).scores(torch.ones(WIDTH))

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("number", [0, 3, 6])
def test_a_missing_shard_is_named(index, number):
    """The first, one in the middle or the last."""
    gone = index / SHARDS / f"00000{number}.safetensors"
    gone.unlink()

    with pytest.raises(IntegrityError, match=rf"{gone}: missing; 50 rows are 7 shards, found are 6; delete"):
        opened(index)


def test_a_shard_too_many_is_named(index):
    """It is not simply left out."""
    more = index / SHARDS / "000007.safetensors"
    more.write_bytes((index / SHARDS / "000000.safetensors").read_bytes())

    with pytest.raises(IntegrityError, match=rf"{more}: one too many; 50 rows are 7 shards, found are 8; delete"):
        opened(index)


def test_a_shard_of_other_size_is_named(index):
    """The last holds two rows; under another name they would be of other rows."""
    last, first = (index / SHARDS / f"00000{number}.safetensors" for number in (6, 0))
    first.write_bytes(last.read_bytes())

    with pytest.raises(IntegrityError, match=rf"{first}: holds 2 rows, expected 8; delete"):
        opened(index).scores(torch.ones(WIDTH))


def test_renamed_shards_are_found(index):
    """Two that change their names are whole, but of other rows."""
    one, other = (index / SHARDS / f"00000{number}.safetensors" for number in (2, 4))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)

    with pytest.raises(IntegrityError, match=rf"{one}: its bytes are not those that were written there"):
        opened(index).scores(torch.ones(WIDTH))


def stored(width):
    """Coordinates and scales of five rows."""
    return quantise(torch.randn(5, width, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("width", [1, 7, 8, 20, 24])
def test_every_bit_counts_in_the_sum(width):
    """Of coordinates and scales, those behind the last whole word and the highest of a word among them."""
    coordinates, scales = (one.numpy() for one in stored(width))
    written = word_sum(coordinates, scales, 40)

    for part in (coordinates, scales):
        flat = part.reshape(-1).view(np.uint8)
        for place in range(len(flat)):
            for bit in (1, 16, 128):
                flat[place] ^= bit
                assert word_sum(coordinates, scales, 40) != written
                flat[place] ^= bit


@pytest.mark.parametrize("width", [7, 8, 24])
@pytest.mark.parametrize("parts", [(0,), (1,), (0, 1)], ids=["coordinates", "scales", "both"])
def test_rows_that_change_places_are_found(width, parts):
    """Any two, with their scales or without."""
    for one in range(5):
        for other in range(one):
            arrays = [part.numpy().copy() for part in stored(width)]
            written = word_sum(*arrays, 40)
            for part in parts:
                arrays[part][[one, other]] = arrays[part][[other, one]]

            assert word_sum(*arrays, 40) != written
