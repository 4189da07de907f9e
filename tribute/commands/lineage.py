"""`tribute trace`: the chain in both directions, from what the artifacts recorded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tribute import ids
from tribute.artifacts import MANIFEST, Artifact, check_files, read_artifact
from tribute.commands.output import Output, Table
from tribute.commands.stages import STATUS
from tribute.contributions.releases import read_description
from tribute.errors import RegistryError
from tribute.money import format_amount
from tribute.pipeline.runs import all_runs, read_run
from tribute.rewards.period import read_rewards
from tribute.workspace import Workspace

ROWS_SHOWN = 10


@dataclass(frozen=True)
class Link:
    """One run and the artifacts it stands on."""

    run: dict[str, Any]
    dataset: Artifact
    facts: dict[str, Any]
    """`dataset.json`."""
    payouts: pd.DataFrame | None
    """The period's allocation, if this run paid it last."""
    unpaid: str
    """Why there are no payouts."""


def trace(workspace: Path, what: str) -> Output:
    """What the id's form says: PERIOD/CONTRIBUTOR, CONTRIBUTION:LINE, run, contribution or contributor."""
    home = Workspace.open(workspace)
    links = list(_links(home))
    if payout := ids.parse_payout(what):
        return _payout(home, links, *payout)
    if ids.is_row_id(what):
        return _contribution(home, links, ids.contribution_of(what), what)
    if what in all_runs(home):
        return _run(read_run(home, what))
    known = {name: one["contributor_id"] for link in links for name, one in link.facts["contributions"].items()}
    if what in known:
        return _contribution(home, links, what, None)
    if what in known.values():
        return _contributor(links, what)
    raise RegistryError(
        f"{what} is no run, contribution, contributor, row (CONTRIBUTION:LINE) or payout (PERIOD/CONTRIBUTOR) "
        f"of a finished run in {home.root}; see `tribute versions` and runs/"
    )


def _links(home: Workspace) -> Iterator[Link]:
    """Every finished run whose dataset is still there."""
    datasets = {dataset.id: dataset for dataset in home.store.all("dataset")}
    for run in (read_run(home, run_id) for run_id in all_runs(home)):
        if run["dataset"] in datasets:
            dataset = datasets[run["dataset"]]
            facts = read_description(dataset)
            yield Link(run, dataset, facts, *_payouts(home.rewards / run["period"], run))


def _payouts(folder: Path, run: dict[str, Any]) -> tuple[pd.DataFrame | None, str]:
    """The allocation, or why this run has none."""
    if not (folder / MANIFEST).exists():
        return None, f"{run['period']} is not paid"
    paid = read_artifact(folder)
    if paid.id != run["rewards"]:
        return None, f"{run['period']} was paid again since"
    check_files(paid, lambda name: name == "allocation.csv")
    return read_rewards(folder), ""


def _payout(home: Workspace, links: list[Link], period: str, contributor: str) -> Output:
    for link in links:
        if link.run["period"] == period and link.payouts is not None:
            lines = link.payouts[link.payouts["contributor_id"] == contributor]
            if len(lines):
                return _payout_rows(home, link, lines)
    raise RegistryError(f"{contributor} has no line in the allocation of {period}; see rewards/{period}/allocation.csv")


def _amounts(lines: pd.DataFrame) -> dict[str, str]:
    """Currency → what somebody's lines pay, over all pools."""
    minor = lines.groupby("currency")["amount_minor"].sum()
    return {str(code): format_amount(int(amount), str(code)) for code, amount in minor.items()}


def _in_words(amounts: Mapping[str, str]) -> str:
    return " and ".join(f"{amount} {code}" for code, amount in amounts.items())


def _payout_rows(home: Workspace, link: Link, owed: pd.DataFrame) -> Output:
    line, amounts = owed.iloc[0], _amounts(owed)
    scores = _scores(home.store.get("attribution", link.run["attribution"]))
    own = scores[scores["contributor_id"] == line.contributor_id].groupby("row_id")["credit"].sum()
    texts = pd.read_parquet(link.dataset.file("train.parquet")).set_index("row_id")["text"]
    ordered = own.sort_values(ascending=False)
    rows = [(row_id, f"{credit:+.6f}", _short(texts[row_id])) for row_id, credit in ordered.head(ROWS_SHOWN).items()]
    data = {
        "period": link.run["period"],
        "contributor": line.contributor_id,
        "amounts": amounts,
        "score": str(line.score),
        "run": link.run["run_id"],
        "attribution": link.run["attribution"],
        "adapters": link.run["adapters"],
        "dataset": link.run["tag"],
        "rows": dict(ordered.items()),
    }
    status = STATUS[line.status]
    lines = [
        f"{_in_words(amounts)} to {line.contributor_id} for {link.run['period']} ({status})",
        f"  credit {float(line.score):+.6f} nats over {len(own)} rows of {link.run['tag']}",
        f"  attribution {link.run['attribution'][:12]}, run {link.run['run_id']}",
    ]
    title = f"Rows that helped most, {min(ROWS_SHOWN, len(rows))} of {len(own)}"
    tables = [Table(title, ("row", "credit (nats)", "text"), rows, right=("credit (nats)",))] if rows else []
    return Output(data, lines, tables)


def _contribution(home: Workspace, links: list[Link], contribution: str, row: str | None) -> Output:
    uses = []
    for link in links:
        if contribution in link.facts["contributions"]:
            _refuse_row(row, int(link.facts["contributions"][contribution]["rows"]))
            contributor = link.facts["contributions"][contribution]["contributor_id"]
            use = {
                "run": link.run["run_id"],
                "dataset": link.run["tag"],
                "adapters": link.run["adapters"],
                "model": f"{link.run['registered_model']} v{link.run['model_version']}",
                "attribution": link.run["attribution"],
                "contributor": contributor,
                "credit": _credit(home, link, contribution, row),
                "payout": _paid(link, contributor),
                "excluded": _excluded(link, contribution, row),
            }
            uses.append(use)
    if not uses:
        raise RegistryError(f"no finished run used contribution {contribution}; see `tribute versions`")
    columns = ("run", "dataset", "excluded", "credit", "paid")
    rows = [(use["run"], use["dataset"], str(use["excluded"]), _nats(use["credit"]), use["payout"]) for use in uses]
    title = f"What used {row or contribution} (credit in nats; paid to {uses[0]['contributor']})"
    return Output(uses, tables=[Table(title, columns, rows, right=columns[2:4])])


def _refuse_row(row: str | None, rows: int) -> None:
    if row is not None and not 1 <= ids.parse_row_id(row)[1] <= rows:
        raise RegistryError(f"there is no row {row}; the contribution has rows 1 to {rows}")


def _credit(home: Workspace, link: Link, contribution: str, row: str | None) -> float | None:
    """None where the attribution is gone."""
    found = [one for one in home.store.all("attribution") if one.id == link.run["attribution"]]
    if not found:
        return None
    scores = _scores(found[0])
    rows = scores["row_id"]
    chosen = rows == row if row else rows.map(ids.contribution_of) == contribution
    return float(scores.loc[chosen, "credit"].sum())


def _scores(attribution: Artifact) -> pd.DataFrame:
    check_files(attribution, lambda name: name == "scores.parquet")
    return pd.read_parquet(attribution.file("scores.parquet"))


def _nats(credit: float | None) -> str:
    return "gone" if credit is None else f"{credit:+.6f}"


def _excluded(link: Link, contribution: str, row: str | None) -> int:
    exclusions = pd.read_parquet(link.dataset.file("exclusions.parquet"))
    chosen = exclusions["row_id"] == row if row else exclusions["contribution_id"] == contribution
    return int(chosen.sum())


def _paid(link: Link, contributor: str) -> str:
    if link.payouts is None:
        return link.unpaid
    lines = link.payouts[link.payouts["contributor_id"] == contributor]
    return f"{_in_words(_amounts(lines))}, {link.run['period']}"


def _contributor(links: list[Link], contributor: str) -> Output:
    rows = [
        (name, str(one["rows"]), link.run["tag"], link.run["run_id"], _paid(link, contributor))
        for link in links
        for name, one in link.facts["contributions"].items()
        if one["contributor_id"] == contributor
    ]
    columns = ("contribution", "rows", "dataset", "run", "paid")
    data = [dict(zip(columns, row, strict=True)) for row in rows]
    return Output(data, tables=[Table(f"Contributions of {contributor}", columns, rows, right=("rows",))])


def _run(run: dict[str, Any]) -> Output:
    lines = [
        f"run {run['run_id']}",
        f"  dataset {run['tag']}, artifact {run['dataset'][:12]}",
        *(
            f"  adapter of seed {seed} {id_[:12]}, MLflow run {run['mlflow_runs'][seed]}"
            for seed, id_ in run["adapters"].items()
        ),
        f"  attribution {run['attribution'][:12]}",
        f"  rewards for {run['period']} {run['rewards'][:12]}",
    ]
    return Output(run, lines)


def _short(text: str, width: int = 72) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
