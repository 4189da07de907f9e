"""Store who the contributors are, in one encrypted file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NotRequired, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, ContributorId, DryRun, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.errors import ConfigError

if TYPE_CHECKING:
    from tribute.workspace import Workspace


class Person(TypedDict):
    contributor: str
    details: NotRequired[dict[str, str]]


class Payees(TypedDict):
    payees: list[str]


class Payee(TypedDict):
    contributor: str
    name: str
    iban: str
    missing: list[str]


class People(TypedDict):
    people: list[Payee]


@command
def set_(
    contributor: ContributorId,
    details: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Such as name='Ada Lovelace'.")],
    workspace: WorkspaceFolder = HERE,
) -> Output[Person]:
    """Store a contributor's details; an empty value deletes one."""
    from tribute.contributions.rights import write_person
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    known = {}
    for detail in details:
        name, sign, value = detail.partition("=")
        if not (name and sign):
            raise ConfigError(f"{detail!r}: expected NAME=VALUE, such as name='Ada Lovelace'")
        known[name] = value
    write_person(home.vault, contributor, known)
    return Output({"contributor": contributor}, [f"{contributor} is in {home.vault}", *_affiliated(home, [known])])


@command
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with the columns contributor, name, iban and bic.")],
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Payees]:
    """Add the payees of a CSV file: all of them, or none where a line is faulty."""
    from tribute.contributions.rights import read_payees, write_people
    from tribute.formatting import counted
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    people = read_payees(file)
    if not dry_run:
        write_people(home.vault, people)
    line = f"{file}: {counted(len(people), 'payee')} " + ("(not written)" if dry_run else f"recorded in {home.vault}")
    affiliated = [] if dry_run else _affiliated(home, people.values())
    return Output({"payees": sorted(people)}, [line, *affiliated])


@command
def list_(workspace: WorkspaceFolder = HERE) -> Output[People]:
    """List who is in the vault, and what is missing to pay them."""
    from tribute.contributions.rights import missing_to_pay, read_vault
    from tribute.workspace import Workspace

    people = read_vault(Workspace.open(workspace).vault)
    rows = [
        (id_, about.get("name", ""), _ends(about.get("iban", "")), missing_to_pay(about))
        for id_, about in sorted(people.items())
    ]
    data: list[Payee] = [
        {"contributor": id_, "name": name, "iban": iban, "missing": missing} for id_, name, iban, missing in rows
    ]
    shown = [(id_, name, iban, "; ".join(missing) or "nothing") for id_, name, iban, missing in rows]
    table = Table("Vault", ("contributor", "name", "IBAN", "missing to be paid by a bank"), shown)
    return Output({"people": data}, [] if data else ["the vault is empty"], [table] if data else [])


@command
def show(contributor: ContributorId, workspace: WorkspaceFolder = HERE) -> Output[Person]:
    """Show who a contributor is."""
    from tribute.contributions.rights import read_vault
    from tribute.workspace import Workspace

    details = read_vault(Workspace.open(workspace).vault).get(contributor, {})
    lines = [f"{name}: {value}" for name, value in details.items()] or [f"nothing is known about {contributor}"]
    return Output({"contributor": contributor, "details": details}, lines)


@command
def forget(contributor: ContributorId, workspace: WorkspaceFolder = HERE) -> Output[Person]:
    """Delete a contributor's details."""
    from tribute.contributions.rights import forget_person
    from tribute.workspace import Workspace

    forget_person(Workspace.open(workspace).vault, contributor)
    return Output({"contributor": contributor}, [f"{contributor} is not in the vault"])


def _affiliated(home: "Workspace", people: Iterable[Mapping[str, str]]) -> list[str]:
    """Who pays from the accounts of these people, in words."""
    from tribute.pipeline.usage.affiliation import affiliate_holders

    payers = affiliate_holders(home, people)
    return [f"{payer} pays from such an account: what {payer} uses funds no pool from now on" for payer in payers]


def _ends(iban: str) -> str:
    """Enough to recognise an account by."""
    return f"{iban[:4]}…{iban[-4:]}" if iban else ""
