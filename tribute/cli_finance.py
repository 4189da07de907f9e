"""The commands of payments: as thin as those in `cli`, which adds them to its own."""

from pathlib import Path
from typing import Annotated

import typer

from tribute.cli_options import HERE, DryRunOption, JsonOption, WorkspaceOption, show
from tribute.commands import finance

pay_app = typer.Typer(help="Pay what closed periods owe, and take in what the bank answers.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add every command of this module."""
    app.add_typer(pay_app, name="pay")


@pay_app.command("file")
def file_(
    period: Annotated[str, typer.Argument(help="A closed month, YYYY-MM.")],
    from_: Annotated[str, typer.Option("--from", help="Who pays: an id in the vault with name, iban and bic.")],
    out: Annotated[Path, typer.Option(help="The file to write; it holds names and accounts.")],
    date: Annotated[
        str | None, typer.Option("--date", help="The day on which the bank pays; by default each payable's value date.")
    ] = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the ISO 20022 file (pain.001.001.09) that tells the bank to pay a period's payables."""

    show(finance.pay_file(workspace, period, from_, out, date, dry_run), as_json)


@pay_app.command()
def reconcile(
    file: Annotated[Path, typer.Argument(help="The bank's answer: camt.053, pain.002 or CSV.")],
    date: Annotated[str | None, typer.Option("--date", help="The day, YYYY-MM-DD; by default today in UTC.")] = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Hold a bank's answer against the payables: post what was paid or sent back, and write recon.csv."""

    show(finance.pay_reconcile(workspace, file, date, dry_run), as_json)


@pay_app.command()
def books(
    out: Annotated[Path, typer.Argument(help="The file to write, NAME.beancount or NAME.hledger.")],
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the whole ledger for beancount or hledger."""

    show(finance.pay_books(workspace, out, dry_run), as_json)
