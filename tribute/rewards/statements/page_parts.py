"""A document's parts as a statement's page shows them: texts and the places of marks. Computes no amount."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tribute import formatting
from tribute.contributions.screening import findings
from tribute.formatting import money
from tribute.rewards.disputes.dispute import OPEN
from tribute.rewards.policy.policy import Policy
from tribute.rewards.statements import charts
from tribute.rewards.statements.document import Document

TOP_SLICES = 8
GONE = ("", "", "")
"""Row id, text and target of a row that the registry no longer has."""
CAUSES = {"pool": "The pool", "own_data": "Your own data", "others": "The others’ data", "policy": "The policy"}
SUM = (
    ("from before", "opening", 1),
    ("for this month", "accrued", 1),
    ("corrections", "adjusted", 1),
    ("withheld for tax", "withheld", -1),
    ("paid out", "paid", -1),
)
"""What is added up to what is owed: its name, its column, its sign."""
STAGES = {"accrued": "Accrued", "held": "Held", "payable": "Payable", "claim": "Claim"}


@dataclass(frozen=True)
class RegistryTexts:
    """What the registry says now: names by contributor id, and the own rows that are still there."""

    tag: str
    """The dataset version."""
    names: Mapping[str, str]
    rows: Mapping[str, tuple[str, str, str]]
    """Row hash → row id, text and target."""


def balance(row: Mapping[str, str], document: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    """One currency's balance. Terms that are zero are left out, but for the first two."""
    code = row["currency"]
    standing = {stage: int(document["standing"].get(code, {}).get(stage, "0")) for stage in STAGES}
    above = {stage: minor for stage, minor in standing.items() if minor > 0}
    parts = dict(zip(above, charts.parts(list(above.values())), strict=True))
    return {
        "currency": code,
        "terms": [
            (name, money(sign * int(row[column]), code, signed=place > 0))
            for place, (name, column, sign) in enumerate(SUM)
            if place < 2 or int(row[column])
        ],
        "closing": money(int(row["closing"]), code),
        "stages": [
            {
                "stage": stage,
                "name": STAGES[stage],
                "amount": money(minor, code),
                "note": _note(stage, code, document, policy),
                "part": parts.get(stage),
            }
            for stage, minor in standing.items()
            if minor
        ],
        "payments": [
            (money(int(paid["amount_minor"]), code), formatting.day(paid["value_date"]), paid["end_to_end_id"])
            for paid in document["payments"]
            if paid["currency"] == code
        ],
    }


def _note(stage: str, currency: str, document: Mapping[str, Any], policy: Policy) -> str:
    threshold = policy.threshold.get(currency)
    return {
        "accrued": f"open to dispute until {formatting.day(document['dispute']['until'])}, then payable",
        "held": f"held back until {formatting.day(document['held_until'])}, or while a dispute is decided",
        "payable": f"paid out from {threshold} {currency} on; less carries forward" if threshold else "to be paid out",
        "claim": "paid too much before; taken off what you earn later",
    }[stage]


def changes(document: Document) -> list[dict[str, Any]]:
    """A ladder from the amount of the period before to this one's, for each currency."""
    change = document["change"]
    if change is None:
        return []
    found = []
    for code, parts in change["currencies"].items():
        causes = [(label, Decimal(parts[name])) for name, label in CAUSES.items()]
        before, now = int(parts["before"]), int(parts["now"])
        if not before and not now:
            continue
        found.append(
            {
                "since": formatting.month(change["since"]),
                "rules": change["rules"] if change["rules"]["before"] != change["rules"]["now"] else None,
                "before": money(before, code),
                "now": money(now, code),
                "moved": money(now - before, code, signed=True),
                "bars": [
                    (bar, money(int(bar.value), code, signed=True)) for bar in charts.ladder(Decimal(before), causes)
                ],
            }
        )
    return found


def slices(document: Document) -> dict[str, Any]:
    """Bars of the credit on each part of the evaluation set, and their unit."""
    values = [(one["slice"], Decimal(one["credit"])) for one in document["slices"]]
    return {"bars": charts.bars(shortened(values)), "unit": formatting.unit([value for _, value in values])}


def shortened(slices: list[tuple[str, Decimal]]) -> list[tuple[str, Decimal]]:
    """The slices with most credit either way; the others as one."""
    if len(slices) <= TOP_SLICES:
        return slices
    kept = set(sorted(slices, key=lambda pair: (-abs(pair[1]), pair[0]))[: TOP_SLICES - 1])
    rest = [value for pair in slices if pair not in kept for value in pair[1:]]
    return [pair for pair in slices if pair in kept] + [(f"{len(rest)} others", sum(rest, Decimal(0)))]


def rows(document: Document, words: RegistryTexts) -> dict[str, Any]:
    """The rows that helped most and least; a text that is no longer there is named by its hash."""
    credits = [Decimal(row["credit"]) for some in document["rows"].values() for row in some]
    shown: dict[str, Any] = {"unit": formatting.unit(credits)}
    for name, some in document["rows"].items():
        shown[name] = [
            (*words.rows.get(row["row_hash"], GONE), row["row_hash"][:16], Decimal(row["credit"])) for row in some
        ]
    return shown


def exclusions(document: Document, words: RegistryTexts) -> list[dict[str, Any]]:
    """The rows not counted that are listed, each with its reason and whether another's row came first; never whose."""
    # The text of a row that came too close to the sealed evaluation would tell what is in there.
    return [
        {
            "row": words.rows.get(row["row_hash"], GONE),
            "sealed": row["reason_code"] == "near_evaluation",
            "hash": row["row_hash"][:16],
            "reason": findings.REASONS.get(row["reason_code"], row["reason_code"]),
            "first": _first(row["canonical_contributor_id"], document["contributor_id"]),
        }
        for row in document["not_counted"]["rows"]
    ]


def _first(canonical: str, own: str) -> str:
    return canonical and ("your own" if canonical == own else "another contributor’s")


def disputes(document: Document) -> list[dict[str, str]]:
    """What became of each dispute about the statement."""
    found = []
    for one in document["disputes"]:
        said = "is open; the money in dispute is held."
        if one["state"] != OPEN:
            amount = money(int(one["amount_minor"]), one["currency"], signed=True)
            said = f"was decided on {formatting.day(one['decided_at'])}: {amount}, on the statement of that month."
        found.append({"id": one["id"], "said": said})
    return found


def ids(document: Document, words: RegistryTexts) -> list[tuple[str, str]]:
    """Names and digests of what the statement was made from."""
    named = {name.replace("-", " ").capitalize(): id_ for name, id_ in document["made_from"].items()}
    evidence = {
        f"Evidence, pool {row['pool']}": row["evidence_sha256"] for row in document["proof"]["figures"]["allocation"]
    }
    return [("Dataset version", words.tag), *named.items(), *evidence.items()]
