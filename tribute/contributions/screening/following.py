"""Contributions that follow other rows one by one: copies and paraphrases, which no single row gives away.

An honest row resembles several rows of its topic about equally; a copy in other words resembles its source, and every
other row much less. A row *follows* another where the distance to the nearest row is at most half of that to the
second nearest (the ratio test of Lowe 2004, "Distinctive image features from scale-invariant keypoints", 7.1).
Distances are 1 − similarity (word_sets.py); compared are the earlier rows of other contributors and the sealed
evaluation, whatever their labels.

Of honest contributors' rows 2 to 12 % follow one (docs/incentives.md), of copies half to all: what tells them apart is
a count that a binomial test with the policy's share hardly ever gives.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tribute.contributions.screening.findings import Check, Finding, Reason, Rows, Screening
from tribute.contributions.screening.token_sets import Ids
from tribute.contributions.word_sets import WordSets

FOLLOWING = Reason(
    "following",
    "hold",
    "came with many rows that each follow one earlier row of others, or one sealed row",
    "A reviewer decides whether they say something new.",
)
RATIO, LEAST = 0.5, 0.2
"""Of the second distance, the most that the first is; and the least similarity with the nearest row."""
CHANCE = 0.001
"""How often honest rows that follow others at the policy's share come with so many by chance."""
FEW = 8
"""Contributions with fewer rows are judged together: one row more or less says nothing."""
LOOKED_AT = 64
"""Rows of a contribution that are compared, evenly from its first to its last: bounds the time."""


@dataclass(frozen=True)
class _Followers:
    """Of the rows of a contribution that were compared, which ones follow a row, and which ones a sealed one."""

    follows: NDArray[np.bool_]
    sealed: NDArray[np.bool_]


def following(rows: Rows, evaluation: Rows, share: float) -> Iterator[Finding]:
    """All rows of contributions of which more follow others than chance explains where each does with this share.

    Of the rest, those with a row that follows where all of one contributor's together are too many, or all small ones:
    whole, too, since single rows would tell which ones the evaluation has.
    """
    if not rows:
        return
    groups = _grouped([row.contribution_id for row in rows])
    sets = WordSets([row.row.text for row in (*rows, *evaluation)])
    people = np.unique([row.contributor_id for row in rows], return_inverse=True)[1]
    followers = {name: _followers(sets, places, people, len(rows)) for name, places in groups.items()}
    alone = [name for name in groups if len(groups[name]) >= FEW and _is_beyond_chance([followers[name]], share)]
    out = {place: _evidence(followers[name]) for name in alone for place in groups[name].tolist()}
    for names in _together(rows, {name: places for name, places in groups.items() if name not in set(alone)}):
        parts = [followers[name] for name in names]
        if _is_beyond_chance(parts, share):
            held = [name for name in names if followers[name].follows.any()]
            out |= {place: _evidence(*parts) for name in held for place in groups[name].tolist()}
    for place in sorted(out):
        part, evidence = out[place]
        yield Finding(rows[place], FOLLOWING, None, part, share, "nearest_ratio", evidence)


def _grouped(names: Sequence[str]) -> dict[str, Ids]:
    """Name → its places, in order."""
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(name, []).append(place)
    return {name: np.array(places) for name, places in groups.items()}


def _together(rows: Rows, groups: dict[str, Ids]) -> Iterator[list[str]]:
    """Contributions that are judged together: of one contributor, and all small ones."""
    of: dict[str, list[str]] = {}
    for name, places in groups.items():
        of.setdefault(rows[places[0]].contributor_id, []).append(name)
    yield from (names for names in of.values() if len(names) > 1)
    yield [name for name, places in groups.items() if len(places) < FEW]


def _followers(sets: WordSets, places: Ids, people: Ids, count: int) -> _Followers:
    """Against the earlier rows of others and the evaluation, whose places begin at `count`."""
    chosen = places[np.linspace(0, len(places) - 1, min(LOOKED_AT, len(places))).astype(int)]
    allowed = np.zeros(sets.count, dtype=bool)
    allowed[: places[0]] = people[: places[0]] != people[places[0]]
    allowed[count:] = True
    nearest, first, second = sets.two_nearest(chosen, allowed)
    follows = (first >= LEAST) & (1 - first <= RATIO * (1 - second)) & (second < 1)
    return _Followers(follows, follows & (nearest >= count))


def _is_beyond_chance(parts: Sequence[_Followers], share: float) -> bool:
    from scipy.stats import binom

    count = sum(len(part.follows) for part in parts)
    follow = sum(int(part.follows.sum()) for part in parts)
    return bool(binom.sf(follow - 1, count, share) <= CHANCE)


def _evidence(*parts: _Followers) -> tuple[float, str]:
    """The part that follows, and the counts in words: never which rows, since those of the evaluation are sealed."""
    count = sum(len(part.follows) for part in parts)
    follow, sealed = sum(int(part.follows.sum()) for part in parts), sum(int(part.sealed.sum()) for part in parts)
    evidence = f"{follow} of {count} rows follow one row each, {sealed} of them one of the sealed evaluation"
    return round(follow / count, 6), evidence


def _find(screening: Screening) -> list[Finding]:
    share = screening.policy.following
    if share is None:
        return []
    return list(following(screening.rows, screening.evaluation, share))


CHECK = Check(FOLLOWING, "rows", _find)
