"""A receipt as one self-contained HTML page: no script, nothing loaded. What callers sent is always escaped.

A bar a contributor with its interval; contributors whose interval holds 0 are one grey bar, since nobody can tell them
apart from nothing. Question and answer are shown while the texts are kept, with the words marked that stand in a
retrieved row.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tribute.formatting import day, minus
from tribute.html import template
from tribute.micro import exact_micro
from tribute.server.reading.receipt_texts import pieces_of, question_of

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that are no text: browsers would act on them."""
MOST = 24
"""Bars that are shown; the others are summed."""
WORDS = {
    "pending": "It is not measured yet which contributors moved this answer; that is done before the month is closed.",
    "never": "The payer forbids to measure which contributors moved this answer; the contributors’ part of its price "
    "goes by the evaluation.",
    "no_gain": "The fine-tune did not make this answer more probable than its base did; the contributors’ part of the "
    "price goes by the evaluation.",
    "stand_in_below_half": "What made this answer more probable cannot be told well enough; the contributors’ part of "
    "the price goes by the evaluation.",
    "no_probability": "An answer of this kind has no probability that contributors could have moved; their part of the "
    "price goes by the evaluation.",
    "not_drawn": "This answer was not drawn to be measured; those that were stand for it.",
    "unpaid": "This answer funds nobody, so it was not measured.",
    "failed": "What moved this answer could not be measured; the contributors’ part of the price goes by the "
    "evaluation.",
}
"""Why nobody is named."""


def render(receipt: Mapping[str, Any], training: Any, texts: tuple[str, str] | None) -> str:
    """The page; `training` is the addendum's field, or what the receipt says without one; `texts` question, answer."""
    measured: dict[str, Any] = {"contributors": [], "gain": "0"}
    measured |= training if isinstance(training, dict) else {"status": training}
    drawn, price = bars(measured["contributors"]), receipt["price"]
    answered = pieces_of(texts[1]) if texts else []
    return template(__package__, "receipt.html", plain=plain).render(
        receipt=receipt,
        price=minus(exact_micro(price["micro"])),
        total=minus(exact_micro(price["total"])),
        what="an agent’s work" if receipt.get("children") else "an answer",
        model=receipt.get("model"),
        is_whole=receipt.get("complete", True),
        retrieved=receipt.get("retrieved", []),
        reason=receipt.get("reason", ""),
        day=day(receipt["time"][:10]),
        time=receipt["time"][11:19],
        texts=texts,
        asked=question_of(texts[0]) if texts else "",
        answered=answered,
        has_marks=any(row for _, row in answered),
        why=WORDS.get(measured["status"], ""),
        bars=drawn,
        whiskers=any(bar["reach"] for bar in drawn),
        gain=minus(f"{float(measured['gain']):.3f}"),
    )


def bars(lines: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """What the page draws: shares in percent, on a scale from the lowest bound to the highest."""
    rows: list[dict[str, Any]] = [
        {"name": line["contributor"]} | {key: float(line[key]) for key in ("share", "low", "high")} for line in lines
    ]
    certain = [row for row in rows if row["low"] > 0 or row["high"] < 0]
    shown, rest = certain[:MOST], [row for row in rows if row not in certain[:MOST]]
    if rest:
        uncertain = sum(row["share"] for row in rest)
        name = f"{len(rest)} more that cannot be told apart from zero" if len(certain) <= MOST else f"{len(rest)} more"
        shown = [*shown, {"name": name, "share": uncertain, "low": uncertain, "high": uncertain, "grey": True}]
    low, high = min([0.0, *(row["low"] for row in shown)]), max([0.01, *(row["high"] for row in shown)])

    def place(value: float) -> float:
        return float(round(100 * (value - low) / (high - low), 2))

    return [
        row
        | {
            "percent": minus(f"{100 * row['share']:.1f}"),
            "start": place(min(0.0, row["share"])),
            "width": place(max(0.0, row["share"])) - place(min(0.0, row["share"])),
            "whisker": place(row["low"]),
            "zero": place(0.0),
            "reach": place(row["high"]) - place(row["low"]),
            "grey": row.get("grey", False),
        }
        for row in shown
    ]


def plain(text: str) -> str:
    """The text with a mark in the place of every character that is none."""
    return CONTROL.sub("\ufffd", text)
