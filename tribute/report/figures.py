"""Small figures from plain numbers: intervals, bars and the training curve.

Strips are as wide as the table cell they stand in: positions are percentages, so nothing is distorted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tribute.formatting import number
from tribute.report.svg import Scale, tag

ROW, MIDDLE, AXIS = 30, 15, 24
PLUS, MINUS, MUTED, LINE = "var(--accent)", "var(--minus)", "var(--other)", "var(--line)"
"""The palette of base.css."""


def axis(scale: Scale) -> Markup:
    """The labelled ticks above a column of strips."""
    ticks = scale.ticks()
    places = _tick_places(ticks)
    labels = (tag("text", number(tick, places), x=scale.percent(tick), y=12, text_anchor="middle") for tick in ticks)
    return tag("svg", *labels, class_="strip", height=AXIS - 6, aria_hidden="true")


def interval(scale: Scale, value: float, low: float, high: float, tip: str, *, second: float | None = None) -> Markup:
    """A dot with whiskers, in the colour of harm where the value is below 0; `second` adds a hollow dot beside it."""
    colour = MINUS if value < 0 else PLUS
    x = scale.percent(value)
    marks = [
        _line(scale.percent(low), scale.percent(high), MIDDLE, colour),
        tag("circle", cx=x, cy=MIDDLE, r=4.5, fill=colour),
    ]
    if second is not None:
        marks.insert(0, _line(scale.percent(second), x, MIDDLE, LINE))
        ring = MINUS if second < 0 else PLUS
        marks.append(
            tag("circle", cx=scale.percent(second), cy=MIDDLE, r=4.5, fill="var(--card)", stroke=ring, stroke_width=2)
        )
    return _strip(scale, marks, tip)


def nothing(scale: Scale) -> Markup:
    """A strip without a mark, so that the grid runs on."""
    return _strip(scale, [], "")


def bar(scale: Scale, value: float, tip: str, *, tone: str = "muted") -> Markup:
    """A bar from zero; `tone` is a class: accent, muted, hollow."""
    start, end = sorted((scale(0.0), scale(value)))
    mark = tag(
        "rect",
        x=f"{start:.2f}%",
        y=MIDDLE - 7,
        width=f"{max(end - start, 0.3):.2f}%",
        height=14,
        rx=2,
        class_=f"bar {tone}",
    )
    return tag("svg", mark, class_="strip", height=ROW, data_tip=tip)


@dataclass(frozen=True)
class Point:
    """A loss in nats at a training step."""

    step: int
    loss: float


def curve(training: Sequence[Point], evaluation: Sequence[Point], validation: Sequence[Point] = ()) -> Markup:
    """Loss over steps: every training step thin, the evaluation points as a line with dots, the validation dashed."""
    width, height, left, bottom = 540.0, 320.0, 40.0, 40.0
    losses = [point.loss for point in (*training, *evaluation, *validation)]
    last = max((point.step for point in (*training, *evaluation, *validation)), default=1)
    x = Scale(0, max(last, 1), left, width - 14)
    margin = (max(losses) - min(losses)) * 0.08 or 0.1
    y = Scale(max(0.0, min(losses) - margin), max(losses) + margin, height - bottom, 16)
    y_ticks, x_ticks = y.ticks(), x.ticks()
    places = _tick_places(y_ticks)
    grid = [
        tag("line", x1=left, x2=width - 14, y1=y(tick), y2=y(tick), stroke=LINE)
        + tag("text", number(tick, places), x=left - 10, y=y(tick) + 4, text_anchor="end")
        for tick in y_ticks
    ]
    steps = [
        tag("text", f"{tick:,.0f}", x=x(tick), y=height - bottom + 20, text_anchor="middle")
        for tick in x_ticks
        if tick == int(tick)
    ]
    dots = [
        tag("circle", cx=x(point.step), cy=y(point.loss), r=3.5, fill=colour, data_tip=_point_tip(point, what))
        for points, colour, what in ((validation, MINUS, "validation"), (evaluation, PLUS, "evaluation"))
        for point in points
    ]
    return tag(
        "svg",
        *grid,
        *steps,
        tag("text", "step", x=width - 14, y=height - 2, text_anchor="end"),
        _path(x, y, training, stroke=MUTED, stroke_width=1.1, opacity=0.75),
        *([_path(x, y, validation, stroke=MINUS, stroke_width=1.8, stroke_dasharray="5 4")] if validation else []),
        _path(x, y, evaluation, stroke=PLUS, stroke_width=2.2),
        *dots,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        class_="curve",
        role="img",
        aria_label=f"Loss in nats over {last} training steps",
    )


def _tick_places(ticks: Sequence[float]) -> int:
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    return next(places for places in range(12) if abs(round(step, places) - step) < step / 1000)


def _path(x: Scale, y: Scale, points: Sequence[Point], **style: object) -> Markup:
    corners = " ".join(f"{x(point.step):.1f},{y(point.loss):.1f}" for point in points)
    return tag("polyline", points=corners, fill="none", stroke_linejoin="round", **style)


def _point_tip(point: Point, what: str) -> str:
    return f"step {point.step}: {what} loss {number(point.loss, 3)} nats"


def _strip(scale: Scale, marks: Sequence[Markup], tip: str) -> Markup:
    grid = [
        tag("line", x1=scale.percent(tick), x2=scale.percent(tick), y1=0, y2=ROW, stroke=LINE) for tick in scale.ticks()
    ]
    zero = tag("line", x1=scale.percent(0), x2=scale.percent(0), y1=0, y2=ROW, class_="zero")
    return tag("svg", *grid, zero, *marks, class_="strip", height=ROW, data_tip=tip or None)


def _line(x1: str, x2: str, y: float, colour: str) -> Markup:
    return tag("line", x1=x1, x2=x2, y1=y, y2=y, stroke=colour, stroke_width=2, stroke_linecap="round")
