"""An explanation as one self-contained HTML page: no script, nothing loaded. Contributed text is always escaped."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from tribute.attribution.answers.explain import Explanation
from tribute.attribution.answers.lexical import shared_spans
from tribute.formatting import minus
from tribute.html import template

CONTRIBUTORS, ROWS, ALIKE = 24, 8, 5
"""How many contributors, rows on either side, and lexically similar rows the page shows."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that are no text: terminals and browsers would act on them."""


def render(explanation: Explanation, run: Mapping[str, Any]) -> str:
    """The page as HTML; `run` is the run's record."""
    rows = explanation.rows
    helped, hindered = rows[rows["score"] > 0].head(ROWS), rows[rows["score"] < 0].iloc[::-1].head(ROWS)
    alike = rows[rows["bm25"] > 0].sort_values("bm25", ascending=False, kind="stable").head(ALIKE)
    return template(__package__, "explain.html", plain=plain, number="{:,}".format).render(
        explanation=explanation,
        run=run,
        contributors=_forest(explanation.contributors),
        helped=_marked(helped, explanation),
        hindered=_marked(hindered, explanation),
        alike=_marked(alike, explanation),
    )


def plain(text: str) -> str:
    """The text with a mark in the place of every character that is none."""
    return CONTROL.sub("\ufffd", text)


def nats(value: float, largest: float) -> str:
    """A signed number with three digits for the largest of its table."""
    places = 3
    while places < 9 and abs(largest) < 10.0 ** (1 - places + 1):
        places += 1
    return minus(f"{value:+.{places}f}")


def marked(text: str, others: Sequence[str]) -> Markup:
    """The text, escaped, with what it shares with others word for word in <mark>."""
    text, place, parts = plain(text), 0, []
    for start, end in shared_spans(text, others):
        parts += [escape(text[place:start]), Markup("<mark>{}</mark>").format(text[start:end])]
        place = end
    return Markup("").join([*parts, escape(text[place:])])


def _marked(rows: pd.DataFrame, explanation: Explanation) -> list[dict[str, Any]]:
    asked = [plain(explanation.text), plain(explanation.moved.answer)]
    largest = float(explanation.rows["score"].abs().max())
    return [
        {
            **row,
            "text": marked(row["text"], asked),
            "target": marked(row["target"], asked),
            "score": nats(row["score"], largest),
            "sign": "minus" if row["score"] < 0 else "plus",
            "certain": row["low"] > 0 or row["high"] < 0,
            "interval": f"{nats(row['low'], largest)} to {nats(row['high'], largest)}",
        }
        for row in rows.to_dict("records")
    ]


def _forest(contributors: pd.DataFrame) -> dict[str, Any]:
    """The contributors with the largest scores on either side, as whiskers on one axis; places are in percent."""
    chosen = contributors.loc[contributors["score"].abs().nlargest(CONTRIBUTORS).index]
    chosen = chosen.sort_values("score", ascending=False, kind="stable")
    low, high = min(0.0, float(chosen["low"].min())), max(0.0, float(chosen["high"].max()))
    span, largest = (high - low) or 1.0, float(chosen["score"].abs().max())

    def place(value: float) -> str:
        return f"{2 + 96 * (value - low) / span:.2f}%"

    lines = [
        {
            **line,
            "x": place(line["score"]),
            "x1": place(line["low"]),
            "x2": place(line["high"]),
            "value": nats(line["score"], largest),
            "interval": f"{nats(line['low'], largest)} to {nats(line['high'], largest)}",
            "tone": "none" if line["low"] <= 0 <= line["high"] else "minus" if line["score"] < 0 else "plus",
        }
        for line in chosen.to_dict("records")
    ]
    return {"lines": lines, "zero": place(0.0), "left_out": len(contributors) - len(lines)}
