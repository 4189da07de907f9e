"""What predicted effects and a stand-in compute of their own, beside passes of rows through the model: FLOP and bytes.

As workload.py it knows no seconds. What memory and not arithmetic takes the time of counts as the FLOP for which there
would be time.
"""

from typing import NamedTuple

from tribute.attribution.credit import memory, probe
from tribute.attribution.credit.stand_in import CLUSTERS, DRAWS, ENDS, INSIDE, NODES
from tribute.attribution.gradients.row_gradients import FLOATS_AT_ONCE
from tribute.attribution.gradients.sample import FOLDS

LOOKED_AT = 2 * DRAWS * len(ENDS)
"""Blocks of rows along all orders."""
KERNEL, READ, MET = 150.0, 18.0, 200.0
"""FLOP for making an element of a kernel, for one of a float32 matrix that meets float64 weights, and for one of a
row's gradient, which is written and read some times."""
CLUSTERING = 3 * 20 * 2.0 * CLUSTERS
"""FLOP of k-means for each feature of a row: three starts of some twenty rounds."""


class OwnWork(NamedTuple):
    """Of one stage."""

    flop: float
    memory: float
    """Bytes."""
    disk: float = 0.0
    """Bytes."""


def effects_work(contributors: int, rows: int, trained: int, draws: int, at_once: float) -> OwnWork:
    """Of `draws` gradients of `trained` parameters, taken of `at_once` rows: see effects/newton.py."""
    # Half of all draws' products with each other, a factor for everybody who is left out, and each gradient alone.
    flop = trained * float(draws) ** 2 + contributors * float(draws) ** 3 / 3 + MET * trained * (draws + 2 * rows)
    gradients = 4.0 * trained * (draws + 3 * min(at_once, FLOATS_AT_ONCE / trained))
    # The products in float32 and float64, those of who is left, and their factor.
    return OwnWork(flop, gradients + 28.0 * float(draws) ** 2)


def probe_work(rows: int, asked: int, labels: int, width: int, slices: int) -> OwnWork:
    """Of a probe of `rows` and `asked` evaluation rows.

    A step is two products of rows, labels and width; slopes go back by two more for each mean that is looked at.
    """
    once = 4.0 * labels * width * (probe.STEPS * rows + asked / 2)
    fitted = len(probe.LENGTHS) / 2 + probe.HALVINGS
    # Of a block: its slopes at each node and the loss at its end. Along all weights alike: every reading of a node.
    drawn = LOOKED_AT * (3 * INSIDE + 1)
    alike = NODES * (2 + 2 * (1 + FOLDS) + 2 * slices)
    flop = once * (fitted + drawn + alike) + CLUSTERING * rows * (width + labels)
    held = 4.0 * rows * (3 * probe.STEPS * labels + 3 * width)
    return OwnWork(flop, held, 4.0 * (rows + asked) * width + _table(rows, slices))


def memory_work(rows: int, asked: int, taught: int, width: int, slices: int) -> OwnWork:
    """Of a memory of `rows`: `taught` tokens, each of which every one of `asked` meets once."""
    matrix = float(asked) * rows
    # A loss reads two matrices of asked tokens and rows, a slope reads them once more.
    reads = len(memory.LENGTHS) + LOOKED_AT * (4 * INSIDE + 2) + 2 * 4 * NODES
    flop = float(asked) * taught * (2.0 * width + KERNEL) + (READ * reads + CLUSTERING) * matrix
    block = 13.0 * min(memory.BLOCK, asked) * taught + 8.0 * taught * width
    # Matrices in float32, and each in float64 while it is multiplied with weights.
    return OwnWork(flop, block + 16.0 * matrix, 8.0 * matrix + _table(rows, slices))


def _table(rows: int, slices: int) -> float:
    """Bytes of every row's credit by draw, fold and slice, its sum and its cluster."""
    return 8.0 * rows * (DRAWS + FOLDS + slices + 2)
