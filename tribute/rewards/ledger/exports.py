"""The journal as text for programs that keep books: beancount and hledger. Imports neither.

Every entry becomes one transaction on its day, with the same accounts, the amounts in major units and the entry's
id, so that a line there is found again here. hledger takes the accounts' names as they are. Beancount's parts of a
name begin with a capital or a digit and have no underscore, so the id `ada_l` becomes `Id-adaUl`: ids hold no
capitals, so no two become one.
"""

from collections.abc import Callable, Iterable, Mapping

from tribute.money import exponent, format_amount
from tribute.rewards.ledger import accounts

Row = Mapping[str, str]


def beancount(rows: Iterable[Row]) -> str:
    """The lines of a journal as a beancount file; debit is positive."""

    def head(row: Row) -> str:
        link = f" ^{row['ref_entry_id']}" if row["ref_entry_id"] else ""
        why = _why(row).replace("\\", "\\\\").replace('"', '\\"')
        return f'{row["posted_at"]} * "{row["event_type"]}" "{why}" ^{row["entry_id"]}{link}'

    opened: dict[str, str] = {}
    lines = _transactions(rows, head, opened, _beancount_account)
    return "\n".join([f"{day} open {_beancount_account(account)}" for account, day in sorted(opened.items())] + lines)


def hledger(rows: Iterable[Row]) -> str:
    """The lines of a journal as an hledger file; passes `hledger check --strict`."""

    def head(row: Row) -> str:
        ref = f", ref:{row['ref_entry_id']}" if row["ref_entry_id"] else ""
        # A semicolon would begin a comment, in which tags are read.
        why = _why(row).replace(";", ",")
        told = f"{row['posted_at']} * ({row['entry_id']}) {row['event_type']} | {why}"
        return f"{told}  ; entry:{row['entry_id']}{ref}"

    rows, opened = list(rows), dict[str, str]()
    lines = _transactions(rows, head, opened, str)
    declared = [f"commodity {_sample(currency)} {currency}" for currency in sorted({row["currency"] for row in rows})]
    return "\n".join(declared + [f"account {account}" for account in sorted(opened)] + lines)


EXPORTS: Mapping[str, Callable[[Iterable[Row]], str]] = {
    "journal.beancount": beancount,
    "journal.hledger": hledger,
}
"""File name → what writes it from the lines of a journal."""


def _transactions(
    rows: Iterable[Row], head: Callable[[Row], str], opened: dict[str, str], naming: Callable[[str], str]
) -> list[str]:
    """A paragraph an entry, and a last empty line; fills `opened` with every account's first day."""
    lines, entry_id, names = [], "", dict[str, str]()
    for row in rows:
        if row["entry_id"] != entry_id:
            entry_id = row["entry_id"]
            lines += ["", head(row)]
        account = row["account"]
        if account not in opened:
            opened[account], names[account] = row["posted_at"], naming(account)
        lines.append(f"    {names[account]}  {_amount(row)}")
    return [*lines, ""]


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
