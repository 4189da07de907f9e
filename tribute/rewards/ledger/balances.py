"""How everybody stands after a period (balances.csv), and who is paid then (payables.csv). Posts nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

from tribute import ids, months
from tribute.money import exponent
from tribute.rewards import tables
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.journal import Posting
from tribute.rewards.policy.policy import Policy
from tribute.rewards.tables import Balance, PayableRow

_COLUMN_OF = {"ACCRUE": "accrued", "PAY": "paid", "WITHHOLD": "withheld"}
_MIRRORS = ("REVERSE", "RETURN")
_LESSENING = ("paid", "withheld")


def balance_rows(books: Ledger, period: str, contributors: Iterable[tuple[str, str]]) -> list[Balance]:
    """The lines of balances.csv after `period`, whose entries are in `books`.

    One for each of `contributors` (id, currency) and for everybody who is owed something or had an entry. Of what is
    owed (accrued, held and payable, less claims) an entry's change counts as what its event says, that of a mirror
    as what it mirrors, and everything else as `adjusted`.
    """
    named = set(contributors)
    totals: dict[tuple[str, str], Counter[str]] = defaultdict(Counter, {key: Counter() for key in named})
    for posting in books.postings:
        stage = accounts.stage(posting.account)
        if not stage or posting.period > period:
            continue
        sums = totals[posting.contributor_id, posting.currency]
        sums["closing"] += posting.credit
        if posting.period < period:
            sums["opening"] += posting.credit
            continue
        column = _column(books, posting)
        sums[column] += -posting.credit if column in _LESSENING else posting.credit
        if stage == "Payable" and posting.event in ("PAYABLE", "RELEASE"):
            sums["released"] += posting.credit
        if stage == "Held" and posting.event == "HOLD":
            sums["held"] += posting.credit
    columns = list(tables.BALANCES)[2:]
    rows = [
        Balance(*key, *(sums[name] for name in columns))
        for key, sums in totals.items()
        if key in named or any(sums.values())
    ]
    return tables.BALANCES.ordered(rows)


def payable_rows(
    books: Ledger, period: str, policy: Policy, in_flight: Mapping[tuple[str, str], int]
) -> list[PayableRow]:
    """The lines of payables.csv: every payable balance, less what is `in_flight`, from the threshold on."""
    rows = []
    for (account, currency), balance in books.balances().items():
        contributor_id, stage = accounts.owner(account)
        if stage != "Payable":
            continue
        gross = balance - in_flight.get((contributor_id, currency), 0)
        row = payable_row(period, contributor_id, currency, gross, policy)
        if gross >= policy.least(currency) and row.amount_minor > 0:
            rows.append(row)
    return tables.PAYABLES.ordered(rows)


def payable_row(period: str, contributor_id: str, currency: str, gross: int, policy: Policy) -> PayableRow:
    """The line of payables.csv that pays out `gross` minor units, less what the policy withholds."""
    payment_id = ids.payment_id(period, contributor_id, currency)
    withheld = int(gross * Fraction(policy.withholding))
    return PayableRow(
        payment_id=payment_id,
        payee_ref=ids.payee_ref(contributor_id),
        currency=currency,
        exponent=exponent(currency),
        amount_minor=gross - withheld,
        value_date=f"{months.next_period(period)}-01",
        end_to_end_id=ids.end_to_end_id(payment_id),
        statement_id=ids.statement_id(period, contributor_id),
        idempotency_key=f"{period}/PAY/{currency}/{contributor_id}",
        withheld_minor=withheld,
    )


def in_flight(rewards: Path, books: Ledger) -> dict[tuple[str, str], int]:
    """(Contributor, currency) → what earlier closed periods handed over for payment and no PAY has recorded yet.

    A payment that the bank refused has a PAY and its RETURN, so it is handed over anew.
    """
    amounts: dict[tuple[str, str], int] = {}
    for row in handed_over(rewards, books):
        if not books.find(row["idempotency_key"]):
            key = (ids.parse_payee_ref(row["payee_ref"]), row["currency"])
            amounts[key] = amounts.get(key, 0) + int(row["amount_minor"]) + int(row["withheld_minor"])
    return amounts


def handed_over(rewards: Path, books: Ledger) -> list[dict[str, str]]:
    """The lines of all closed periods' payables.csv."""
    files = [rewards / period / "payables.csv" for period in books.closed]
    return [row for file in files for row in tables.read_csv(file, tables.PAYABLES)]


def _column(books: Ledger, posting: Posting) -> str:
    while posting.event in _MIRRORS:
        posting = books.entry(posting.ref)[0]
    return _COLUMN_OF.get(posting.event, "adjusted")
