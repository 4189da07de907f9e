"""How commands describe a period and the balances of its ledger."""

from typing import TYPE_CHECKING, TypedDict

from tribute.cli._output import Table
from tribute.errors import TributeError

if TYPE_CHECKING:
    from tribute.rewards.ledger import Ledger
    from tribute.workspace import Workspace


class State(TypedDict):
    period: str
    state: str
    entry_count: int
    signed: list[str]
    manifest: str


class Balance(TypedDict):
    account: str
    currency: str
    minor: str
    exponent: int


def state_of(home: "Workspace", books: "Ledger", period: str) -> State:
    """The state of a period, and who signed its draft or its close."""
    from tribute.artifacts import read_artifact
    from tribute.rewards import close as closing

    folder = home.rewards / period
    drafted = folder.exists()
    state = "closed" if period in books.closed else "draft" if drafted else "open"
    signed = []
    if state == "draft":
        signed = [approval.signer for approval in closing.approvals(home.rewards, read_artifact(folder))]
    elif state == "closed":
        signed = closing.signers(folder)
    return {
        "period": period,
        "state": state,
        "entry_count": len({posting.entry_id for posting in books.of_period(period)}),
        "signed": signed,
        "manifest": read_artifact(folder).id if drafted else "",
    }


def balances_of(books: "Ledger", until: str) -> tuple[list[Balance], Table]:
    """The balance of each kind of account, over all contributors, after the month `until`."""
    from collections import Counter

    from tribute.formatting import plain_money
    from tribute.money import exponent
    from tribute.rewards.ledger import account_balances, stage

    totals: Counter[tuple[str, str]] = Counter()
    before = (posting for posting in books.postings if posting.period <= until)
    for (account, currency), minor in account_balances(before).items():
        totals[stage(account) or account, currency] += minor
    data: list[Balance] = [
        {"account": name, "currency": currency, "minor": str(minor), "exponent": exponent(currency)}
        for (name, currency), minor in sorted(totals.items())
    ]
    rows = [(balance["account"], plain_money(int(balance["minor"]), balance["currency"])) for balance in data]
    return data, Table("Accounts", ("account", "credits − debits"), rows, right=("credits − debits",))


def periods_table(states: list[State]) -> Table:
    """A line per period."""
    rows = [
        (state["period"], state["state"], str(state["entry_count"]), ", ".join(state["signed"]), state["manifest"][:12])
        for state in states
    ]
    return Table("Periods", ("period", "state", "entries", "signed by", "manifest"), rows, right=("entries",))


def write_statements_again(home: "Workspace", period: str) -> list[str]:
    """Write them again, since they said that they were of a draft; a line about it where that fails."""
    from tribute.rewards.statements import write_early

    try:
        write_early(home, period)
    except TributeError as error:
        # The period is closed whatever becomes of its pages.
        return [f"no statements yet ({error}); then make them with `tribute statement {period}`"]
    return []
