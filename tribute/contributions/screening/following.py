"""Contributions that follow other rows one by one: copies, paraphrases and splices, which no single row gives away.

An honest row resembles several rows of its topic about equally; a copy in other words resembles its source, and every
other row much less. A row *follows* another where the distance to the nearest row is at most half of that to the
second nearest (the ratio test of Lowe 2004, "Distinctive image features from scale-invariant keypoints", 7.1).
Distances are 1 − similarity (word_sets.py); compared are the earlier rows of other contributors and the sealed
evaluation, whatever their labels.

A row that is put together from pieces follows none, but two rows have most of its words. It is *joined* where what the
two that have most leave out is at most half of what the best two others leave out, and MARGIN of its weight less.

Of honest contributors' rows 2 to 12 % follow one, and 3 to 12 % are joined (docs/incentives.md), of copies half to all:
what tells them apart is a count that a binomial test with the policy's share hardly ever gives.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray

from tribute.contributions.screening.findings import Check, Finding, Reason, Rows, Screening
from tribute.contributions.screening.token_sets import Ids
from tribute.contributions.word_sets import WordSets

FOLLOWING = Reason(
    "following",
    "hold",
    "came with many rows that each follow one or two earlier rows of others, or sealed rows",
    "A reviewer decides whether they say something new.",
)
RATIO, LEAST = 0.5, 0.2
"""Of the second distance, the most that the first is; and the least similarity with the nearest row."""
MARGIN = 0.25
"""Of a joined row's weight, the least that its two rows have more of than the best two others."""
MANNERS = ("follow one row each, {} of them one of", "are joined from two rows each, {} of them with one of")
"""Of what is counted, in words."""
CHANCE = 0.001
"""How often honest rows that follow others at the policy's share come with so many by chance."""
FEW = 8
"""Contributions with fewer rows are judged together: one row more or less says nothing."""
HONEST = 0.5
"""Of the policy's share, what honest rows follow at on average."""
LOOKED_AT = 64
"""Rows of a contribution that are compared: bounds the time."""


@dataclass(frozen=True)
class _Followers:
    """Of the rows of a contribution that were compared, which ones follow a row, and which ones a sealed one."""

    follows: NDArray[np.bool_]
    sealed: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """How many follow."""
        return int(self.follows.sum())


def following(rows: Rows, evaluation: Rows, share: float) -> Iterator[Finding]:
    """All rows of contributions of which more follow others than chance explains where each does with this share.

    Of the rest, those with a row that follows where all of one contributor's together are too many, and the most
    unlikely small ones where all of these are: whole, too, since single rows would tell which ones the evaluation has.
    """
    if not rows:
        return
    groups = _grouped([row.contribution_id for row in rows])
    sets = WordSets([row.row.text for row in (*rows, *evaluation)])
    people = np.unique([row.contributor_id for row in rows], return_inverse=True)[1]
    key = _key(rows, evaluation)
    followers = {
        name: _followers(sets, _sample(places, rows, key), int(places[0]), people, len(rows))
        for name, places in groups.items()
    }
    out: dict[int, tuple[float, str]] = {}
    for number, manner in enumerate(MANNERS):
        counted = {name: parts[number] for name, parts in followers.items()}
        out = {place: _evidence(parts, manner) for place, parts in _held(rows, groups, counted, share)} | out
    for place in sorted(out):
        part, evidence = out[place]
        yield Finding(rows[place], FOLLOWING, None, part, share, "nearest_ratio", evidence)


def _held(
    rows: Rows, groups: Mapping[str, Ids], followers: Mapping[str, _Followers], share: float
) -> Iterator[tuple[int, list[_Followers]]]:
    """The place of every row that waits, and what it was judged by."""
    alone = [name for name in groups if len(groups[name]) >= FEW and _is_beyond_chance([followers[name]], share)]
    for name in alone:
        yield from ((place, [followers[name]]) for place in groups[name].tolist())
    rest = {name: places for name, places in groups.items() if name not in set(alone)}
    small = [name for name, places in rest.items() if len(places) < FEW]
    for names in (*_by_contributor(rows, rest), small):
        parts = {name: followers[name] for name in names}
        if _is_beyond_chance(list(parts.values()), share):
            held = _most_unlikely(parts, share) if names is small else [name for name in names if parts[name].count]
            yield from ((place, list(parts.values())) for name in held for place in groups[name].tolist())


def _grouped(names: Sequence[str]) -> dict[str, Ids]:
    """Name → its places, in order."""
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(name, []).append(place)
    return {name: np.array(places) for name, places in groups.items()}


def _by_contributor(rows: Rows, groups: dict[str, Ids]) -> Iterator[list[str]]:
    """The contributions of each contributor who has several."""
    of: dict[str, list[str]] = {}
    for name, places in groups.items():
        of.setdefault(rows[places[0]].contributor_id, []).append(name)
    yield from (names for names in of.values() if len(names) > 1)


def _key(rows: Rows, evaluation: Rows) -> bytes:
    """By what rows are sampled: of all that is compared, of which no contributor knows the sealed and later rows.

    The same for the same rows, so whoever screens a version again compares the same ones.
    """
    key = sha256()
    for row in (*rows, *evaluation):
        key.update(row.row.text.encode() + b"\0")
    return key.digest()


def _sample(places: Ids, rows: Rows, key: bytes) -> Ids:
    """The places of a contribution that are compared."""
    if len(places) <= LOOKED_AT:
        return places
    chosen = nsmallest(LOOKED_AT, places, key=lambda place: hmac.digest(key, rows[place].row_id.encode(), "sha256"))
    return np.sort(np.array(chosen))


def _followers(sets: WordSets, chosen: Ids, first: int, people: Ids, count: int) -> tuple[_Followers, _Followers]:
    """What follows one row, and what two, of the chosen places of a contribution that begins at `first`.

    Against the earlier rows of others and the evaluation, whose places begin at `count`.
    """
    allowed = np.zeros(sets.count, dtype=bool)
    allowed[:first] = people[:first] != people[first]
    allowed[count:] = True
    nearest, best, second = sets.two_nearest(chosen, allowed)
    follows = (best >= LEAST) & (1 - best <= RATIO * (1 - second)) & (second < 1)
    pair, most, others = sets.two_covers(chosen, allowed)
    joined = (most - others >= MARGIN) & (1 - most <= RATIO * (1 - others))
    return _Followers(follows, follows & (nearest >= count)), _Followers(joined, joined & (pair >= count).any(1))


def _is_beyond_chance(parts: Sequence[_Followers], share: float) -> bool:
    return _chance(sum(part.count for part in parts), sum(len(part.follows) for part in parts), share) <= CHANCE


def _most_unlikely(small: Mapping[str, _Followers], share: float) -> Iterator[str]:
    """Those that come alone with their followers least often, until the rest follows as honest rows do.

    None that comes so more often than not: else enough copies under small names would hold every honest one that has a
    single row like another. Of equal ones the later goes first.
    """
    follow, count = sum(part.count for part in small.values()), sum(len(part.follows) for part in small.values())
    alone = [_chance(part.count, len(part.follows), share) for part in small.values()]
    for chance, _, name in sorted(zip(alone, range(0, -len(small), -1), small, strict=True)):
        if follow <= HONEST * share * count or chance > 0.5:
            return
        yield name
        follow, count = follow - small[name].count, count - len(small[name].follows)


@cache
def _chance(follow: int, count: int, share: float) -> float:
    """How often so many of `count` rows follow, or more, where each does with this share."""
    from scipy.stats import binom

    return float(binom.sf(follow - 1, count, share))


def _evidence(parts: Sequence[_Followers], manner: str) -> tuple[float, str]:
    """The part that follows, and the counts in words: never which rows, since those of the evaluation are sealed."""
    count = sum(len(part.follows) for part in parts)
    follow, sealed = sum(part.count for part in parts), sum(int(part.sealed.sum()) for part in parts)
    evidence = f"{follow} of {count} rows {manner.format(sealed)} the sealed evaluation"
    return round(follow / count, 6), evidence


def _find(screening: Screening) -> list[Finding]:
    share = screening.policy.following
    if share is None:
        return []
    return list(following(screening.rows, screening.evaluation, share))


CHECK = Check(FOLLOWING, "rows", _find)
