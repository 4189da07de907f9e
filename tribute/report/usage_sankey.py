"""The way of what was used as a Sankey diagram: payer → who asked → model → contributors, in the payer's colour.

As in the diagram of the period's money, heights are proportional to money, and every bar has a slot as high as its
label.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from markupsafe import Markup

from tribute.micro import rounded_micro
from tribute.report.sankey import BAR, NARROW, WIDTH, baseline, cut, ribbon
from tribute.report.sankey_layout import INK, PALETTE, REST, TOP, Node, height_of, spread
from tribute.report.svg import tag
from tribute.report.usage_flows import CARRIED, SHARES, UsePath

MONEY_HEIGHT = 300.0
XS = (222.0, 446.0, 680.0, 868.0)
CAPTIONS = ("Payer", "Asked by", "Model", "Reached")
MOST = (8, 8, 6, 16)
"""Bars of a column; the smallest beyond are one."""
Way = tuple[str, ...]
"""A name per column."""


@dataclass(frozen=True)
class Link:
    """One payer's money between two bars that are neighbours on its way."""

    payer: str
    start: tuple[int, str]
    end: tuple[int, str]
    micro: int


@dataclass(frozen=True)
class Drawing:
    """Bars by column and name, and what goes between them."""

    nodes: Mapping[tuple[int, str], Node]
    links: Sequence[Link]
    height: float
    total: int


def usage_sankey(paths: Iterable[UsePath], currency: str) -> Markup:
    """The diagram; what an agent keeps goes past the models."""
    paths = list(paths)
    ways = Counter[Way]()
    for path in paths:
        ways[path.payer, path.agent, path.model or "", path.target] += path.micro
    drawing = _drawn(ways, XS, MOST)
    last = len(XS) - 1
    labels = [_label(place, node, currency, last) for (place, _), node in drawing.nodes.items()]
    captions = [
        tag(
            "text",
            text,
            x=x + (0 if place == last else BAR),
            y=12.0,
            text_anchor=_anchor(place, last),
            class_="caption",
        )
        for place, (text, x) in enumerate(zip(CAPTIONS, XS, strict=True))
    ]
    return tag(
        "svg",
        *captions,
        *_ribbons(drawing, currency),
        *(_bar(node, currency) for node in drawing.nodes.values()),
        *labels,
        viewBox=f"0 0 {WIDTH:.0f} {TOP + drawing.height + 8:.0f}",
        class_="sankey",
        role="img",
        aria_label=f"{rounded_micro(drawing.total)} {currency} from payers over agents and models to contributors",
    )


def narrow_usage_sankey(paths: Iterable[UsePath], currency: str) -> Markup:
    """The same for a small screen: payers and whom their money reached, with labels on the ribbons."""
    ways = Counter[Way]()
    for path in paths:
        ways[path.payer, path.target] += path.micro
    drawing = _drawn(ways, (0.0, NARROW - BAR), (MOST[0], MOST[-1]))
    labels = []
    for (place, _), node in drawing.nodes.items():
        y = baseline(node)
        if place == 0:
            labels.append(tag("text", cut(node.name, 20), x=BAR + 6, y=y, class_="on-flow"))
        else:
            amount = tag("tspan", rounded_micro(node.minor), class_="strong", dx=6)
            labels.append(
                tag("text", cut(node.name, 20), amount, x=NARROW - BAR - 6, y=y, text_anchor="end", class_="on-flow")
            )
    return tag(
        "svg",
        tag("text", "Payers", x=0.0, y=12.0, class_="caption"),
        tag("text", f"Reached, {currency}", x=NARROW, y=12.0, text_anchor="end", class_="caption"),
        *_ribbons(drawing, None),
        *(_bar(node, None) for node in drawing.nodes.values()),
        *labels,
        viewBox=f"0 0 {NARROW:.0f} {TOP + drawing.height + 8:.0f}",
        class_="sankey narrow",
        aria_hidden="true",
    )


def _drawn(ways: Counter[Way], xs: Sequence[float], most: Sequence[int]) -> Drawing:
    """Bars at their places; an empty name is a column that a way goes past."""
    ways = _grouped(ways, most)
    columns = [Counter[str]() for _ in xs]
    for way, micro in ways.items():
        for column, name in zip(columns, way, strict=True):
            if name:
                column[name] += micro
    total = sum(ways.values())
    colours = {name: _colour(name, place) for place, name in enumerate(_ordered(columns[0]))}
    scale = MONEY_HEIGHT / max(total, 1)
    stacked = []
    for column, x in zip(columns, xs, strict=True):
        stacked.append([Node(name, column[name], x, 0.0, column[name] * scale, INK) for name in _ordered(column)])
    stacked[0] = [replace(node, colour=colours[node.name]) for node in stacked[0]]
    height = max(height_of(nodes, MONEY_HEIGHT) for nodes in stacked)
    nodes = {(place, node.name): node for place, column in enumerate(stacked) for node in spread(column, height)}
    return Drawing(nodes, _links(ways), height, total)


def _grouped(ways: Counter[Way], most: Sequence[int]) -> Counter[Way]:
    """The largest names of each column kept, the others one."""
    for place, keep in enumerate(most):
        sums = Counter[str]()
        for way, micro in ways.items():
            sums[way[place]] += micro
        ranked = [name for name in _ordered(sums) if name]
        if len(ranked) <= keep + 1:
            continue
        rest, merged = {name: f"{len(ranked) - keep} others" for name in ranked[keep:]}, Counter[Way]()
        for way, micro in ways.items():
            merged[(*way[:place], rest.get(way[place], way[place]), *way[place + 1 :])] += micro
        ways = merged
    return ways


def _ordered(sums: Mapping[str, int]) -> list[str]:
    """The largest first, what reaches no contributor last."""
    return sorted(sums, key=lambda name: (_is_rest(name), -sums[name], name))


def _is_rest(name: str) -> bool:
    return name == CARRIED or name in SHARES.values() or name.endswith((" others", " keeps"))


def _colour(name: str, place: int) -> str:
    return REST if name.endswith(" others") else PALETTE[place % len(PALETTE)]


def _links(ways: Counter[Way]) -> list[Link]:
    sums = Counter[tuple[str, tuple[int, str], tuple[int, str]]]()
    for way, micro in ways.items():
        stops = [(place, name) for place, name in enumerate(way) if name]
        for start, end in pairwise(stops):
            sums[way[0], start, end] += micro
    return [Link(*key, micro) for key, micro in sums.items()]


def _ribbons(drawing: Drawing, currency: str | None) -> list[Markup]:
    """Each below the one before at both ends, in the order of the bars at the other end."""
    starts = _tops(drawing, lambda link: link.start, lambda link: link.end)
    ends = _tops(drawing, lambda link: link.end, lambda link: link.start)
    colours = {name: node.colour for (place, name), node in drawing.nodes.items() if place == 0}
    drawn = []
    for link in drawing.links:
        start, end = drawing.nodes[link.start], drawing.nodes[link.end]
        thick = start.height * link.micro / start.minor
        tip = f"{start.name} → {end.name}: {rounded_micro(link.micro)} {currency}" if currency else None
        parts = replace(start, y=starts[link], height=thick), replace(end, y=ends[link], height=thick)
        drawn.append(ribbon(*parts, colours[link.payer], tip))
    return drawn


def _tops(
    drawing: Drawing, here: Callable[[Link], tuple[int, str]], there: Callable[[Link], tuple[int, str]]
) -> dict[Link, float]:
    """Link → the height at which it touches its bar at one end."""
    ys = {key: node.y for key, node in drawing.nodes.items()}
    tops = {}
    for link in sorted(drawing.links, key=lambda link: (drawing.nodes[there(link)].y, link.payer)):
        node = drawing.nodes[here(link)]
        tops[link] = ys[here(link)]
        ys[here(link)] += node.height * link.micro / node.minor
    return tops


def _bar(node: Node, currency: str | None) -> Markup:
    tip = (
        {"data_node": node.key, "data_tip": f"{node.name}: {rounded_micro(node.minor)} {currency}"} if currency else {}
    )
    height = f"{max(node.height, 1.0):.2f}"
    return tag("rect", x=node.x, y=f"{node.y:.2f}", width=BAR, height=height, rx=1.5, fill=node.colour, **tip)


def _anchor(place: int, last: int) -> str:
    return "start" if place == last else "end"


def _label(place: int, node: Node, currency: str, last: int) -> Markup:
    y, amount = baseline(node), rounded_micro(node.minor)
    if place == last:
        name = tag("text", cut(node.name, 22), x=node.x + BAR + 10, y=y)
        return name + tag("text", f"{amount} {currency}", x=WIDTH - 2, y=y, text_anchor="end", class_="strong")
    share = tag("tspan", f"  {amount}", class_="muted", dx=6)
    return tag("text", cut(node.name, 22), share, x=node.x - 9, y=y, text_anchor="end", class_="on-flow")
