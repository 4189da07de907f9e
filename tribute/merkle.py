"""The hash tree of RFC 9162, section 2.1, over salted leaves. Knows nothing of statements.

    leaf    sha256(0x00 ‖ salt ‖ content)
    node    sha256(0x01 ‖ left ‖ right)

A tree over n > 1 leaves splits at the largest power of two below n. The salt is 32 bytes, so that somebody who
holds a proof, and with it a neighbour's leaf, cannot guess what the neighbour got by trying amounts.
"""

from collections.abc import Sequence
from hashlib import sha256

Hash = bytes
"""32 bytes."""

EMPTY = sha256().digest()
"""The root over no leaves, as RFC 9162 defines it."""


def leaf(salt: bytes, content: bytes) -> Hash:
    """The hash of one leaf."""
    return sha256(b"\x00" + salt + content).digest()


def node(left: Hash, right: Hash) -> Hash:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """All levels over the given leaf hashes, so that each of n proofs costs log n and not n."""

    def __init__(self, leaves: Sequence[Hash]) -> None:
        self.levels = [list(leaves)]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            # An odd last node moves up unchanged: the same tree as RFC 9162's recursive split.
            paired = [node(*below[i : i + 2]) for i in range(0, len(below) - 1, 2)]
            self.levels.append(paired + below[len(paired) * 2 :])

    @property
    def root(self) -> Hash:
        """The hash that stands for all leaves."""
        return self.levels[-1][0] if self.levels[0] else EMPTY

    def proof(self, index: int) -> list[Hash]:
        """The siblings on the way from leaf `index` (from 0) to the root, lowest first."""
        path = []
        for level in self.levels[:-1]:
            if index ^ 1 < len(level):
                path.append(level[index ^ 1])
            index //= 2
        return path


def proves(leaf_hash: Hash, index: int, size: int, path: Sequence[Hash], root: Hash) -> bool:
    """Whether `path` leads from `leaf_hash` at `index` of `size` leaves to `root` (RFC 9162, 2.1.3.2)."""
    last, steps = size - 1, iter(path)
    if not 0 <= index <= last:
        return False
    while last:
        if index % 2 or index < last:
            sibling = next(steps, None)
            if sibling is None:
                return False
            leaf_hash = node(sibling, leaf_hash) if index % 2 else node(leaf_hash, sibling)
        index, last = index // 2, last // 2
    return next(steps, None) is None and leaf_hash == root
