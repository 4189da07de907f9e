"""The money's way as a Sankey diagram: pool → topics → contributors.

Heights are proportional to money. Every node has a slot at least as high as its label, so labels never
overlap; the slots of the longest column set the height of the figure.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from tribute.report.money_flows import Currency, Flow, grouped
from tribute.report.svg import tag

PALETTE = (
    "#2f7f86", "#c2914a", "#6f67a8", "#7d9a52", "#b5675c", "#4f86b8", "#b87fa0", "#8a7350",
    "#59a38f", "#d3ab55", "#8d8fc6", "#4d7358", "#d08d78", "#86b2c8", "#9a6780", "#aeb87c",
)  # fmt: skip
REST = "#9aa0a8"
TOPICS, CONTRIBUTORS = len(PALETTE) - 1, 20
WIDTH, BAR = 1120.0, 12.0
POOL_X, TOPIC_X, CONTRIBUTOR_X = 118.0, 420.0, 868.0
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


def sankey(flows: Iterable[Flow], currency: Currency) -> Markup:
    """The diagram of all flows; the smallest topics and contributors are drawn together."""
    merged = grouped(flows, TOPICS, CONTRIBUTORS)
    total = sum(flow.minor for flow in merged)
    paid, taught = _totals(merged, "contributor"), _totals(merged, "topic")
    contributors = _column(paid, CONTRIBUTOR_X, sorted(paid, key=lambda name: (_is_rest(name), -paid[name], name)))
    topics = _column(taught, TOPIC_X, _uncrossed(taught, contributors, merged))
    height = max(_height(topics), _height(contributors))
    topics, contributors = _spread(topics, height), _spread(contributors, height)
    pool = Node("pool", total, POOL_X, TOP + (height - MONEY_HEIGHT) / 2, MONEY_HEIGHT, "#1d2129")

    bottom = TOP + height + 8
    return tag(
        "svg",
        _captions(),
        *_ribbons_from_pool(pool, topics, currency),
        *_ribbons(topics, contributors, merged, currency),
        *(_bar(node, currency) for node in (pool, *topics, *contributors)),
        _pool_label(pool, currency),
        *(_topic_label(node, currency) for node in topics),
        *(_contributor_label(node, currency) for node in contributors),
        viewBox=f"0 0 {WIDTH:.0f} {bottom:.0f}",
        class_="sankey",
        role="img",
        aria_label=f"{currency.text(total)} over {len(topics)} topics to {len(contributors)} contributors",
    )


def _totals(flows: Sequence[Flow], end: Literal["topic", "contributor"]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for flow in flows:
        totals[getattr(flow, end)] += flow.minor
    return totals


def _column(totals: Counter[str], x: float, order: Sequence[str]) -> list[Node]:
    height = MONEY_HEIGHT / totals.total()
    return [
        Node(name, totals[name], x, 0.0, totals[name] * height, _colour(name, place))
        for place, name in enumerate(order)
    ]


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


def _height(nodes: Sequence[Node]) -> float:
    return max(MONEY_HEIGHT, sum(_slot(node) for node in nodes))


def _spread(nodes: Sequence[Node], height: float) -> list[Node]:
    """Stack the slots from top to bottom, each bar in the middle of its slot."""
    air = (height - sum(_slot(node) for node in nodes)) / len(nodes) if nodes else 0.0
    placed, y = [], TOP
    for node in nodes:
        slot = _slot(node) + air
        placed.append(Node(node.name, node.minor, node.x, y + (slot - node.height) / 2, node.height, node.colour))
        y += slot
    return placed


def _ribbons_from_pool(pool: Node, topics: Sequence[Node], currency: Currency) -> list[Markup]:
    ribbons, y = [], pool.y
    for topic in topics:
        tip = f"pool → {topic.name}: {currency.text(topic.minor)}"
        ribbons.append(_ribbon(pool, y, topic, topic.y, topic.height, topic.colour, tip))
        y += topic.height
    return ribbons


def _ribbons(
    topics: Sequence[Node], contributors: Sequence[Node], flows: Sequence[Flow], currency: Currency
) -> list[Markup]:
    minor = {(flow.topic, flow.contributor): flow.minor for flow in flows}
    arrived = {node.name: node.y for node in contributors}
    ribbons = []
    for topic in topics:
        y = topic.y
        for payee in contributors:
            amount = minor.get((topic.name, payee.name), 0)
            if amount:
                thick = topic.height * amount / topic.minor
                tip = f"{topic.name} → {payee.name}: {currency.text(amount)}"
                ribbons.append(_ribbon(topic, y, payee, arrived[payee.name], thick, topic.colour, tip))
                y += thick
                arrived[payee.name] += thick
    return ribbons


def _ribbon(start: Node, y0: float, end: Node, y1: float, thick: float, colour: str, tip: str) -> Markup:
    x0, x1 = start.x + BAR, end.x
    mid = (x0 + x1) / 2
    path = (
        f"M{x0:.1f},{y0:.2f} C{mid:.1f},{y0:.2f} {mid:.1f},{y1:.2f} {x1:.1f},{y1:.2f} "
        f"V{y1 + thick:.2f} C{mid:.1f},{y1 + thick:.2f} {mid:.1f},{y0 + thick:.2f} {x0:.1f},{y0 + thick:.2f}Z"
    )
    return tag("path", d=path, fill=colour, class_="flow", data_from=start.key, data_to=end.key, data_tip=tip)


def _bar(node: Node, currency: Currency) -> Markup:
    colour = node.colour if node.x == TOPIC_X else "#1d2129"
    return tag(
        "rect",
        x=node.x,
        y=f"{node.y:.2f}",
        width=BAR,
        height=f"{max(node.height, 1.0):.2f}",
        rx=1.5,
        fill=colour,
        data_node=node.key,
        data_tip=f"{node.name}: {currency.text(node.minor)}",
    )


def _captions() -> Markup:
    labels = (
        (POOL_X + BAR, "end", "Pool"),
        (TOPIC_X + BAR, "end", "Topics"),
        (CONTRIBUTOR_X, "start", "Contributors"),
    )
    return Markup("").join(
        tag("text", text, x=x, y=12.0, text_anchor=anchor, class_="caption") for x, anchor, text in labels
    )


def _pool_label(pool: Node, currency: Currency) -> Markup:
    middle = pool.y + pool.height / 2
    return tag("text", currency.number(pool.minor), x=POOL_X - 12, y=middle, text_anchor="end", class_="strong") + tag(
        "text", currency.code, x=POOL_X - 12, y=middle + 18, text_anchor="end", class_="muted"
    )


def _topic_label(node: Node, currency: Currency) -> Markup:
    amount = tag("tspan", f"  {currency.number(node.minor)}", class_="muted", dx=6)
    y = node.y + node.height / 2 + 4.5
    return tag("text", _cut(node.name, 26), amount, x=TOPIC_X - 9, y=y, text_anchor="end", class_="on-flow")


def _contributor_label(node: Node, currency: Currency) -> Markup:
    y = node.y + node.height / 2 + 4.5
    return tag("text", _cut(node.name, 20), x=CONTRIBUTOR_X + BAR + 10, y=y) + tag(
        "text", currency.number(node.minor), x=WIDTH - 2, y=y, text_anchor="end", class_="muted"
    )


def _cut(name: str, letters: int) -> str:
    return name if len(name) <= letters else f"{name[: letters - 1]}…"
