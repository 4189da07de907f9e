"""The journal as text for programs that keep books: beancount and hledger. Imports neither.

Every entry becomes one transaction on its day, with the same accounts, the amounts in major units and the entry's
id, so that a line there is found again here. hledger takes the accounts' names as they are. Beancount's parts of a
name begin with a capital or a digit and have no underscore, so the id `ada_l` becomes `Id-adaUl`: ids hold no
capitals, so no two become one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from tribute.money import exponent, format_amount
from tribute.rewards import accounts

Row = Mapping[str, str]


def beancount(rows: Iterable[Row]) -> str:
    """The lines of a journal as a beancount file; debit is positive."""
    entries = _entries(rows)
    lines = [f"{day} open {_beancount_account(account)}" for account, day in _first_days(entries)]
    for one in entries:
        first = one[0]
        link = f" ^{first['ref_entry_id']}" if first["ref_entry_id"] else ""
        lines += ["", f'{first["posted_at"]} * "{first["event_type"]}" "{_why(first)}" ^{first["entry_id"]}{link}']
        lines += [f"  {_beancount_account(row['account'])}  {_amount(row)}" for row in one]
    return "\n".join(lines) + "\n"


def hledger(rows: Iterable[Row]) -> str:
    """The lines of a journal as an hledger file; passes `hledger check --strict`."""
    entries = _entries(rows)
    currencies = sorted({row["currency"] for one in entries for row in one})
    lines = [f"commodity {_sample(currency)} {currency}" for currency in currencies]
    lines += [f"account {account}" for account, _ in _first_days(entries)]
    for one in entries:
        first = one[0]
        ref = f", ref:{first['ref_entry_id']}" if first["ref_entry_id"] else ""
        lines += ["", f"{first['posted_at']} * ({first['entry_id']}) {first['event_type']} | {_why(first)}"]
        lines[-1] += f"  ; entry:{first['entry_id']}{ref}"
        lines += [f"    {row['account']}  {_amount(row)}" for row in one]
    return "\n".join(lines) + "\n"


EXPORTS: Mapping[str, Callable[[Iterable[Row]], str]] = {
    "journal.beancount": beancount,
    "journal.hledger": hledger,
}
"""File name → what writes it from the lines of a journal."""


def _entries(rows: Iterable[Row]) -> list[Sequence[Row]]:
    return [list(lines) for _, lines in groupby(rows, key=lambda row: row["entry_id"])]


def _first_days(entries: Iterable[Sequence[Row]]) -> Iterator[tuple[str, str]]:
    """Every account with the day of its first posting, sorted by account."""
    first: dict[str, str] = {}
    for one in entries:
        for row in one:
            first.setdefault(row["account"], row["posted_at"])
    return iter(sorted(first.items()))


def _why(row: Row) -> str:
    return " ".join(part for part in (row["reason_code"], row["contributor_id"]) if part)


def _amount(row: Row) -> str:
    minor = int(row["debit_minor"]) - int(row["credit_minor"])
    return f"{format_amount(minor, row['currency'])} {row['currency']}"


def _sample(currency: str) -> str:
    """An amount that shows hledger a currency's decimals; the mark is needed where there are none, too."""
    return f"1000.{'0' * exponent(currency)}"


def _beancount_account(account: str) -> str:
    owner, _ = accounts.owner(account)
    if not owner:
        return account
    return account.replace(f":{owner}", f":Id-{owner.replace('_', 'U')}", 1)
