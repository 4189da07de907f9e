"""Rows that equal another one but for a single word, found exactly: the cheapest change that a copyist can make.

A row of n words is hashed n times, each time with another place blanked out; rows that share such a hash are
compared word by word. Of three words one is a third, so no threshold on a similarity would tell these copies from
honest rows.
"""

import numpy as np
from numpy.typing import NDArray

from tribute.contributions.screening.token_sets import PAIRS, Ids, Sets, distinct, in_same_bucket

Hashes = NDArray[np.uint64]
SHORTEST = 2
"""Words of a row for which one word is not all of it."""
_PLACE, _ROW = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


def one_word_apart(sequences: Sets, hashed: Hashes, groups: Hashes, people: Ids) -> tuple[Ids, Ids]:
    """(later, earlier) rows of different people and the same group, as long, that differ in exactly one place.

    `sequences` holds each row's words in order; `hashed` is the hash of each word.
    """
    sizes = sequences.sizes
    keys, row = _blanked(sequences, hashed, groups)
    later, earlier = (row[place] for place in in_same_bucket(keys))
    possible = (
        (people[later] != people[earlier]) & (groups[later] == groups[earlier]) & (sizes[later] == sizes[earlier])
    )
    pairs = distinct(later[possible] * len(sizes) + earlier[possible])
    later, earlier = pairs // max(1, len(sizes)), pairs % max(1, len(sizes))
    apart = np.concatenate(
        [
            np.zeros(0, dtype=bool),
            *(
                _differing(sequences, later[at : at + PAIRS], earlier[at : at + PAIRS]) == 1
                for at in range(0, len(later), PAIRS)
            ),
        ]
    )
    return later[apart], earlier[apart]


def _blanked(sequences: Sets, hashed: Hashes, groups: Hashes) -> tuple[Hashes, Ids]:
    """A hash of its row without it for every word, and the row; rows shorter than SHORTEST have none."""
    row, sizes = sequences.of_item(), sequences.sizes
    place = (np.arange(len(row)) - sequences.bounds[row]).astype(np.uint64)
    word = _mixed(hashed[sequences.items] ^ _mixed(place + _PLACE))
    # Sums of hashes wrap around, so a difference of running sums is the sum over a row.
    running = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(word, dtype=np.uint64)])
    whole = running[sequences.bounds[1:]] - running[sequences.bounds[:-1]]
    salt = _mixed(groups * _ROW + sizes.astype(np.uint64))
    keys = _mixed((whole + salt)[row] - word) ^ _mixed(place)
    long = sizes[row] >= SHORTEST
    return keys[long], row[long]


def _differing(sequences: Sets, later: Ids, earlier: Ids) -> Ids:
    """In how many places the words of each pair of equally long rows differ."""
    sizes = sequences.sizes[later]
    starts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    place = np.arange(int(sizes.sum())) - np.repeat(starts, sizes)
    one, other = (sequences.items[np.repeat(sequences.bounds[rows], sizes) + place] for rows in (later, earlier))
    return np.bincount(np.repeat(np.arange(len(later)), sizes), weights=one != other, minlength=len(later)).astype(int)


def _mixed(values: Hashes) -> Hashes:
    """Each number spread over all 64 bits."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
