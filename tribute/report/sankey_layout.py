"""Where the bars of the Sankey diagram stand: two columns, topics and contributors. Draws nothing.

Heights are proportional to money. Every node has a slot at least as high as its label, so labels never
overlap; the slots of the longest column set the height of the figure.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tribute.report.money_flows import Flow, grouped

PALETTE = (
    "#2f7f86", "#c2914a", "#6f67a8", "#7d9a52", "#b5675c", "#4f86b8", "#b87fa0", "#8a7350",
    "#59a38f", "#d3ab55", "#8d8fc6", "#4d7358", "#d08d78", "#86b2c8", "#9a6780", "#aeb87c",
)  # fmt: skip
REST, INK = "#9aa0a8", "var(--ink)"
TOPICS, CONTRIBUTORS = len(PALETTE) - 1, 20
MONEY_HEIGHT, SLOT, GAP, TOP = 480.0, 23.0, 7.0, 30.0


@dataclass(frozen=True)
class Node:
    """A bar from `y` to `y + height` that stands for `minor` units."""

    name: str
    minor: int
    x: float
    y: float
    height: float
    colour: str

    @property
    def key(self) -> str:
        """Tells a topic from a contributor of the same name."""
        return f"{self.x:.0f} {self.name}"


@dataclass(frozen=True)
class Columns:
    """The flows with the largest topics and contributors, and a bar for each, at its place."""

    flows: list[Flow]
    topics: list[Node]
    contributors: list[Node]
    height: float


def columns(flows: Iterable[Flow], topic_x: float, contributor_x: float) -> Columns:
    """Both columns with their left edges at these places; the smallest topics and contributors are one bar each."""
    merged = grouped(flows, TOPICS, CONTRIBUTORS)
    paid, taught = _totals(merged, "contributor"), _totals(merged, "topic")
    contributors = _column(paid, contributor_x, sorted(paid, key=lambda name: (_is_rest(name), -paid[name], name)))
    topics = _column(taught, topic_x, _uncrossed(taught, contributors, merged))
    topics = [replace(topic, colour=_colour(topic.name, place)) for place, topic in enumerate(topics)]
    height = max(height_of(topics), height_of(contributors))
    return Columns(merged, spread(topics, height), spread(contributors, height), height)


def _totals(flows: Sequence[Flow], end: Literal["topic", "contributor"]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for flow in flows:
        totals[getattr(flow, end)] += flow.minor
    return totals


def _column(totals: Counter[str], x: float, order: Sequence[str]) -> list[Node]:
    height = MONEY_HEIGHT / totals.total()
    return [Node(name, totals[name], x, 0.0, totals[name] * height, INK) for name in order]


def _colour(name: str, place: int) -> str:
    return REST if _is_rest(name) else PALETTE[place % len(PALETTE)]


def _uncrossed(taught: Counter[str], contributors: Sequence[Node], flows: Sequence[Flow]) -> list[str]:
    """Topics in the order of the mean rank of those they pay, so that ribbons cross less."""
    rank = {node.name: place for place, node in enumerate(contributors)}
    weighed: Counter[str] = Counter()
    for flow in flows:
        weighed[flow.topic] += rank[flow.contributor] * flow.minor
    return sorted(taught, key=lambda topic: (_is_rest(topic), weighed[topic] / taught[topic], topic))


def _is_rest(name: str) -> bool:
    return name[:1].isdigit() and name.endswith((" other topics", " others"))


def _slot(node: Node) -> float:
    return max(SLOT, node.height + GAP)


def height_of(nodes: Sequence[Node], least: float = MONEY_HEIGHT) -> float:
    """How high a column is."""
    return max(least, sum(_slot(node) for node in nodes))


def spread(nodes: Sequence[Node], height: float) -> list[Node]:
    """Stack the slots from top to bottom, each bar in the middle of its slot."""
    spare = (height - sum(_slot(node) for node in nodes)) / len(nodes) if nodes else 0.0
    placed, y = [], TOP
    for node in nodes:
        slot = _slot(node) + spare
        placed.append(replace(node, y=y + (slot - node.height) / 2))
        y += slot
    return placed
