"""One page for one contributor: what was earned, by which rule and why, and how to check it. Computes no amount.

Pages are self-contained HTML (inline CSS and SVG, no script, nothing loaded). A contributor sees only own
rows; of the others only their number and, without names, their credits. Contributed text is always escaped.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from tribute.money import format_amount
from tribute.rewards import calculation, card, charts, wording
from tribute.rewards.allocation import TOKENS, Line
from tribute.rewards.gate import Verdict
from tribute.rewards.policy import Policy
from tribute.rewards.sources import Sources
from tribute.rewards.tables import decimal_floor
from tribute.rewards.wording import percent

HERE = Path(__file__).parent
PAGE_FILES = ("statement.html", "style.css")
TOP_ROWS = 10
TOP_SLICES = 12
SHOWN_EXCLUSIONS = 10


@dataclass(frozen=True)
class Period:
    """What is the same on every page of a period; amounts in minor units."""

    period: str
    currency: str
    pool: int
    policy: Policy
    sources: Sources
    verdict: Verdict
    lines: tuple[Line, ...]
    ids: tuple[tuple[str, str], ...]
    """Names and digests of what the period was calculated from, in the order shown."""


@dataclass(frozen=True)
class RowCredit:
    """One of the contributor's own rows; credit in nats, summed over all slices."""

    row_id: str
    text: str
    target: str
    credit: Decimal


@dataclass
class _Own:
    slices: list[tuple[str, Decimal]] = field(default_factory=list)
    rows: list[RowCredit] = field(default_factory=list)
    exclusions: list[dict[str, Any]] = field(default_factory=list)


class StatementWriter:
    """Sorts a period's evidence by contributor once, then renders page after page."""

    def __init__(self, period: Period, evidence: Any) -> None:
        self.period = period
        self.own = {line.contributor_id: _Own() for line in period.lines}
        self._sort_evidence(evidence)
        self._sort_exclusions()
        self.total_weight = sum((line.weight for line in period.lines), Fraction(0))
        self.total_credit = sum((max(line.claim.score, Decimal(0)) for line in period.lines), Decimal(0))

    def render(self, line: Line) -> str:
        """The page of one contributor."""
        own, sources = self.own[line.contributor_id], self.period.sources
        about = sources.dataset["contributors"][line.contributor_id]
        helped, least = _extremes(own.rows)
        unit = wording.unit([row.credit for row in own.rows])
        slice_unit = wording.unit([value for _, value in own.slices])
        share = sources.shares.get(line.contributor_id)
        seeds = share.seeds if share else None
        figures, asked = card.figures(sources.card), {check.name for check in self.period.verdict.checks}
        return _template().render(
            period=self.period,
            month=wording.month(self.period.period),
            line=line,
            about=about,
            amount=self._money(line.amount),
            reason=wording.reason(
                line,
                credit_share=percent(line.claim.score, self.total_credit),
                token_share=percent(line.weight, self.total_weight),
                smallest=self._money(1),
                tag=sources.dataset["tag"],
            ),
            figures=self._figures(line),
            strip=self._strip(line),
            interval=self._interval(line),
            confidence=f"{100 * sources.confidence:.0f} %",
            bars=charts.bars(_shorten(own.slices)),
            slice_unit=slice_unit,
            helped=helped,
            least=least,
            unit=unit,
            scaled=wording.scaled,
            exclusions=own.exclusions[:SHOWN_EXCLUSIONS],
            exclusions_more=max(0, len(own.exclusions) - SHOWN_EXCLUSIONS),
            steps=calculation.steps(
                line,
                pool=self.period.pool,
                currency=self.period.currency,
                kappa=self.period.policy.kappa,
                seeds=seeds,
                total=self.total_weight,
                among=len(self.period.lines),
            ),
            verdict=self.period.verdict,
            abouts={figure.name: figure.about for figure in figures},
            ungated=[figure for figure in figures if figure.name not in asked],
            made_by=card.made_by(sources.card),
            not_measured=card.NOT_MEASURED,
            sentence_case=wording.sentence_case,
            by_tokens=line.rule == TOKENS,
            ids=[*self.period.ids, *self._contributions(line.contributor_id)],
            trained=line.claim.rows_canonical > 0,
        )

    def _sort_evidence(self, evidence: Any) -> None:
        train = {row["content_sha256"]: row for row in self.period.sources.train.to_pylist()}
        by_row = evidence.group_by(["contributor_id", "row_hash"]).aggregate([("score", "sum")])
        for group in by_row.to_pylist():
            row = train[group["row_hash"]]
            credit = RowCredit(row["row_id"], row["text"], row["target"], group["score_sum"])
            self.own[group["contributor_id"]].rows.append(credit)
        by_slice = evidence.group_by(["contributor_id", "query"]).aggregate([("score", "sum")])
        for group in by_slice.to_pylist():
            self.own[group["contributor_id"]].slices.append((group["query"], group["score_sum"]))
        for own in self.own.values():
            own.rows.sort(key=lambda row: (-row.credit, row.row_id))
            own.slices.sort(key=lambda pair: (-pair[1], pair[0]))

    def _sort_exclusions(self) -> None:
        # A text is shown only where it is the contributor's own: after normalisation it equals a counted one.
        texts = {row["text_sha256"]: row["text"] for row in self.period.sources.train.to_pylist()}
        names = self.period.sources.dataset["contributors"]
        for row in sorted(self.period.sources.exclusions, key=lambda row: _place(row["row_id"])):
            first = row["canonical_contributor_id"]
            self.own[row["contributor_id"]].exclusions.append(
                {
                    "row_id": row["row_id"],
                    "text": texts.get(row["text_sha256"], "") if row["reason"] != "near_evaluation" else "",
                    "reason": wording.REASONS.get(row["reason"], row["reason"]),
                    "first": names[first]["name"] if first in names else "",
                    "own": first == row["contributor_id"],
                }
            )

    def _money(self, minor: int) -> str:
        return f"{format_amount(minor, self.period.currency, grouped=True)} {self.period.currency}"

    def _figures(self, line: Line) -> list[tuple[str, str, str]]:
        claim, others = line.claim, [other.claim for other in self.period.lines]
        ranked = [other for other in others if other.rows_canonical]
        place = str(1 + sum(other.score > claim.score for other in ranked)) if claim.rows_canonical else "–"
        counting = f"of {self.total_weight.numerator:,} that count" if line.weight else "none of them counts"
        return [
            ("Of the pool", percent(line.amount, self.period.pool), self._money(self.period.pool)),
            ("Rows counted", f"{claim.rows_canonical:,}", f"{claim.rows_submitted:,} handed in"),
            ("Rows not counted", f"{claim.rows_excluded:,}", "see below" if claim.rows_excluded else "none"),
            ("Training tokens", f"{claim.tokens:,}", counting)
            if line.rule == TOKENS
            else ("Place by credit", place, f"of {len(ranked)} contributors"),
        ]

    def _strip(self, line: Line) -> charts.Strip:
        share = self.period.sources.shares.get(line.contributor_id)
        low, high = (share.low, share.high) if share else (Decimal(0), Decimal(0))
        others = [other.claim.score for other in self.period.lines if other is not line and other.claim.rows_canonical]
        return charts.strip(line.claim.score, low, high, self._counted(line), others)

    def _interval(self, line: Line) -> dict[str, str]:
        share = self.period.sources.shares.get(line.contributor_id)
        values = {"credit": line.claim.score, "counted": self._counted(line)}
        values |= {"low": share.low, "high": share.high} if share else {}
        return {name: percent(value, self.total_credit) for name, value in values.items()}

    def _counted(self, line: Line) -> Decimal:
        """The part of the credit that pays; all of it where tokens pay, and nothing of it is drawn."""
        return line.claim.score if line.rule == TOKENS else decimal_floor(line.weight)

    def _contributions(self, contributor_id: str) -> list[tuple[str, str]]:
        every: Mapping[str, Mapping[str, Any]] = self.period.sources.dataset["contributions"]
        mine = {name: str(about["md5"]) for name, about in every.items() if about["contributor_id"] == contributor_id}
        return [(f"Contribution {name}, md5", md5) for name, md5 in sorted(mine.items())]


def page_digests() -> dict[str, str]:
    """File → sha256 of what pages are made with; part of a period's identity."""
    return {name: hashlib.sha256((HERE / name).read_bytes()).hexdigest() for name in PAGE_FILES}


@cache
def _template() -> jinja2.Template:
    # Autoescape for every file: contributed text must never become markup.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("statement.html")


def _place(row_id: str) -> tuple[str, int]:
    """Rows of a contribution in the order of their lines."""
    contribution, _, number = row_id.rpartition(":")
    return contribution, int(number)


def _extremes(rows: list[RowCredit]) -> tuple[list[RowCredit], list[RowCredit]]:
    """The rows that helped most, and of the others those that helped least, the least first."""
    helped = [row for row in rows[:TOP_ROWS] if row.credit > 0]
    least = rows[max(len(helped), len(rows) - TOP_ROWS) :]
    return helped, least[::-1]


def _shorten(slices: list[tuple[str, Decimal]]) -> list[tuple[str, Decimal]]:
    """The slices with most credit either way; the others as one."""
    if len(slices) <= TOP_SLICES:
        return slices
    kept = set(sorted(slices, key=lambda pair: (-abs(pair[1]), pair[0]))[: TOP_SLICES - 1])
    rest = [value for pair in slices if pair not in kept for value in pair[1:]]
    return [pair for pair in slices if pair in kept] + [(f"{len(rest)} others", sum(rest, Decimal(0)))]
