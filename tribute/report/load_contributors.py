"""Reads what a run, or the period that it drafted, comes to for each contributor. Draws nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq

from tribute.artifacts import Artifact
from tribute.report.sources import Sources
from tribute.report.view import Contributor, Pay
from tribute.rewards.period import PeriodFolder
from tribute.rewards.tables import AllocationRow
from tribute.workspace import Workspace


def pay_of(rewards: Artifact) -> Pay:
    """What the period of a run paid."""
    paid = PeriodFolder(rewards.path)
    allocation = _one_currency(paid.allocation)
    return Pay(
        verdict=paid.verdict,
        policy=rewards.identity["config"]["policy"],
        policy_sha256=rewards.inputs["policy"],
        currency=allocation[0].currency,
        pool=sum(line.amount_minor for line in allocation),
    )


def _one_currency(allocation: Sequence[AllocationRow]) -> list[AllocationRow]:
    """One line per contributor, its amounts summed over the pools of the first currency: figures show one currency."""
    lines: dict[str, AllocationRow] = {}
    for line in allocation:
        if line.currency == allocation[0].currency:
            before = lines.get(line.contributor_id, line._replace(amount_minor=0))
            status = before.status if before.amount_minor or not line.amount_minor else line.status
            total = before.amount_minor + line.amount_minor
            lines[line.contributor_id] = before._replace(amount_minor=total, status=status)
    return list(lines.values())


def contributors_of(workspace: Workspace, sources: Sources, train: Any) -> list[Contributor]:
    """Who gets what, the largest credit first; where nobody is paid, those of whom rows were trained on."""
    shares = {line["contributor_id"]: line for line in parquet_rows(sources.attribution, "shares")}
    rows = Counter(train["contributor_id"].to_pylist())
    if sources.rewards is not None:
        return _paid(workspace, PeriodFolder(sources.rewards.path), shares, rows)
    contributors = [
        Contributor(
            id=id_,
            rows=rows[id_],
            excluded=0,
            credit=share["credit"],
            low=share["low"],
            high=share["high"],
            share=share["share"],
            minor=0,
            status="",
            statement=None,
            tokens=0,
        )
        for id_, share in shares.items()
    ]
    return sorted(contributors, key=_by_credit)


def _paid(
    workspace: Workspace, paid: PeriodFolder, shares: Mapping[str, Mapping[str, Any]], rows: Mapping[str, int]
) -> list[Contributor]:
    statements = workspace.statements / paid.path.name
    contributors = []
    for line in _one_currency(paid.allocation):
        id_ = line.contributor_id
        share = shares.get(id_, {}) if rows.get(id_) else {}
        statement = statements / f"{id_}.html"
        contributors.append(
            Contributor(
                id=id_,
                rows=rows.get(id_, 0),
                excluded=line.rows_excluded,
                credit=share.get("credit"),
                low=share.get("low"),
                high=share.get("high"),
                share=share.get("share", 0.0),
                minor=line.amount_minor,
                status=line.status,
                statement=statement if statement.exists() else None,
                tokens=paid.tokens.get(id_, 0),
            )
        )
    return sorted(contributors, key=_by_credit)


def _by_credit(contributor: Contributor) -> tuple[bool, float, str]:
    return contributor.credit is None, -(contributor.credit or 0.0), contributor.id


def parquet_rows(artifact: Artifact, name: str) -> list[dict[str, Any]]:
    """The rows of one of an artifact's Parquet files."""
    rows: list[dict[str, Any]] = pq.read_table(artifact.file(f"{name}.parquet")).to_pylist()
    return rows
