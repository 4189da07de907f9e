"""Payers of answers: their money, their API keys, and what they used. Works also while a server runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, Day, StoreUrl, WorkspaceFolder, posting_day
from tribute.cli._output import Output

if TYPE_CHECKING:
    from tribute.pipeline.usage.payer_money import PayerMoney as Money
    from tribute.services.accounts import Balance

PayerId = Annotated[str, typer.Argument(metavar="PAYER", help="The payer's id.")]
Account = Annotated[
    str | None,
    typer.Option("--iban", metavar="IBAN", help="The account it comes from; a contributor's: the use funds no pool."),
]
Budget = Annotated[str, typer.Option(metavar="AMOUNT", help="The most that may be charged in a window.")]
DAYS = 365


class PayerMoney(TypedDict):
    payer: str
    currency: str
    credit_micro: int
    held_micro: int
    spent_micro: int


class Credited(TypedDict):
    credited_payers: list[str]


class NewKey(TypedDict):
    api_key: str
    secret: str
    payer: str
    valid_until: str


class Revoked(TypedDict):
    api_key: str


@command
def add(
    payer: PayerId,
    currency: Annotated[str, typer.Option(metavar="CODE", help="The currency of the payer's money.")],
    affiliated: Annotated[
        bool, typer.Option("--affiliated", help="Of the operator's own house: charged, and funds no pool.")
    ] = False,
    member: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The contributor or organisation that the payer is: charged, funds no pool."),
    ] = None,
    iban: Account = None,
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[PayerMoney]:
    """Add a payer without money. One with the id of a contributor or an organisation is affiliated."""
    from tribute.pipeline.usage.affiliation import affiliation, remember_account
    from tribute.server.setup.administration import administration

    with administration(workspace, store) as admin:
        why = affiliation(admin.workspace, payer, member, iban)
        admin.accounts.add_payer(payer, currency, affiliated=affiliated or bool(why))
        if iban is not None:
            remember_account(admin.workspace, admin.store, payer, iban)
        return _money(payer, admin.accounts.balance(payer), why)


@command
def top_up(
    payer: PayerId,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="What was paid, such as 100.00; or -- -20.00.")],
    reference: Annotated[str, typer.Option(metavar="TEXT", help="The bank's reference; each counts once.")],
    iban: Account = None,
    date: Day = None,
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[PayerMoney]:
    """Post what a payer paid in advance to the ledger, and credit it; below 0 what the payer got back."""
    from tribute.pipeline.usage.affiliation import affiliation, remember_account

    with _posting(workspace, store, date) as (money, day):
        why = affiliation(money.workspace, payer, iban=iban) if iban is not None else ""
        if why:
            money.accounts.affiliate(payer)
        if iban is not None:
            remember_account(money.workspace, money.accounts.store, payer, iban)
        money.top_up(payer, amount, reference, day)
        return _money(payer, money.accounts.balance(payer), why)


@command
def invoice(
    payer: PayerId,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="What the invoice is of, such as 100.00.")],
    number: Annotated[str, typer.Option(metavar="TEXT", help="The invoice's number; each counts once.")],
    paid: Annotated[bool, typer.Option("--paid", help="The bank has received it.")] = False,
    date: Day = None,
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[PayerMoney]:
    """Post an invoice to the ledger, and let the payer use its amount now; with --paid, post its payment."""
    with _posting(workspace, store, date) as (money, day):
        post = money.invoice_paid if paid else money.invoice
        post(payer, amount, number, day)
        return _money(payer, money.accounts.balance(payer))


@command
def margins(store: StoreUrl = None, workspace: WorkspaceFolder = HERE) -> Output[Credited]:
    """Credit agents' owners with the margins of closed periods; `period close` does so without --store."""
    from tribute.pipeline.usage.payer_money import payer_money
    from tribute.workspace import Workspace

    with payer_money(Workspace.open(workspace), store) as money:
        payers = money.credit_margins()
    return Output(
        {"credited_payers": payers}, [f"credited: {', '.join(payers)}" if payers else "nobody has a new margin"]
    )


@command
def show(payer: PayerId, store: StoreUrl = None, workspace: WorkspaceFolder = HERE) -> Output[PayerMoney]:
    """Show a payer's money."""
    from tribute.server.setup.administration import administration

    with administration(workspace, store) as admin:
        return _money(payer, admin.accounts.balance(payer))


@command
def key(
    payer: PayerId,
    budget: Budget,
    cap: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="The most that one call may cost; by default the budget.")
    ] = None,
    window: Annotated[
        Literal["total", "month", "day"], typer.Option(help="Over what the budget is counted, in UTC.")
    ] = "total",
    days: Annotated[int, typer.Option(min=1, metavar="DAYS", help="For how long the key is valid.")] = DAYS,
    model: Annotated[
        list[str] | None, typer.Option(metavar="MODEL", help="A model that may be called; by default all. Repeatable.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option(metavar="AGENT", help="The agent that will hold the key; it calls only its models.")
    ] = None,
    contributor: Annotated[
        str | None, typer.Option(metavar="CONTRIBUTOR", help="Whose statements the key may read; by default nobody's.")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="A key whose calls touch no money and fund nothing.")] = False,
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[NewKey]:
    """Make an API key of a payer; its secret is shown this once."""
    from tribute.server.setup.administration import administration, limits

    with administration(workspace, store) as admin:
        allowed = limits(budget, cap or budget, admin.end(days), model, window)
        secret, api_key = admin.keys.issue(payer, allowed, agent=agent, test=test, contributor=contributor)
    data: NewKey = {"api_key": api_key.id, "secret": secret, "payer": payer, "valid_until": allowed.expires}
    lines = [secret, f"This is the secret of {api_key.id}, valid until {allowed.expires}. Keep it now."]
    if contributor is not None:
        lines.append(f"{payer} is {contributor}: what {payer} uses funds no pool from now on.")
    return Output(data, lines)


@command
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, key-…")],
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Revoked]:
    """End an API key and its sub-keys, at once and for good."""
    from tribute.server.setup.administration import administration

    with administration(workspace, store) as admin:
        admin.keys.revoke(key_id)
    return Output({"api_key": key_id}, [f"{key_id} is revoked, and so are its sub-keys"])


@contextmanager
def _posting(workspace: Path, store: str | None, date: str | None) -> Iterator[tuple["Money", str]]:
    """Ledger and usage store, and the day that is posted to."""
    from tribute.pipeline.usage.payer_money import payer_money
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    with payer_money(home, store) as money:
        yield money, posting_day(home, date)


def _money(payer: str, balance: "Balance", affiliated: str = "") -> Output[PayerMoney]:
    """A payer's money, and why the payer is affiliated."""
    from tribute.micro import exact_micro

    data: PayerMoney = {
        "payer": payer,
        "currency": balance.currency,
        "credit_micro": balance.credit,
        "held_micro": balance.held,
        "spent_micro": balance.spent,
    }
    words = [exact_micro(amount) for amount in (balance.credit, balance.spent, balance.available)]
    lines = [f"{payer}: paid {words[0]}, spent {words[1]}, available {words[2]} {balance.currency}"]
    if affiliated:
        lines.append(f"{affiliated}: what {payer} uses funds no pool from now on")
    return Output(data, lines)
