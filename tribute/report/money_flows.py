"""Minor units for the figures: splitting and merging them. Decides nobody's pay.

Money is an integer number of minor units here as everywhere; weights are turned into exact rationals before
they meet it, so that no float ever becomes money.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tribute.rewards.allocation import largest_remainder

NO_TOPIC = "no single topic"


@dataclass(frozen=True)
class Flow:
    """`minor` > 0 units that reach a contributor for what its rows taught about a topic."""

    topic: str
    contributor: str
    minor: int


def split(minor: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Split minor units in proportion to the positive weights, by largest remainder.

    The parts sum to `minor` exactly. Without a positive weight all of it goes to NO_TOPIC.
    """
    positive = {name: Fraction(weight) for name, weight in weights.items() if weight > 0}
    return largest_remainder(minor, positive, period="") if positive else {NO_TOPIC: minor}


def flows(amounts: Mapping[str, int], credit: Mapping[str, Mapping[str, float]]) -> list[Flow]:
    """Each contributor's amount over the topics, in proportion to its positive credit (nats) in each."""
    return [
        Flow(topic, contributor, minor)
        for contributor, amount in amounts.items()
        for topic, minor in split(amount, credit.get(contributor, {})).items()
        if minor > 0
    ]


def grouped(flows: Iterable[Flow], topics: int, contributors: int) -> list[Flow]:
    """Keep the largest topics and contributors and merge the rest into one of each; the sum stays."""
    flows = list(flows)
    topic_of = _merged(_totals((flow.topic, flow.minor) for flow in flows), topics, "other topics")
    contributor_of = _merged(_totals((flow.contributor, flow.minor) for flow in flows), contributors, "others")
    merged: Counter[tuple[str, str]] = Counter()
    for flow in flows:
        merged[topic_of[flow.topic], contributor_of[flow.contributor]] += flow.minor
    return [Flow(topic, contributor, minor) for (topic, contributor), minor in merged.items()]


def _totals(pairs: Iterable[tuple[str, int]]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for name, minor in pairs:
        totals[name] += minor
    return totals


def _merged(totals: Mapping[str, int], keep: int, noun: str) -> dict[str, str]:
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    if len(ranked) <= keep + 1:
        return {name: name for name in ranked}
    rest = f"{len(ranked) - keep} {noun}"
    return {name: name if rank < keep else rest for rank, name in enumerate(ranked)}
