"""The chain in both directions, from what the artifacts recorded: from a payout to its rows, and back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tribute import ids
from tribute.artifacts import MANIFEST, Artifact, check_files, read_artifact
from tribute.contributions.dataset import read_description
from tribute.errors import RegistryError
from tribute.money import format_amount
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.rewards.period import read_rewards
from tribute.workspace import Workspace


@dataclass(frozen=True)
class Payout:
    """What a period allocated to a contributor, and the rows behind it."""

    run: dict[str, Any]
    contributor_id: str
    amounts: dict[str, str]
    """Currency → amount in major units, over all pools."""
    score: str
    """Credit in nats, with all its decimals."""
    status: str
    credits: dict[str, float]
    """Row id → credit in nats, the largest first."""
    texts: dict[str, str]
    """Row id → text."""


@dataclass(frozen=True)
class Use:
    """What became of a contribution, or of a row, in a run."""

    run: str
    dataset: str
    adapters: dict[str, str]
    model: str
    attribution: str
    contributor: str
    credit: float | None
    """In nats; None where the attribution is gone."""
    payout: str
    excluded: int


@dataclass(frozen=True)
class Part:
    """A contribution of a contributor in a run."""

    contribution: str
    rows: int
    dataset: str
    run: str
    paid: str


@dataclass(frozen=True)
class RunRecord:
    """A run's record."""

    run: dict[str, Any]


@dataclass(frozen=True)
class _Link:
    """A run and the artifacts it is made from."""

    run: dict[str, Any]
    dataset: Artifact
    facts: dict[str, Any]
    """`dataset.json`."""
    payouts: pd.DataFrame | None
    """The period's allocation, if this run paid it last."""
    unpaid: str
    """Why there are no payouts."""


def trace(workspace: Workspace, what: str) -> Payout | list[Use] | list[Part] | RunRecord:
    """Follow PERIOD/CONTRIBUTOR, CONTRIBUTION:LINE, a run, a contribution or a contributor.

    Raises RegistryError for an id that leads nowhere.
    """
    links = list(_links(workspace))
    if payout := ids.parse_payout(what):
        return _payout(workspace, links, *payout)
    if ids.is_row_id(what):
        return _uses(workspace, links, ids.contribution_of(what), what)
    if what in all_runs(workspace):
        return RunRecord(read_run(workspace, what))
    owners = {name: facts["contributor_id"] for link in links for name, facts in link.facts["contributions"].items()}
    if what in owners:
        return _uses(workspace, links, what, None)
    if what in owners.values():
        return _parts(links, what)
    raise RegistryError(
        f"{what} is no run, contribution, contributor, row (CONTRIBUTION:LINE) or payout (PERIOD/CONTRIBUTOR) "
        f"of a finished run in {workspace.root}; see `tribute versions` and runs/"
    )


def read_shares(workspace: Workspace, run_id: str) -> pd.DataFrame:
    """A run's shares of the improvement, the largest credit first. Raises WorkspaceError, IntegrityError."""
    attribution = workspace.store.get("attribution", read_run(workspace, run_id)["attribution"])
    check_files(attribution, lambda name: name == "shares.parquet")
    shares = pd.read_parquet(attribution.file("shares.parquet"))
    return shares.sort_values("credit", ascending=False, ignore_index=True)


def parts_of(workspace: Workspace, contributor: str) -> list[Part]:
    """A contributor's contributions in finished runs; empty where no run learned from any."""
    return _parts(list(_links(workspace)), contributor)


def in_words(amounts: Mapping[str, str]) -> str:
    """`12.50 EUR and 3.00 USD`."""
    return " and ".join(f"{amount} {code}" for code, amount in amounts.items())


def _links(workspace: Workspace) -> Iterator[_Link]:
    """Every finished run whose dataset is still there."""
    datasets = {dataset.id: dataset for dataset in workspace.store.all("dataset")}
    for run in (read_run(workspace, run_id) for run_id in all_runs(workspace)):
        if run["dataset"] in datasets:
            dataset = datasets[run["dataset"]]
            facts = read_description(dataset)
            yield _Link(run, dataset, facts, *_payouts(workspace, run))


def _payouts(workspace: Workspace, run: dict[str, Any]) -> tuple[pd.DataFrame | None, str]:
    """The allocation, or why this run has none."""
    if run["period"] is None:
        return None, "an experiment, which pays nobody"
    folder = workspace.rewards / run["period"]
    if not (folder / MANIFEST).exists():
        return None, f"{run['period']} is not paid"
    paid = read_artifact(folder)
    if paid.id != run["rewards"]:
        return None, f"{run['period']} was paid again since"
    check_files(paid, lambda name: name == "allocation.csv")
    return read_rewards(folder), ""


def _payout(workspace: Workspace, links: list[_Link], period: str, contributor: str) -> Payout:
    for link in links:
        if link.run["period"] == period and link.payouts is not None:
            lines = link.payouts[link.payouts["contributor_id"] == contributor]
            if len(lines):
                return _behind(workspace, link, lines)
    raise RegistryError(f"{contributor} has no line in the allocation of {period}; see rewards/{period}/allocation.csv")


def _behind(workspace: Workspace, link: _Link, lines: pd.DataFrame) -> Payout:
    line = lines.iloc[0]
    scores = _scores(workspace.store.get("attribution", link.run["attribution"]))
    credits = scores[scores["contributor_id"] == line.contributor_id].groupby("row_id")["credit"].sum()
    texts = pd.read_parquet(link.dataset.file("train.parquet")).set_index("row_id")["text"]
    ordered = credits.sort_values(ascending=False)
    return Payout(
        link.run,
        line.contributor_id,
        _amounts(lines),
        str(line.score),
        line.status,
        {str(row_id): float(credit) for row_id, credit in ordered.items()},
        {str(row_id): str(texts[row_id]) or "(erased)" for row_id in ordered.index},
    )


def _amounts(lines: pd.DataFrame) -> dict[str, str]:
    minor = lines.groupby("currency")["amount_minor"].sum()
    return {str(code): format_amount(int(amount), str(code)) for code, amount in minor.items()}


def _uses(workspace: Workspace, links: list[_Link], contribution: str, row: str | None) -> list[Use]:
    uses = []
    for link in links:
        if contribution in link.facts["contributions"]:
            facts = link.facts["contributions"][contribution]
            _refuse_row(row, int(facts["rows"]))
            use = Use(
                link.run["run_id"],
                link.run["tag"],
                link.run["adapters"],
                f"{link.run['registered_model']} v{link.run['model_version']}",
                link.run["attribution"],
                facts["contributor_id"],
                _credit(workspace, link, contribution, row),
                _paid(link, facts["contributor_id"]),
                _excluded(link, contribution, row),
            )
            uses.append(use)
    if not uses:
        raise RegistryError(f"no finished run used contribution {contribution}; see `tribute versions`")
    return uses


def _refuse_row(row: str | None, rows: int) -> None:
    if row is not None and not 1 <= ids.parse_row_id(row)[1] <= rows:
        raise RegistryError(f"there is no row {row}; the contribution has rows 1 to {rows}")


def _credit(workspace: Workspace, link: _Link, contribution: str, row: str | None) -> float | None:
    """None where the attribution is gone."""
    attributions = [each for each in workspace.store.all("attribution") if each.id == link.run["attribution"]]
    if not attributions:
        return None
    scores = _scores(attributions[0])
    rows = scores["row_id"]
    chosen = rows == row if row else rows.map(ids.contribution_of) == contribution
    return float(scores.loc[chosen, "credit"].sum())


def _scores(attribution: Artifact) -> pd.DataFrame:
    check_files(attribution, lambda name: name == "scores.parquet")
    return pd.read_parquet(attribution.file("scores.parquet"))


def _excluded(link: _Link, contribution: str, row: str | None) -> int:
    exclusions = pd.read_parquet(link.dataset.file("exclusions.parquet"))
    chosen = exclusions["row_id"] == row if row else exclusions["contribution_id"] == contribution
    return int(chosen.sum())


def _paid(link: _Link, contributor: str) -> str:
    if link.payouts is None:
        return link.unpaid
    lines = link.payouts[link.payouts["contributor_id"] == contributor]
    return f"{in_words(_amounts(lines))}, {link.run['period']}"


def _parts(links: list[_Link], contributor: str) -> list[Part]:
    return [
        Part(name, int(facts["rows"]), link.run["tag"], link.run["run_id"], _paid(link, contributor))
        for link in links
        for name, facts in link.facts["contributions"].items()
        if facts["contributor_id"] == contributor
    ]
