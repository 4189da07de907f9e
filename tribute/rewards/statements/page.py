"""`<id>.html`, a statement as one page: a document's numbers in a contributor's words. Computes no amount.

Pages are self-contained HTML (inline CSS and SVG, no script, nothing loaded) and print on two sheets. A contributor
sees only rows of their own; of the others only their number and, without names, their credits. Contributed text is
always escaped, and comes from the registry as it is now: what was erased stands on no page made later.
"""

from bisect import bisect_right
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tribute import formatting
from tribute.contributions.screening import REASONS
from tribute.formatting import money, percent
from tribute.html import template
from tribute.money import format_amount
from tribute.rewards.allocation import card_figures
from tribute.rewards.allocation.weights import BLEND, TOKENS, counted_credit, weight_of
from tribute.rewards.statements import charts, page_parts, steps, wording
from tribute.rewards.statements.document import LEAST_ROWS, Document
from tribute.rewards.statements.page_parts import RegistryTexts
from tribute.rewards.statements.records import PeriodRecords
from tribute.rewards.tables import ALLOCATION, AllocationRow

MOST_MARKS = 500
"""A strip shows no more of the others' credits than that: every second, third … by rank, where there are more."""
NO_ALLOCATION = "Nothing was allocated to you for this month. This statement shows what is still owed to you."


class Pages:
    """Renders the documents of one period, page after page."""

    def __init__(self, folder: PeriodRecords) -> None:
        self.folder = folder
        trained = {line.contributor_id for line in folder.folder.allocation if line.rows_canonical}
        self.scores = sorted(folder.evaluated.get(name, Decimal(0)) for name in trained)
        self.all_credit = sum((max(score, Decimal(0)) for score in self.scores), Decimal(0))
        self.common = {
            "month": formatting.month(folder.period),
            "policy": folder.policy,
            "verdict": folder.verdict,
            "made_by": card_figures.made_by(folder.card),
            "day": formatting.day,
            "scaled": formatting.scaled,
            "sentence_case": formatting.sentence_case,
            **self._card(),
        }

    def render(self, document: Document, texts: RegistryTexts) -> str:
        """One contributor's page."""
        lines = list(map(ALLOCATION.parse, document["proof"]["figures"]["allocation"]))
        main = max(lines, key=lambda row: (self._by_shares(row), row.amount_minor), default=None)
        return template(__package__, "statement.html", unbroken=formatting.unbroken).render(
            **self.common,
            document=document,
            name=texts.names.get(document["contributor_id"], document["contributor_id"]),
            amounts=self._amounts(lines),
            lead=self._lead(main, texts) if main else NO_ALLOCATION,
            path=self._path(main) if main and main.amount_minor else None,
            figures=self._figures(main) if main else [],
            balances=[
                page_parts.balance(row, document, self.folder.policy)
                for row in document["proof"]["figures"]["balances"]
            ],
            share=self._share(document),
            changes=page_parts.changes(document),
            slices=page_parts.slices(document),
            rows=page_parts.rows(document, texts),
            least_rows=LEAST_ROWS,
            exclusions=page_parts.exclusions(document, texts),
            reasons=[(REASONS.get(code, code), count) for code, count in document["not_counted"]["reasons"].items()],
            without=self._without(document),
            steps=self._steps(main) if main else [],
            others=[self._other(row) for row in lines if row is not main],
            by_tokens=bool(main and main.rule == TOKENS),
            divided_by=self._divided_by(),
            disputes=page_parts.disputes(document),
            use=page_parts.use(document),
            deferred=[formatting.month(month) for month in (document["use_seal"] or {}).get("deferred", ())],
            ids=page_parts.ids(document, texts),
        )

    def _evaluated(self, row: AllocationRow) -> Decimal:
        """The credit on the evaluation of the contributor of a line, nats."""
        return self.folder.evaluated.get(row.contributor_id, Decimal(0))

    def _by_shares(self, row: AllocationRow) -> bool:
        return self.folder.policy.pools[row.pool].pays == "shares"

    def _card(self) -> dict[str, Any]:
        """The figures of the card that no check asks for, and what each check is about."""
        figures = card_figures.figures(self.folder.card)
        asked = {check.name for check in self.folder.verdict.checks}
        ungated = [figure for figure in figures if figure.name not in asked]
        return {
            "abouts": {figure.name: figure.about for figure in figures},
            "measured": [figure for figure in ungated if figure.found != card_figures.NOT_MEASURED],
            "unmeasured": [figure.name for figure in ungated if figure.found == card_figures.NOT_MEASURED],
        }

    def _amounts(self, lines: list[AllocationRow]) -> list[tuple[str, str, bool]]:
        """Number, currency and whether it is more than nothing, of what the period earns, for each currency."""
        totals = dict.fromkeys(self.folder.currencies, 0)
        for row in lines:
            totals[row.currency] += row.amount_minor
        return [(format_amount(minor, code, grouped=True), code, minor > 0) for code, minor in totals.items()]

    def _lead(self, main: AllocationRow, texts: RegistryTexts) -> str:
        line = self.folder.line(main)
        return wording.reason(
            line,
            credit_share=percent(self._evaluated(main), self.all_credit),
            token_share=percent(line.weight, self._weights(main)),
            smallest=money(1, main.currency),
            tag=texts.tag,
        )

    def _path(self, main: AllocationRow) -> wording.Path:
        """From the credit, or the tokens, of an amount above zero to that amount."""
        pool, weight = self.folder.pools[main.pool, main.currency], weight_of(main)
        amount, digits = money(main.amount_minor, main.currency), _digits(weight, self._weights(main))
        part = percent(weight, self._weights(main), digits)
        if main.rule == TOKENS:
            return wording.token_path(
                tokens=f"{weight.numerator:,}",
                all_tokens=f"{self._weights(main).numerator:,}",
                part=part,
                pool=money(pool, main.currency),
                amount=amount,
            )
        line = self.folder.line(main)
        if line.parts and (line.parts.reliability < 1 or line.claim.by_payers is not None):
            paid = money(pool, main.currency)
            return wording.blend_path(line.parts, digits=max(digits, 2), pool=paid, amount=amount)
        counted = counted_credit(line.claim, self.folder.policy.exact_kappa)
        # Of a pool that pays queries, the scores of its lines are not the credit on the evaluation.
        mine = [row for row in self.folder.folder.allocation if (row.pool, row.currency) == (main.pool, main.currency)]
        everybody = sum((max(row.score, Decimal(0)) for row in mine), Decimal(0))
        return wording.credit_path(
            credit=percent(main.score, everybody, digits),
            counted=percent(counted, everybody, digits),
            all_counted=percent(counted * self._weights(main) / weight, everybody, digits),
            part=part,
            pool=money(pool, main.currency),
            amount=amount,
        )

    def _figures(self, main: AllocationRow) -> list[tuple[str, str, str]]:
        """(Name, value, note) of the four numbers at the top."""
        trained, excluded, score = main.rows_canonical, main.rows_excluded, self._evaluated(main)
        pool = self.folder.pools[main.pool, main.currency]
        place = str(1 + len(self.scores) - bisect_right(self.scores, score)) if trained else "–"
        tokens = self.folder.tokens.get(main.contributor_id, 0)
        counting = f"of {self._weights(main).numerator:,} that count" if weight_of(main) else "none of them counts"
        return [
            ("Part of the pool", percent(main.amount_minor, pool), f"of {money(pool, main.currency)}"),
            ("Rows counted", f"{trained:,}", f"of {int(main.rows_submitted):,} contributed"),
            ("Rows not counted", f"{excluded:,}", "reasons below" if excluded else "none"),
            ("Training tokens", f"{tokens:,}", counting)
            if main.rule == TOKENS
            else ("Distinct content", f"{main.content:,}", "runs of words that no earlier row has")
            if self.folder.verdict.words == "content"
            else ("Place by credit", place, f"of {len(self.scores)} contributors"),
        ]

    def _share(self, document: Document) -> dict[str, Any] | None:
        """The strip of everybody's credit, and the contributor's own in percent of all credit above zero."""
        credit = document["credit"]
        if credit is None or "low" not in credit:
            return None
        values = {name: Decimal(credit[name]) for name in ("credit", "low", "high", "counted")}
        others = self.scores[:: 1 + len(self.scores) // MOST_MARKS]
        if values["credit"] in others:
            others.remove(values["credit"])
        return {
            "strip": charts.strip(**values, others=others),
            "minus": values["credit"] < 0,
            "counts": values["counted"] > 0,
            "confidence": f"{100 * Decimal(credit['confidence']):.0f} %",
            **{name: percent(value, self.all_credit) for name, value in values.items()},
        }

    def _divided_by(self) -> str:
        """What decides the pay, in the words of the strip of credits."""
        verdict = self.folder.verdict
        if verdict.rule == TOKENS:
            return "It does not decide this month’s pay: tokens do."
        if verdict.rule == BLEND and verdict.credit_part < 1:
            part = percent(verdict.credit_part, 1)
            return f"{part} of the pool is divided by what remains after its uncertainty, the rest by distinct content."
        return "The pool is divided by what remains after the uncertainty is subtracted."

    def _without(self, document: Document) -> dict[str, str] | None:
        """The effect of leaving the contributor out, in words and as a part of all that was learned."""
        without = document["without_you"]
        if without is None:
            return None
        effect, unit = Decimal(without["effect"]), formatting.unit([Decimal(without["effect"])])
        error = None if without["se"] is None else formatting.scaled(Decimal(without["se"]), unit).lstrip("+")
        gain = self.folder.card.get("total")
        return {
            "how": without["how"],
            "worse": "higher" if effect > 0 else "lower",
            "by": formatting.scaled(abs(effect), unit).lstrip("+") + (f" ± {error}" if error else ""),
            "unit": unit[2],
            "share": "" if gain is None else percent(abs(effect), Decimal(str(gain))),
        }

    def _steps(self, main: AllocationRow) -> list[steps.Step]:
        return steps.steps(
            self.folder.line(main),
            pool=self.folder.pools[main.pool, main.currency],
            currency=main.currency,
            kappa=self.folder.policy.kappa,
            seeds=len(self.folder.card["seeds"]) if main.rows_canonical else None,
            total=self._weights(main),
        )

    def _other(self, row: AllocationRow) -> tuple[str, str, str]:
        pool = self.folder.pools[row.pool, row.currency]
        part = percent(weight_of(row), self._weights(row), digits=6)
        return (
            f"Pool {row.pool}",
            f"{part} of {money(pool, row.currency)}",
            money(row.amount_minor, row.currency),
        )

    def _weights(self, row: AllocationRow) -> Fraction:
        return self.folder.weights[row.pool, row.currency]


def _digits(part: Fraction, whole: Fraction) -> int:
    """How many decimals a percentage needs to show two significant digits, 1 to 6."""
    return next((digits for digits in range(1, 6) if 100 * part * 10 ** (digits - 1) >= whole), 6)
