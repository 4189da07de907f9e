"""SVG elements and scales. Knows nothing of what is drawn."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from markupsafe import Markup, escape


def tag(name: str, *children: str, **attributes: Any) -> Markup:
    """An element with everything escaped that is not markup already.

    `class_` and `text_anchor` become `class` and `text-anchor`; a float is written with one decimal,
    an attribute of None is left out.
    """
    written = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{''.join(written)}>{''.join(escape(child) for child in children)}</{name}>")


@dataclass(frozen=True)
class Scale:
    """Maps `low`..`high` linearly onto `start`..`end`."""

    low: float
    high: float
    start: float = 0.0
    end: float = 100.0
    about: int = 5

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def percent(self, value: float) -> str:
        """Where a value lies, as an SVG length."""
        return f"{self(value):.2f}%"

    def ticks(self) -> list[float]:
        """Round values inside the scale, some `about` of them."""
        raw = (self.high - self.low) / self.about
        power = 10.0 ** floor(log10(raw))
        step = next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= raw)
        return [index * step for index in range(ceil(self.low / step), floor(self.high / step) + 1)]


def scale_over(values: Iterable[float], about: int = 5) -> Scale:
    """A percentage scale over the values and zero, with a margin on both sides."""
    values = [0.0, *values]
    low, high = min(values), max(values)
    margin = ((high - low) or 1.0) * 0.05
    return Scale(low - margin, high + margin, about=about)


def _short(value: Any) -> Any:
    return f"{value:.1f}" if isinstance(value, float) else value
