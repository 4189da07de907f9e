"""The commands of periods and their policies: as thin as those in `cli`, which adds them to its own."""

from pathlib import Path
from typing import Annotated

import typer

from tribute.cli_options import HERE, DryRunOption, JsonOption, WorkspaceOption, show
from tribute.commands import periods

PeriodArgument = Annotated[str, typer.Argument(help="The month, YYYY-MM.")]
PolicyArgument = Annotated[Path, typer.Argument(help="The policy's YAML file.")]
KeyOption = Annotated[Path, typer.Option("--key", help="The file of your private key.")]
AsOption = Annotated[str, typer.Option("--as", help="Your id, as the registry has it.")]
DateOption = Annotated[str | None, typer.Option("--date", help="The day, YYYY-MM-DD; by default today in UTC.")]
ContributorOption = Annotated[str, typer.Option(help="Whose money.")]
CurrencyOption = Annotated[str, typer.Option(help="The amount's currency.")]
RefOption = Annotated[str, typer.Option("--ref", help="The entry that it goes back to.")]
ReasonOption = Annotated[str, typer.Option(help="Why, in a few words; it stands in the journal.")]

period_app = typer.Typer(help="Open, correct and close periods of the ledger.", no_args_is_help=True)
policy_app = typer.Typer(help="The policies that periods are paid by.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add every command of this module."""
    app.add_typer(period_app, name="period")
    app.add_typer(policy_app, name="policy")


@period_app.command("open")
def open_(
    period: PeriodArgument,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Open the period after the last closed one; the first may be any."""

    show(periods.period_open(workspace, period, dry_run), as_json)


@period_app.command()
def status(
    period: Annotated[str | None, typer.Argument(help="Only this month.")] = None,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List the periods, who signed them, and what stands on the accounts."""

    show(periods.period_status(workspace, period), as_json)


@period_app.command()
def close(
    period: PeriodArgument,
    key: KeyOption,
    as_: AsOption,
    date: DateOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Approve a period's draft, or close it where another closer approved exactly the same."""

    show(periods.period_close(workspace, period, key, as_, date, dry_run), as_json)


@period_app.command()
def release(
    date: DateOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make payable what is past its dispute window or holdback."""

    show(periods.period_release(workspace, date, dry_run), as_json)


@period_app.command()
def correct(
    contributor: ContributorOption,
    amount: Annotated[str, typer.Option(help="In major units, such as 12.50 or -12.50.")],
    ref: RefOption,
    reason: ReasonOption,
    currency: CurrencyOption = "EUR",
    date: DateOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Correct what a closed period accrued, in the open one, from or to the reserve."""

    cause = periods.cause(contributor, currency, ref, reason, date)
    show(periods.period_correct(workspace, cause, amount, dry_run), as_json)


@period_app.command("claw-back")
def claw_back(
    contributor: ContributorOption,
    amount: Annotated[str, typer.Option(help="In major units, such as 12.50.")],
    ref: RefOption,
    reason: ReasonOption,
    currency: CurrencyOption = "EUR",
    date: DateOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take back from held and accrued money, and from later accruals; never from what is payable or paid."""

    cause = periods.cause(contributor, currency, ref, reason, date)
    show(periods.period_claw_back(workspace, cause, amount, dry_run), as_json)


@period_app.command()
def reverse(
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="The entry's id, such as 2026-11-000007.")],
    reason: ReasonOption,
    date: DateOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Post the exact mirror of one entry, linked to it."""

    show(periods.period_reverse(workspace, entry, reason, date, dry_run), as_json)


@policy_app.command()
def check(file: PolicyArgument, as_json: JsonOption = False) -> None:
    """Report every fault of a policy at once."""

    show(periods.policy_check(file), as_json)


@policy_app.command()
def publish(
    file: PolicyArgument,
    key: KeyOption,
    as_: AsOption,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record a version of a policy in the registry, signed; periods close by published policies only."""

    show(periods.policy_publish(workspace, file, key, as_, dry_run), as_json)
