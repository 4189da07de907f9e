"""The commands for contributors' questions: as thin as those in `cli`, which adds them to its own."""

from pathlib import Path
from typing import Annotated

import typer

from tribute.cli_options import HERE, DryRunOption, JsonOption, WorkspaceOption, show, watching
from tribute.cli_rewards import DateOption, PeriodArgument, PolicyArgument, policy_app
from tribute.commands import disputes, stages

DisputeArgument = Annotated[str, typer.Argument(metavar="ID", help="The dispute, such as 2026-11-ada-1.")]
ByOption = Annotated[str, typer.Option(help="Whose word it is: an id, such as the contributor's.")]
WhyOption = Annotated[str, typer.Option(help="Why.")]

dispute_app = typer.Typer(
    help="Disputes about statements: money is held until two reviewers decide.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Add every command of this module."""
    app.command()(statement)
    app.add_typer(dispute_app, name="dispute")
    app.command("year")(simulate_year)


def statement(
    period: PeriodArgument,
    contributors: Annotated[list[str] | None, typer.Argument(help="Only these; by default everybody.")] = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make contributors' statements of a period, each a page and JSON, in statements/."""

    show(disputes.statement(workspace, period, contributors or [], dry_run), as_json)


def simulate_year(
    config: Annotated[Path, typer.Argument(help="The year's YAML file.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override a setting: a.b=c. Repeatable.")] = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Release, train, attribute, pay and close month after month of a dated dataset, through the Prefect flows."""

    with watching(as_json):
        result = stages.simulate_year(workspace, config, set_ or [], dry_run)
    show(result, as_json)


@dispute_app.command("open")
def open_(
    what: Annotated[str, typer.Argument(metavar="STATEMENT", help="Its number, such as 2026-11-ada.")],
    by: ByOption,
    why: WhyOption,
    currency: Annotated[str, typer.Option(help="Which, where the statement is in several.")] = "",
    date: DateOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Dispute what a closed period accrued to a contributor; what is not payable yet is held."""

    show(disputes.dispute_open(workspace, what, by, why, currency, date, dry_run), as_json)


@dispute_app.command()
def evidence(
    dispute: DisputeArgument,
    file: Annotated[Path, typer.Argument(help="Any file; a copy is kept.")],
    by: ByOption,
    why: WhyOption,
    date: DateOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Hand in a file; what reviewers said before has to be said again."""

    show(disputes.dispute_evidence(workspace, dispute, file, by, why, date, dry_run), as_json)


@dispute_app.command()
def recheck(
    dispute: DisputeArgument,
    date: DateOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train the period's model again without the contributor, with the same seeds, and attach what that shows."""

    with watching(as_json):
        result = disputes.dispute_recheck(workspace, dispute, date, dry_run)
    show(result, as_json)


@dispute_app.command()
def decide(
    dispute: DisputeArgument,
    amount: Annotated[
        str,
        typer.Option(help="By how much too low (12.50), too high (-12.50), or 0; of an appeal: on top of the first."),
    ],
    as_: Annotated[str, typer.Option("--as", help="Your id, one of the policy's reviewers.")],
    key: Annotated[Path, typer.Option(help="The file of your private key.")],
    why: WhyOption,
    date: DateOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Decide as a reviewer; once two say the same, the money is released and corrected in the open period."""

    show(disputes.dispute_decide(workspace, dispute, amount, as_, key, why, date, dry_run), as_json)


@dispute_app.command()
def appeal(
    dispute: DisputeArgument,
    by: ByOption,
    why: WhyOption,
    date: DateOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Have a decision looked at by two other reviewers, once."""

    show(disputes.dispute_appeal(workspace, dispute, by, why, date, dry_run), as_json)


@dispute_app.command("show")
def show_(
    dispute: Annotated[str | None, typer.Argument(metavar="ID", help="Without it, list all.")] = None,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show what was said and decided."""

    show(disputes.dispute_show(workspace, dispute), as_json)


@policy_app.command()
def diff(
    before: PolicyArgument,
    after: Annotated[Path, typer.Argument(help="Another policy's YAML file.")],
    as_json: JsonOption = False,
) -> None:
    """List the settings in which two policies differ."""

    show(disputes.policy_diff(before, after), as_json)


@policy_app.command()
def simulate(
    file: PolicyArgument,
    period: Annotated[str, typer.Option(help="The month, drafted or closed, YYYY-MM.")],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Say what a period would have paid by this policy, from the same data and the same fee; posts nothing."""

    show(disputes.policy_simulate(workspace, file, period), as_json)
