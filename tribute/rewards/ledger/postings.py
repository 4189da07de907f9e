"""What is posted when: accruals and holdbacks of a period, and what time makes payable. Pure: ledger in, entries out.

Accrued → Payable      on the day after the accrual's last day to dispute, `dispute_days` after it was posted
Held    → Payable      `holdback.days` after the hold was posted, by the policy of the period it was posted in, while no
                       dispute holds anything of the same accrual
Payable → paid         with the next payables.csv in which the balance reaches the policy's threshold
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from tribute import months
from tribute.rewards.allocation.allocate import AllocationLine, PoolAllocation, largest_remainder
from tribute.rewards.allocation.funding import OPERATOR, Funding
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import Entry, Event, move
from tribute.rewards.ledger.lots import HOLDBACK, Hold, Lot
from tribute.rewards.policy.policy import Policy

Account = Callable[[str], str]
"""Contributor id → one of their accounts."""


@dataclass(frozen=True)
class _Accrual:
    """One accrual of a close: a line of a pool, above 0, posted on the period's last day."""

    pool: str
    currency: str
    day: str
    line: AllocationLine

    def key(self, event: Event) -> str:
        return f"{self.day[:7]}/{event}/{self.pool}/{self.currency}/{self.line.contributor_id}"

    def accrue(self) -> Entry:
        name = self.line.contributor_id
        return move(
            "ACCRUE",
            self.line.amount,
            accounts.POOL,
            accounts.accrued(name),
            posted_at=self.day,
            currency=self.currency,
            idempotency_key=self.key("ACCRUE"),
            contributor_id=name,
            reason_code="share_of_pool",
        )

    def take(self, books: Ledger, event: Event, amount: int, account: Account, reason: str) -> Entry:
        """Move `amount` of what was accrued on to another account of the contributor."""
        name = self.line.contributor_id
        return move(
            event,
            amount,
            accounts.accrued(name),
            account(name),
            posted_at=self.day,
            currency=self.currency,
            idempotency_key=self.key(event),
            contributor_id=name,
            ref_entry_id=books.find(self.key("ACCRUE"))[0].entry_id,
            reason_code=reason,
        )


def due(books: Ledger, day: str, terms: Mapping[str, Policy]) -> list[Entry]:
    """PAYABLE and RELEASE of everything whose time is over on `day`.

    `terms`: period → the policy it is paid by; what was posted in a period that is not among them waits.
    """
    disputed = books.lots.disputed()
    undisputed = (
        # On the last day itself the amount can still be disputed.
        _to_payable("PAYABLE", lot, accounts.accrued, "dispute_window_over", day)
        for lot in books.lots.lots.values()
        if lot.left > 0 and (policy := terms.get(lot.day[:7])) and _after(lot.day, policy.dispute_days) < day
    )
    released = (
        _to_payable("RELEASE", hold, accounts.held, "holdback_over", day)
        for hold in books.lots.holds.values()
        if hold.left > 0 and hold.reason == HOLDBACK and hold.lot.entry_id not in disputed
        if (policy := terms.get(hold.day[:7])) and _after(hold.day, policy.holdback.days) <= day
    )
    return [*undisputed, *released]


def _to_payable(event: Event, source: Lot | Hold, account: Account, reason: str, day: str) -> Entry:
    name = source.contributor_id
    return move(
        event,
        source.left,
        account(name),
        accounts.payable(name),
        posted_at=day,
        currency=source.currency,
        # Money can come back from a dispute and become payable once more.
        idempotency_key=f"{event}/{source.entry_id}/{source.moved}",
        contributor_id=name,
        ref_entry_id=source.entry_id,
        reason_code=reason,
    )


def closing(
    books: Ledger,
    period: str,
    fundings: Sequence[Funding],
    allocations: Sequence[PoolAllocation],
    terms: Mapping[str, Policy],
    metered: Sequence[Entry] = (),
) -> Ledger:
    """The ledger after everything that the close of `period` posts, all on the period's last day; `books` stays.

    `metered` is what metered use moves beside the pools, see `metered.py`.
    """
    day, after = months.last_day(period), books.copy()
    accruals = list(_accruals(allocations, day))
    after.extend(due(books, day, terms))
    after.extend(entry for funding in fundings for entry in funded(funding, day))
    after.extend(metered)
    after.extend(accrual.accrue() for accrual in accruals)
    after.extend(_netted(after, accruals))
    after.extend(_held_back(after, accruals, Fraction(terms[period].holdback.part)))
    return after


def funded(funding: Funding, day: str) -> list[Entry]:
    """FUND and RESERVE of one currency's net fee."""
    period, currency = day[:7], funding.currency
    parts = (
        (accounts.POOL, funding.contributors),
        (accounts.PLATFORM, funding.platform),
        (accounts.MODEL_OWNER, funding.model_owner),
    )
    credits = tuple((account, -amount) for account, amount in parts if amount)
    kept = _reserved_of(funding, period)
    paid = {name: amount - kept.get(name, 0) for name, amount in funding.funders.items()}
    fund = Entry(
        "FUND",
        (*_debits(paid), *credits),
        day,
        currency,
        f"{period}/FUND/{currency}",
        reason_code="period_funded",
    )
    if not funding.reserve:
        return [fund]
    lines = (*_debits(kept), (accounts.RESERVE, -funding.reserve))
    key, reason = f"{period}/RESERVE/{currency}", "part_of_net_fee"
    return [fund, Entry("RESERVE", lines, day, currency, key, reason_code=reason)]


def _reserved_of(funding: Funding, period: str) -> dict[str, int]:
    """What of each funder's money is set aside."""
    funders = {name: Fraction(amount) for name, amount in funding.funders.items()}
    return largest_remainder(funding.reserve, funders, period)


def _debits(paid: Mapping[str, int]) -> list[tuple[str, int]]:
    """The operator's is an expense; a payer's is owed by the payer, or was paid in advance."""
    return [
        (accounts.EXPENSE if name == OPERATOR else accounts.payer(name), amount)
        for name, amount in paid.items()
        if amount
    ]


def reserved(amount: int, currency: str, day: str, key: str, reason: str) -> Entry:
    """RESERVE: money set aside for corrections."""
    about = {"posted_at": day, "currency": currency, "idempotency_key": key, "reason_code": reason}
    return move("RESERVE", amount, accounts.EXPENSE, accounts.RESERVE, **about)


def _accruals(allocations: Iterable[PoolAllocation], day: str) -> Iterator[_Accrual]:
    """One for every amount above 0, in the order of the lines."""
    for allocation in allocations:
        for line in allocation.lines:
            if line.amount:
                yield _Accrual(allocation.pool, allocation.currency, day, line)


def _netted(books: Ledger, accruals: Iterable[_Accrual]) -> Iterator[Entry]:
    """What new accruals take off the claims on their contributors."""
    claims = {key: -balance for key, balance in books.balances().items() if balance < 0}
    for accrual in accruals:
        key = (accounts.claim(accrual.line.contributor_id), accrual.currency)
        if amount := min(accrual.line.amount, claims.get(key, 0)):
            claims[key] -= amount
            yield accrual.take(books, "CLAWBACK", amount, accounts.claim, "claim_netted")


def _held_back(books: Ledger, accruals: Iterable[_Accrual], part: Fraction) -> Iterator[Entry]:
    """The holdback of every new accrual, of what netting left of it, rounded down."""
    for accrual in accruals:
        netted = books.find(accrual.key("CLAWBACK"))
        left = accrual.line.amount - (netted[0].amount if netted else 0)
        if amount := left * part.numerator // part.denominator:
            yield accrual.take(books, "HOLD", amount, accounts.held, HOLDBACK)


def _after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
