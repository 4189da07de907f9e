"""The journal as text for programs that keep books: beancount and hledger. Imports neither.

Every entry becomes one transaction on its day, with the same accounts, the amounts in major units and the entry's
id, so that a line there is found again here. hledger takes the accounts' names as they are. Beancount's parts of a
name begin with a capital or a digit and have no underscore, so the id `ada_l` becomes `Id-adaUl`: ids hold no
capitals, so no two become one.
"""

from collections.abc import Callable, Iterable, Mapping

from tribute.formatting import plain_money
from tribute.money import exponent
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.journal import Posting


def beancount(postings: Iterable[Posting]) -> str:
    """A journal as a beancount file; debit is positive."""

    def head(posting: Posting) -> str:
        link = f" ^{posting.ref}" if posting.ref else ""
        why = _why(posting).replace("\\", "\\\\").replace('"', '\\"')
        return f'{posting.day} * "{posting.event}" "{why}" ^{posting.entry_id}{link}'

    opened: dict[str, str] = {}
    lines = _transactions(postings, head, opened, _beancount_account)
    return "\n".join([f"{day} open {_beancount_account(account)}" for account, day in sorted(opened.items())] + lines)


def hledger(postings: Iterable[Posting]) -> str:
    """A journal as an hledger file; passes `hledger check --strict`."""

    def head(posting: Posting) -> str:
        ref = f", ref:{posting.ref}" if posting.ref else ""
        # A semicolon would begin a comment, in which tags are read.
        why = _why(posting).replace(";", ",")
        transaction = f"{posting.day} * ({posting.entry_id}) {posting.event} | {why}"
        return f"{transaction}  ; entry:{posting.entry_id}{ref}"

    postings, opened = list(postings), dict[str, str]()
    lines = _transactions(postings, head, opened, str)
    currencies = sorted({posting.currency for posting in postings})
    declared = [f"commodity {_sample(currency)} {currency}" for currency in currencies]
    return "\n".join(declared + [f"account {account}" for account in sorted(opened)] + lines)


EXPORTS: Mapping[str, Callable[[Iterable[Posting]], str]] = {
    "journal.beancount": beancount,
    "journal.hledger": hledger,
}
"""File name → what writes it from a journal."""


def _transactions(
    postings: Iterable[Posting],
    head: Callable[[Posting], str],
    opened: dict[str, str],
    naming: Callable[[str], str],
) -> list[str]:
    """A paragraph per entry, and a last empty line; fills `opened` with every account's first day."""
    lines, entry_id, names = [], "", dict[str, str]()
    for posting in postings:
        if posting.entry_id != entry_id:
            entry_id = posting.entry_id
            lines += ["", head(posting)]
        account = posting.account
        if account not in opened:
            opened[account], names[account] = posting.day, naming(account)
        lines.append(f"    {names[account]}  {plain_money(posting.amount, posting.currency)}")
    return [*lines, ""]


def _why(posting: Posting) -> str:
    return " ".join(part for part in (posting.reason, posting.contributor_id) if part)


def _sample(currency: str) -> str:
    """An amount that shows hledger a currency's decimals; the mark is needed where there are none, too."""
    return f"1000.{'0' * exponent(currency)}"


def _beancount_account(account: str) -> str:
    owner = accounts.owner(account)[0] or accounts.payer_of(account)
    if not owner:
        return account
    return account.replace(f":{owner}", f":Id-{owner.replace('_', 'U')}", 1)
