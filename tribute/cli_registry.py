"""The registry's further commands: as thin as those in `cli`, which adds them to its own."""

from pathlib import Path
from typing import Annotated

import typer

from tribute.cli_options import HERE, DryRunOption, JsonOption, WorkspaceOption, show
from tribute.commands import people, sharing, steward

ByOption = Annotated[str, typer.Option(help="Who decides.")]
WhyOption = Annotated[str, typer.Option(help="Why.")]
KeyOption = Annotated[Path | None, typer.Option(help="The contributor's private key, if the contribution is signed.")]
DatasetArgument = Annotated[str, typer.Argument(help="The dataset's name.")]
ContributionArgument = Annotated[str, typer.Argument(metavar="ID", help="The contribution's id.")]
ContributorArgument = Annotated[str, typer.Argument(help="The contributor's id.")]
RowsArgument = Annotated[list[str], typer.Argument(metavar="ROW...", help="Row ids, CONTRIBUTION:LINE.")]

key_app = typer.Typer(help="Ed25519 keys of contributors, and of the registry itself.", no_args_is_help=True)
vault_app = typer.Typer(help="Who the contributors are, in one encrypted file.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add every command of this module."""
    for command in (
        screening,
        review,
        accept,
        reject,
        diff,
        show_one,
        card,
        withdraw,
        erase,
        retrain,
        organisation,
        sync,
    ):
        app.command("show" if command is show_one else command.__name__)(command)
    app.command("import")(import_)
    app.command()(clone)
    app.add_typer(key_app, name="key")
    app.add_typer(vault_app, name="vault")


def screening(
    dataset: DatasetArgument,
    file: Annotated[Path | None, typer.Argument(help="YAML file of thresholds; without it, show them.")] = None,
    by: ByOption = "",
    why: WhyOption = "",
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show or set by which thresholds a dataset's rows are screened."""

    show(steward.screening(workspace, dataset, file, by, why, dry_run), as_json)


def review(
    dataset: DatasetArgument,
    by_meaning: Annotated[
        bool, typer.Option("--by-meaning", help="Look for paraphrases and odd labels too, with a sentence encoder.")
    ] = False,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List the rows that wait for a person."""

    show(steward.review(workspace, dataset, by_meaning), as_json)


def accept(
    rows: RowsArgument,
    by: ByOption,
    why: WhyOption,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let rows into the next version, and record who and why."""

    show(steward.decide(workspace, "accept", rows, by, why, dry_run), as_json)


def reject(
    rows: RowsArgument,
    by: ByOption,
    why: WhyOption,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Keep rows out of the next version, and record who and why."""

    show(steward.decide(workspace, "reject", rows, by, why, dry_run), as_json)


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="NAME@vX.Y.Z")],
    after: Annotated[str, typer.Argument(metavar="B", help="NAME@vX.Y.Z")],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Compare two versions: rows and contributors added and removed, how the labels shifted."""

    show(steward.diff(workspace, before, after), as_json)


def show_one(
    what: Annotated[str, typer.Argument(help="A version NAME@vX.Y.Z, a contribution or a dataset.")],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show what the registry says about a version, a contribution or a dataset."""

    show(steward.show(workspace, what), as_json)


def card(
    tag: Annotated[str, typer.Argument(help="NAME@vX.Y.Z")],
    out: Annotated[Path | None, typer.Option(help="A folder; by default cards/NAME@vX.Y.Z.")] = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a version's tables with its dataset card and Croissant metadata."""

    show(steward.card(workspace, tag, out, dry_run), as_json)


def withdraw(
    contribution: ContributionArgument,
    by: ByOption,
    why: WhyOption,
    key: KeyOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Stop a contribution's use from the next version on; its history stays."""

    show(steward.withdraw(workspace, contribution, by, why, key, False, dry_run), as_json)


def erase(
    contribution: ContributionArgument,
    by: ByOption,
    why: WhyOption,
    key: KeyOption = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a contribution's bytes for good, wherever no live contribution has the same."""

    show(steward.withdraw(workspace, contribution, by, why, key, True, dry_run), as_json)


def retrain(
    pending: Annotated[bool, typer.Option("--pending", help="Every run that learned from what was taken back.")] = True,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train again, on a version without them, what learned from contributions that were taken back."""

    show(steward.retrain(workspace, dry_run), as_json)


def organisation(
    name: Annotated[str, typer.Argument(help="The organisation's id.")],
    member: Annotated[list[str] | None, typer.Option(help="A contributor it owns. Repeatable; replaces all.")] = None,
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show or set which contributors an organisation owns; its key may act for them."""

    show(people.organisation(workspace, name, member or [], dry_run), as_json)


def sync(workspace: WorkspaceOption = HERE, as_json: JsonOption = False) -> None:
    """See what other stewards recorded in a shared registry."""

    show(sharing.sync(workspace), as_json)


def clone(
    origin: Annotated[str, typer.Argument(help="The git URL or folder of a shared registry.")],
    folder: Annotated[Path, typer.Argument(help="The new workspace.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace on a registry that several stewards share."""

    show(sharing.clone(origin, folder, dry_run), as_json)


def import_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="tldr")],
    folder: Annotated[Path, typer.Option(help="Where `tribute fetch` put it.")],
    until: Annotated[str, typer.Option(help="The last month that is taken, YYYY-MM.")],
    dataset: Annotated[str, typer.Option(help="The dataset's name.")] = "tldr",
    workspace: WorkspaceOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Contribute what authors wrote up to a month, one contribution an author and month; again adds what is new."""

    show(sharing.import_dated(workspace, source, folder, until, dataset, dry_run), as_json)


@key_app.command()
def new(
    contributor: ContributorArgument,
    out: Annotated[Path, typer.Option(help="The file for the private key; it must not be there yet.")],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make a contributor's key and register its public half."""

    show(people.key_new(workspace, contributor, out), as_json)


@key_app.command()
def rotate(
    owner: Annotated[str, typer.Argument(help="A contributor, an organisation, or `registry`.")],
    key: Annotated[Path | None, typer.Option(help="The file of the present private key.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file for the new one.")] = None,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Replace a key; the present one signs its successor, and earlier contributions stay in reach."""

    show(people.key_rotate(workspace, owner, key, out), as_json)


@vault_app.command("set")
def vault_set(
    contributor: ContributorArgument,
    details: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Such as name='Ada Lovelace'.")],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Remember who a contributor is; an empty value forgets one detail."""

    show(people.vault_set(workspace, contributor, details), as_json)


@vault_app.command("show")
def vault_show(
    contributor: ContributorArgument, workspace: WorkspaceOption = HERE, as_json: JsonOption = False
) -> None:
    """Show who a contributor is."""

    show(people.vault_show(workspace, contributor), as_json)


@vault_app.command("forget")
def vault_forget(
    contributor: ContributorArgument, workspace: WorkspaceOption = HERE, as_json: JsonOption = False
) -> None:
    """Forget who a contributor is."""

    show(people.vault_forget(workspace, contributor), as_json)
