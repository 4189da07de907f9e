"""The way of the money as a Sankey diagram: pool → topics → contributors."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate

from markupsafe import Markup

from tribute.formatting import amount, money
from tribute.report.money_flows import Flow
from tribute.report.sankey_layout import INK, MONEY_HEIGHT, TOP, Columns, Node, columns
from tribute.report.svg import tag

WIDTH, BAR = 1120.0, 12.0
POOL_X, TOPIC_X, CONTRIBUTOR_X = 118.0, 420.0, 868.0
NARROW = 380.0
"""The width of the figure for a small screen."""


def sankey(flows: Iterable[Flow], currency: str) -> Markup:
    """The diagram of all flows; the smallest topics and contributors are drawn together."""
    drawn = columns(flows, TOPIC_X, CONTRIBUTOR_X)
    total = sum(flow.minor for flow in drawn.flows)
    topics, contributors, height = drawn.topics, drawn.contributors, drawn.height
    pool = Node("pool", total, POOL_X, TOP + (height - MONEY_HEIGHT) / 2, MONEY_HEIGHT, INK)
    return tag(
        "svg",
        _captions(),
        *_ribbons_from_pool(pool, topics, currency),
        *_ribbons(drawn, currency),
        *(_bar(node, currency) for node in (pool, *topics, *contributors)),
        _pool_label(pool, currency),
        *(_topic_label(node, currency) for node in topics),
        *(_contributor_label(node, currency) for node in contributors),
        viewBox=f"0 0 {WIDTH:.0f} {TOP + height + 8:.0f}",
        class_="sankey",
        role="img",
        aria_label=f"{money(total, currency)} over {len(topics)} topics to {len(contributors)} contributors",
    )


def narrow_sankey(flows: Iterable[Flow], currency: str) -> Markup:
    """The same for a small screen: without the pool, with the labels on the ribbons, and without tips to hover over."""
    drawn = columns(flows, 0.0, NARROW - BAR)
    labels = [
        tag("text", cut(node.name, 22), x=BAR + 6, y=baseline(node), class_="on-flow") for node in drawn.topics
    ] + [
        tag(
            "text",
            cut(node.name, 16),
            tag("tspan", amount(node.minor, currency), class_="strong", dx=6),
            x=NARROW - BAR - 6,
            y=baseline(node),
            text_anchor="end",
            class_="on-flow",
        )
        for node in drawn.contributors
    ]
    return tag(
        "svg",
        tag("text", "Topics", x=0.0, y=12.0, class_="caption"),
        tag("text", f"Contributors, {currency}", x=NARROW, y=12.0, text_anchor="end", class_="caption"),
        *_ribbons(drawn, None),
        *(_bar(node, None) for node in (*drawn.topics, *drawn.contributors)),
        *labels,
        viewBox=f"0 0 {NARROW:.0f} {TOP + drawn.height + 8:.0f}",
        class_="sankey narrow",
        aria_hidden="true",
    )


def _ribbons_from_pool(pool: Node, topics: Sequence[Node], currency: str) -> list[Markup]:
    tops = accumulate((topic.height for topic in topics), initial=pool.y)
    return [
        ribbon(
            replace(pool, y=y, height=topic.height), topic, topic.colour, _flow_tip(pool, topic, topic.minor, currency)
        )
        for topic, y in zip(topics, tops, strict=False)
    ]


def _ribbons(drawn: Columns, currency: str | None) -> list[Markup]:
    """A ribbon per flow, each below the one before at both ends; with a tip where a currency is given."""
    minor = {(flow.topic, flow.contributor): flow.minor for flow in drawn.flows}
    arrived = {node.name: node.y for node in drawn.contributors}
    ribbons = []
    for topic in drawn.topics:
        y = topic.y
        for payee in drawn.contributors:
            if flow := minor.get((topic.name, payee.name), 0):
                thick = topic.height * flow / topic.minor
                start, end = replace(topic, y=y, height=thick), replace(payee, y=arrived[payee.name], height=thick)
                ribbons.append(ribbon(start, end, topic.colour, _flow_tip(topic, payee, flow, currency)))
                y += thick
                arrived[payee.name] += thick
    return ribbons


def _flow_tip(start: Node, end: Node, minor: int, currency: str | None) -> str | None:
    return f"{start.name} → {end.name}: {money(minor, currency)}" if currency else None


def ribbon(start: Node, end: Node, colour: str, tip: str | None) -> Markup:
    """From the right of one bar, or of a part of it, to the left of another one; both are as high as the ribbon."""
    x0, x1, y0, y1 = start.x + BAR, end.x, start.y, end.y
    mid, bottom0, bottom1 = (x0 + x1) / 2, start.y + start.height, end.y + start.height
    path = (
        f"M{x0:.1f},{y0:.2f} C{mid:.1f},{y0:.2f} {mid:.1f},{y1:.2f} {x1:.1f},{y1:.2f} "
        f"V{bottom1:.2f} C{mid:.1f},{bottom1:.2f} {mid:.1f},{bottom0:.2f} {x0:.1f},{bottom0:.2f}Z"
    )
    return tag("path", d=path, fill=colour, class_="flow", data_from=start.key, data_to=end.key, data_tip=tip)


def _bar(node: Node, currency: str | None) -> Markup:
    return tag(
        "rect",
        x=node.x,
        y=f"{node.y:.2f}",
        width=BAR,
        height=f"{max(node.height, 1.0):.2f}",
        rx=1.5,
        fill=node.colour,
        data_node=node.key if currency else None,
        data_tip=f"{node.name}: {money(node.minor, currency)}" if currency else None,
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


def _pool_label(pool: Node, currency: str) -> Markup:
    middle = pool.y + pool.height / 2
    return tag("text", amount(pool.minor, currency), x=POOL_X - 12, y=middle, text_anchor="end", class_="strong") + tag(
        "text", currency, x=POOL_X - 12, y=middle + 18, text_anchor="end", class_="muted"
    )


def _topic_label(node: Node, currency: str) -> Markup:
    share = tag("tspan", f"  {amount(node.minor, currency)}", class_="muted", dx=6)
    return tag("text", cut(node.name, 26), share, x=TOPIC_X - 9, y=baseline(node), text_anchor="end", class_="on-flow")


def _contributor_label(node: Node, currency: str) -> Markup:
    y = baseline(node)
    return tag("text", cut(node.name, 20), x=CONTRIBUTOR_X + BAR + 10, y=y) + tag(
        "text", amount(node.minor, currency), x=WIDTH - 2, y=y, text_anchor="end", class_="strong"
    )


def baseline(node: Node) -> float:
    """Where a label in the middle of a bar stands."""
    return node.y + node.height / 2 + 4.5


def cut(name: str, letters: int) -> str:
    """A name that fits beside a bar."""
    return name if len(name) <= letters else f"{name[: letters - 1]}…"
