"""What is posted when: accruals and holdbacks of a period, and what time makes payable. Pure: ledger in, entries out.

Accrued → Payable      on the day after the accrual's last day to dispute, `dispute_days` after it was posted
Held    → Payable      `holdback.days` after the hold was posted, by the policy of the period it was posted in, while no
                       dispute holds anything of the same accrual
Payable → paid         with the next payables.csv in which the balance reaches the policy's threshold
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction

from tribute import months
from tribute.rewards.allocation.allocate import AllocationLine, PoolAllocation
from tribute.rewards.allocation.funding import Funding
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.entries import Entry, move
from tribute.rewards.ledger.ledger import Ledger
from tribute.rewards.ledger.lots import HOLDBACK
from tribute.rewards.policy.policy import Policy


def due(books: Ledger, day: str, terms: Mapping[str, Policy]) -> list[Entry]:
    """PAYABLE and RELEASE of everything whose time is over on `day`.

    `terms`: period → the policy it is paid by; what was posted in a period that is not among them waits.
    """
    found, made = books.lots, []
    for lot in found.lots.values():
        policy = terms.get(lot.posted_at[:7])
        # On the last day itself the amount can still be disputed.
        if policy and lot.left > 0 and _after(lot.posted_at, policy.dispute_days) < day:
            made.append(
                move(
                    "PAYABLE",
                    lot.left,
                    accounts.accrued(lot.contributor_id),
                    accounts.payable(lot.contributor_id),
                    posted_at=day,
                    currency=lot.currency,
                    # Money can come back from a dispute and become payable once more.
                    idempotency_key=f"PAYABLE/{lot.entry_id}/{lot.moved}",
                    contributor_id=lot.contributor_id,
                    ref_entry_id=lot.entry_id,
                    reason_code="dispute_window_over",
                )
            )
    disputed = found.disputed()
    for hold in found.holds.values():
        policy, name = terms.get(hold.posted_at[:7]), hold.lot.contributor_id
        if hold.reason_code != HOLDBACK or policy is None or hold.lot.entry_id in disputed:
            continue
        if hold.left > 0 and _after(hold.posted_at, policy.holdback.days) <= day:
            made.append(
                move(
                    "RELEASE",
                    hold.left,
                    accounts.held(name),
                    accounts.payable(name),
                    posted_at=day,
                    currency=hold.lot.currency,
                    idempotency_key=f"RELEASE/{hold.entry_id}/{hold.moved}",
                    contributor_id=name,
                    ref_entry_id=hold.entry_id,
                    reason_code="holdback_over",
                )
            )
    return made


def closing(
    books: Ledger, period: str, fundings: Sequence[Funding], paid: Sequence[PoolAllocation], terms: Mapping[str, Policy]
) -> Ledger:
    """The ledger after everything that the close of `period` posts, all on the period's last day; `books` stays."""
    day, after = months.last_day(period), books.copy()
    after.extend(due(books, day, terms))
    after.extend(entry for funding in fundings for entry in funded(funding, day))
    after.extend(entry for one in paid for entry in accrued(one, day))
    after.extend(netted(after, paid, day))
    after.extend(held_back(after, paid, day, terms[period]))
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
    fund = Entry(
        "FUND",
        ((accounts.EXPENSE, funding.net - funding.reserve), *credits),
        day,
        currency,
        f"{period}/FUND/{currency}",
        reason_code="period_funded",
    )
    if not funding.reserve:
        return [fund]
    key = f"{period}/RESERVE/{currency}"
    return [fund, reserved(funding.reserve, currency, day, key, "part_of_net_fee")]


def reserved(amount: int, currency: str, day: str, key: str, reason: str) -> Entry:
    """RESERVE: money set aside for corrections."""
    about = {"posted_at": day, "currency": currency, "idempotency_key": key, "reason_code": reason}
    return move("RESERVE", amount, accounts.EXPENSE, accounts.RESERVE, **about)


def accrued(paid: PoolAllocation, day: str) -> list[Entry]:
    """One ACCRUE for every amount above 0, in the order of the lines."""
    return [
        move(
            "ACCRUE",
            line.amount,
            accounts.POOL,
            accounts.accrued(line.contributor_id),
            posted_at=day,
            currency=paid.currency,
            idempotency_key=_key(day, "ACCRUE", paid, line),
            contributor_id=line.contributor_id,
            reason_code="share_of_pool",
        )
        for line in paid.lines
        if line.amount
    ]


def netted(books: Ledger, paid: Iterable[PoolAllocation], day: str) -> list[Entry]:
    """What new accruals take off the claims on their contributors."""
    made, left = [], {key: -amount for key, amount in books.balances().items() if amount < 0}
    for one, line in _payees(paid):
        name, key = line.contributor_id, (accounts.claim(line.contributor_id), one.currency)
        amount = min(line.amount, left.get(key, 0))
        if amount:
            left[key] -= amount
            made.append(
                move(
                    "CLAWBACK",
                    amount,
                    accounts.accrued(name),
                    accounts.claim(name),
                    posted_at=day,
                    currency=one.currency,
                    idempotency_key=_key(day, "CLAWBACK", one, line),
                    contributor_id=name,
                    ref_entry_id=_accrual(books, day, one, line),
                    reason_code="claim_netted",
                )
            )
    return made


def held_back(books: Ledger, paid: Iterable[PoolAllocation], day: str, policy: Policy) -> list[Entry]:
    """The holdback of every new accrual, of what netting left of it, rounded down."""
    part, made = Fraction(policy.holdback.part), []
    for one, line in _payees(paid):
        name = line.contributor_id
        taken = books.find(_key(day, "CLAWBACK", one, line))
        left = line.amount - (int(taken[0]["debit_minor"]) if taken else 0)
        amount = left * part.numerator // part.denominator
        if amount:
            made.append(
                move(
                    "HOLD",
                    amount,
                    accounts.accrued(name),
                    accounts.held(name),
                    posted_at=day,
                    currency=one.currency,
                    idempotency_key=_key(day, "HOLD", one, line),
                    contributor_id=name,
                    ref_entry_id=_accrual(books, day, one, line),
                    reason_code=HOLDBACK,
                )
            )
    return made


def _payees(paid: Iterable[PoolAllocation]) -> Iterable[tuple[PoolAllocation, AllocationLine]]:
    return ((one, line) for one in paid for line in one.lines if line.amount)


def _accrual(books: Ledger, day: str, paid: PoolAllocation, line: AllocationLine) -> str:
    return books.find(_key(day, "ACCRUE", paid, line))[0]["entry_id"]


def _key(day: str, event: str, paid: PoolAllocation, line: AllocationLine) -> str:
    return f"{day[:7]}/{event}/{paid.pool}/{paid.currency}/{line.contributor_id}"


def _after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
