"""`tribute trace`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import shortened

if TYPE_CHECKING:
    from tribute.pipeline.lineage import Part, Payout, Use

ROWS_SHOWN = 10
TEXT_WIDTH = 72


@command
def trace(
    what: Annotated[
        str, typer.Argument(metavar="ID", help="A contribution, row, contributor, run or PERIOD/CONTRIBUTOR.")
    ],
    workspace: WorkspaceFolder = HERE,
) -> Output:
    """Follow the chain: from a payout to its rows, from a contribution to runs and payouts."""
    from tribute.pipeline import lineage
    from tribute.workspace import Workspace

    link = lineage.trace(Workspace.open(workspace), what)
    if isinstance(link, lineage.Payout):
        return _payout(link)
    if isinstance(link, lineage.RunRecord):
        return _run(link.run)
    if isinstance(link[0], lineage.Use):
        return _uses(what, link)
    return _parts(what, link)


def _payout(payout: "Payout") -> Output:
    from tribute.cli._payout import STATUS
    from tribute.pipeline.lineage import in_words

    run = payout.run
    data = {
        "period": run["period"],
        "contributor": payout.contributor_id,
        "amounts": payout.amounts,
        "score": payout.score,
        "run": run["run_id"],
        "attribution": run["attribution"],
        "adapters": run["adapters"],
        "dataset": run["tag"],
        "rows": payout.credits,
    }
    shown = list(payout.credits.items())[:ROWS_SHOWN]
    rows = [(row_id, f"{credit:+.6f}", shortened(payout.texts[row_id], TEXT_WIDTH)) for row_id, credit in shown]
    lines = [
        f"{in_words(payout.amounts)} to {payout.contributor_id} for {run['period']} ({STATUS[payout.status]})",
        f"  credit {float(payout.score):+.6f} nats over {len(payout.credits)} rows of {run['tag']}",
        f"  attribution {run['attribution'][:12]}, run {run['run_id']}",
    ]
    title = f"Rows that helped most, {len(rows)} of {len(payout.credits)}"
    tables = [Table(title, ("row", "credit (nats)", "text"), rows, right=("credit (nats)",))] if rows else []
    return Output(data, lines, tables)


def _uses(what: str, uses: "Sequence[Use]") -> Output:
    columns = ("run", "dataset", "excluded", "credit", "paid")
    rows = [(use.run, use.dataset, str(use.excluded), _nats(use.credit), use.payout) for use in uses]
    title = f"What used {what} (credit in nats; paid to {uses[0].contributor})"
    return Output([asdict(use) for use in uses], tables=[Table(title, columns, rows, right=columns[2:4])])


def _nats(credit: float | None) -> str:
    return "gone" if credit is None else f"{credit:+.6f}"


def _parts(contributor: str, parts: "Sequence[Part]") -> Output:
    columns = ("contribution", "rows", "dataset", "run", "paid")
    rows = [(part.contribution, str(part.rows), part.dataset, part.run, part.paid) for part in parts]
    table = Table(f"Contributions of {contributor}", columns, rows, right=("rows",))
    return Output([dict(zip(columns, row, strict=True)) for row in rows], tables=[table])


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
