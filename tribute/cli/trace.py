"""Follow the chain: from a payout to its rows, from a contribution to runs and payouts, from a call to its tree."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, StoreUrl, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import shortened
from tribute.cli._trace_calls import TracedCalls, traced_calls

if TYPE_CHECKING:
    from tribute.pipeline.verification.lineage import Part, Payout, Use

ROWS_SHOWN = 10
TEXT_WIDTH = 72
RECEIPT_LENGTH = len("receipt-") + 24


class TracedPayout(TypedDict):
    period: str
    contributor: str
    amounts: dict[str, str]
    credit_text: str
    run: str
    attribution: str
    adapter_ids: dict[str, str]
    tag: str
    row_credits: dict[str, float]


class TracedUse(TypedDict):
    run: str
    tag: str
    adapter_ids: dict[str, str]
    model: str
    attribution: str
    contributor: str
    credit: float | None
    paid: str
    rows_excluded: int


class TracedUses(TypedDict):
    uses: list[TracedUse]


class TracedPart(TypedDict):
    contribution: str
    rows: int
    tag: str
    run: str
    paid: str


class TracedParts(TypedDict):
    contributor: str
    parts: list[TracedPart]


class TracedRun(TypedDict):
    run: str
    tag: str
    dataset_id: str
    adapter_ids: dict[str, str]
    mlflow_runs: dict[str, str]
    attribution: str
    period: str | None
    rewards: str | None


Traced = TracedPayout | TracedUses | TracedParts | TracedRun | TracedCalls


@command
def trace(
    what: Annotated[
        str, typer.Argument(metavar="ID", help="A contribution, row, contributor, run, PERIOD/CONTRIBUTOR or receipt.")
    ],
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Traced]:
    from tribute.pipeline.verification import lineage
    from tribute.workspace import Workspace

    if what.startswith("receipt-") and len(what) == RECEIPT_LENGTH:
        return traced_calls(what, store, workspace)
    link = lineage.trace(Workspace.open(workspace), what)
    if isinstance(link, lineage.Payout):
        return _payout(link)
    if isinstance(link, lineage.RunRecord):
        return _run(link.run)
    if isinstance(link[0], lineage.Use):
        return _uses(what, link)
    return _parts(what, link)


def _payout(payout: "Payout") -> Output[Traced]:
    from tribute.cli._payout import status_text
    from tribute.pipeline.verification.lineage import in_words

    run = payout.run
    data: TracedPayout = {
        "period": run["period"],
        "contributor": payout.contributor_id,
        "amounts": payout.amounts,
        "credit_text": payout.score,
        "run": run["run_id"],
        "attribution": run["attribution"],
        "adapter_ids": run["adapters"],
        "tag": run["tag"],
        "row_credits": payout.credits,
    }
    shown = list(payout.credits.items())[:ROWS_SHOWN]
    rows = [(row_id, f"{credit:+.6f}", shortened(payout.texts[row_id], TEXT_WIDTH)) for row_id, credit in shown]
    lines = [
        f"{in_words(payout.amounts)} to {payout.contributor_id} for {run['period']} ({status_text(payout.status)})",
        f"  credit {float(payout.score):+.6f} nats over {len(payout.credits)} rows of {run['tag']}",
        f"  attribution {run['attribution'][:12]}, run {run['run_id']}",
    ]
    title = f"Rows that helped most, {len(rows)} of {len(payout.credits)}"
    tables = [Table(title, ("row", "credit (nats)", "text"), rows, right=("credit (nats)",))] if rows else []
    return Output(data, lines, tables)


def _uses(what: str, uses: "Sequence[Use]") -> Output[Traced]:
    columns = ("run", "dataset", "excluded", "credit", "paid")
    rows = [(use.run, use.dataset, str(use.excluded), _nats(use.credit), use.payout) for use in uses]
    title = f"What used {what} (credit in nats; paid to {uses[0].contributor})"
    records: list[TracedUse] = [
        {
            "run": use.run,
            "tag": use.dataset,
            "adapter_ids": use.adapters,
            "model": use.model,
            "attribution": use.attribution,
            "contributor": use.contributor,
            "credit": use.credit,
            "paid": use.payout,
            "rows_excluded": use.excluded,
        }
        for use in uses
    ]
    return Output({"uses": records}, tables=[Table(title, columns, rows, right=columns[2:4])])


def _nats(credit: float | None) -> str:
    return "gone" if credit is None else f"{credit:+.6f}"


def _parts(contributor: str, parts: "Sequence[Part]") -> Output[Traced]:
    columns = ("contribution", "rows", "dataset", "run", "paid")
    rows = [(part.contribution, str(part.rows), part.dataset, part.run, part.paid) for part in parts]
    table = Table(f"Contributions of {contributor}", columns, rows, right=("rows",))
    records: list[TracedPart] = [
        {
            "contribution": part.contribution,
            "rows": part.rows,
            "tag": part.dataset,
            "run": part.run,
            "paid": part.paid,
        }
        for part in parts
    ]
    return Output({"contributor": contributor, "parts": records}, tables=[table])


def _run(run: dict[str, Any]) -> Output[Traced]:
    lines = [
        f"run {run['run_id']}",
        f"  dataset {run['tag']}, artifact {run['dataset'][:12]}",
        *(
            f"  adapter of seed {seed} {id_[:12]}, MLflow run {run['mlflow_runs'][seed]}"
            for seed, id_ in run["adapters"].items()
        ),
        f"  attribution {run['attribution'][:12]}",
        f"  rewards for {run['period']} {run['rewards'][:12]}" if run["period"] else "  pays nobody",
    ]
    data: TracedRun = {
        "run": run["run_id"],
        "tag": run["tag"],
        "dataset_id": run["dataset"],
        "adapter_ids": run["adapters"],
        "mlflow_runs": run["mlflow_runs"],
        "attribution": run["attribution"],
        "period": run["period"],
        "rewards": run["rewards"],
    }
    return Output(data, lines)
