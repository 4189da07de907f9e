"""A document's parts as a statement's page shows them: texts and the places of marks. Computes no amount."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tribute import formatting
from tribute.contributions.screening import REASONS
from tribute.formatting import money
from tribute.rewards.disputes.dispute import OPEN
from tribute.rewards.policy.policy import Policy
from tribute.rewards.statements import charts, wording
from tribute.rewards.statements.document import Document

TOP_SLICES = 8
NO_TEXT = ("", "", "")
"""Row id, text and target of a row that the registry no longer has."""
CAUSES = {
    "pool": "Size of the pool",
    "own_data": "Your data",
    "others": "Other contributors’ data",
    "policy": "The policy",
}
TERMS = (
    ("from earlier months", "opening", 1),
    ("for this month", "accrued", 1),
    ("corrections", "adjusted", 1),
    ("withheld for tax", "withheld", -1),
    ("paid out", "paid", -1),
)
"""What is added up to what is owed: its name, its column, its sign."""


@dataclass(frozen=True)
class RegistryTexts:
    """What the registry says now: names by contributor id, and the contributor's rows that are still there."""

    tag: str
    """The dataset version."""
    names: Mapping[str, str]
    rows: Mapping[str, tuple[str, str, str]]
    """Row hash → row id, text and target."""


def balance(row: Mapping[str, str], document: Document, policy: Policy) -> dict[str, Any]:
    """One currency's balance. Terms that are zero are left out, but for the first two."""
    code = row["currency"]
    return {
        "currency": code,
        "terms": [
            (name, money(sign * int(row[column]), code, signed=place > 0))
            for place, (name, column, sign) in enumerate(TERMS)
            if place < 2 or int(row[column])
        ],
        "closing": money(int(row["closing"]), code),
        "standing": _standing(code, document, policy),
        "payments": [
            (
                money(int(payment["amount_minor"]), code),
                formatting.day(payment["value_date"]),
                payment["end_to_end_id"],
            )
            for payment in document["payments"]
            if payment["currency"] == code
        ],
        "corrections": [
            _correction(correction) for correction in document["corrections"] if correction["currency"] == code
        ],
    }


def _standing(code: str, document: Document, policy: Policy) -> list[dict[str, Any]]:
    """Where the money is, amounts of zero left out; `part` is its place in a bar of all that is above zero."""
    amounts = document["standing"].get(code, {})
    standing = {name: int(amounts.get(name, "0")) for name in wording.STANDING}
    above = {name: minor for name, minor in standing.items() if minor > 0}
    parts = dict(zip(above, charts.parts(list(above.values())), strict=True))
    return [
        {
            "class": name,
            "name": wording.STANDING[name],
            "amount": money(minor, code),
            "note": _note(name, code, document, policy),
            "part": parts.get(name),
        }
        for name, minor in standing.items()
        if minor
    ]


def _note(name: str, currency: str, document: Document, policy: Policy) -> str:
    threshold = policy.threshold.get(currency)
    return {
        "accrued": f"open to dispute until {formatting.day(document['dispute']['until'])}, then payable",
        "held": f"held back until {formatting.day(document['held_until'])}, or while a dispute is being decided",
        "payable": (
            f"paid out once it reaches {threshold} {currency}; until then it stays yours"
            if threshold
            else "paid out with the next payments"
        ),
        "claim": "you were paid too much before; it is deducted from what you earn later",
    }[name]


def _correction(correction: Mapping[str, Any]) -> dict[str, str]:
    reason = str(correction["reason"]).replace("_", " ")
    if correction["dispute"]:
        on_appeal = str(correction["reason"]).partition("/")[2] not in ("", "1")
        reason = f"Dispute {correction['dispute']}, {'decided on appeal' if on_appeal else 'decided by the reviewers'}"
    first, *others = correction["entries"]
    return {
        "event": wording.EVENTS[correction["event"]],
        "amount": money(int(correction["amount_minor"]), correction["currency"], signed=True),
        "day": formatting.day(correction["date"]),
        "reason": reason,
        "entry": first + (f" and {len(others)} more" if others else ""),
        "corrects": ", ".join(correction["corrects"]),
    }


def changes(document: Document) -> list[dict[str, Any]]:
    """A waterfall from the amount of the period before to this one's, for each currency that has either."""
    change = document["change"]
    if change is None:
        return []
    since, now = formatting.month(change["since"]), formatting.month(document["period"])
    waterfalls = []
    for code, parts in change["currencies"].items():
        before, after = int(parts["before"]), int(parts["now"])
        if not before and not after:
            continue
        causes = [(label, Decimal(parts[name])) for name, label in CAUSES.items()]
        bars = charts.waterfall((since, Decimal(before)), causes, now)
        waterfalls.append(
            {
                "since": since,
                "rules": change["rules"] if change["rules"]["before"] != change["rules"]["now"] else None,
                "before": money(before, code),
                "now": money(after, code),
                "moved": money(after - before, code, signed=True),
                "bars": [
                    {
                        "bar": bar,
                        "total": place in (0, len(bars) - 1),
                        "amount": money(int(bar.value), code, signed=0 < place < len(bars) - 1),
                    }
                    for place, bar in enumerate(bars)
                ],
            }
        )
    return waterfalls


def slices(document: Document) -> dict[str, Any]:
    """Bars of the credit on each part of the evaluation set, and their unit."""
    values = [(part["slice"], Decimal(part["credit"])) for part in document["slices"]]
    return {"bars": charts.bars(shortened(values)), "unit": formatting.unit([value for _, value in values])}


def shortened(slices: list[tuple[str, Decimal]]) -> list[tuple[str, Decimal]]:
    """The slices with most credit either way; the others as one."""
    if len(slices) <= TOP_SLICES:
        return slices
    kept = set(sorted(slices, key=lambda pair: (-abs(pair[1]), pair[0]))[: TOP_SLICES - 1])
    rest = [value for pair in slices if pair not in kept for value in pair[1:]]
    return [pair for pair in slices if pair in kept] + [(f"{len(rest)} others", sum(rest, Decimal(0)))]


def rows(document: Document, texts: RegistryTexts) -> dict[str, Any]:
    """The rows that helped most and least; a text that is no longer there is named by its hash."""
    credits = [Decimal(row["credit"]) for ranked in document["rows"].values() for row in ranked]
    lists = {
        name: [
            (*texts.rows.get(row["row_hash"], NO_TEXT), row["row_hash"][:16], Decimal(row["credit"])) for row in ranked
        ]
        for name, ranked in document["rows"].items()
    }
    return {"unit": formatting.unit(credits), **lists}


def exclusions(document: Document, texts: RegistryTexts) -> list[dict[str, Any]]:
    """The rows not counted that are listed, each with its reason and whether another's row came first; never whose."""
    return [
        {
            "row": texts.rows.get(row["row_hash"], NO_TEXT),
            "hash": row["row_hash"][:16],
            "reason": REASONS.get(row["reason_code"], row["reason_code"]),
            "first": _first(row["canonical_contributor_id"], document["contributor_id"]),
        }
        for row in document["not_counted"]["rows"]
    ]


def _first(canonical: str, contributor_id: str) -> str:
    return canonical and ("your own" if canonical == contributor_id else "another contributor’s")


def use(document: Document) -> list[dict[str, str]]:
    """What each served model's answers earned; the answers that name the contributor, and their credit."""
    return [
        {
            "model": line["model"],
            "earned": formatting.quota(Fraction(line["earned_minor"]), line["currency"]),
            "moved": f"{int(line['moved']):,} of {int(line['answers']):,}",
            "credit": formatting.signed(float(line["credit"]), 4),
        }
        for line in document["use"]
    ]


def disputes(document: Document) -> list[dict[str, str]]:
    """What became of each dispute about the statement."""
    return [{"id": dispute["id"], "outcome": _outcome(dispute)} for dispute in document["disputes"]]


def _outcome(dispute: Mapping[str, Any]) -> str:
    decisions = [
        f"{formatting.day(outcome['decided_at'])}: "
        f"{money(int(outcome['amount_minor']), dispute['currency'], signed=True)}"
        for outcome in dispute.get("outcomes", [])
    ]
    if not decisions:
        return "is open. The money in dispute is held."
    where = "You find the correction on the statement of the month in which it was decided."
    if len(decisions) == 1:
        appealed = " The appeal is open, and the money in dispute is held again." if dispute["state"] == OPEN else ""
        return f"was decided on {decisions[0]}.{appealed} {where}"
    total = money(int(dispute["amount_minor"]), dispute["currency"], signed=True)
    return f"was decided on {decisions[0]}, and on appeal on {decisions[1]}. Together {total}. {where}"


def ids(document: Document, texts: RegistryTexts) -> list[tuple[str, str]]:
    """Names and digests of what the statement was made from."""
    named = {name.replace("-", " ").capitalize(): id_ for name, id_ in document["made_from"].items()}
    if document["use_seal"]:
        named["Receipts of the month, root"] = document["use_seal"]["receipts_root"]
    evidence = {
        f"Evidence, pool {row['pool']}": row["evidence_sha256"] for row in document["proof"]["figures"]["allocation"]
    }
    return [("Dataset version", texts.tag), *named.items(), *evidence.items()]
