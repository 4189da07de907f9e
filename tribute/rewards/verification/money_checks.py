"""The checks of a period's money: from fee to pools, from weights to amounts, from amounts to journal and balances."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import groupby

from tribute import formatting, ids
from tribute.formatting import money
from tribute.money import exponent
from tribute.rewards import tables
from tribute.rewards.allocation.allocate import TOKENS, claim_of, largest_remainder, quotas, status, weigh, weight_of
from tribute.rewards.allocation.funding import divide
from tribute.rewards.ledger import accounts, balances, journal
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.tables import AllocationRow


def check_funding(read: PeriodFolder) -> str:
    """Each net fee is divided as the policy says."""
    for document, funding in zip(read.config["funding"], read.fundings, strict=True):
        currency = funding.currency
        if divide(funding.net, currency, read.policy, read.period).document() != document:
            raise read.wrong("manifest.json", f"the {currency} are not divided as the policy's split and pools say")
    fees = [formatting.plain_money(funding.net, funding.currency) for funding in read.fundings]
    return f"the net fee of {' and '.join(fees)} is divided by the policy"


def check_weights(read: PeriodFolder) -> str:
    """Every weight follows from credit or tokens by the rule that the gate chose."""
    rule, kappa = read.verdict.rule, read.policy.exact_kappa
    counts = _counts(read)
    formula = "tokens, or 0 where score_high < 0" if rule == TOKENS else f"max(0, score − {kappa}·score_se)"
    for row in read.allocation:
        name = row.contributor_id
        if row.rule != rule:
            raise read.wrong("allocation.csv", f"{name}: rule {row.rule}, gate.json says {rule}")
        if weight_of(row) != weigh(claim_of(row, counts.get(name, 0)), kappa, rule):
            raise read.wrong("allocation.csv", f"{name}: the weight is not {formula}")
    return f"every weight is {formula}"


def check_amounts(read: PeriodFolder) -> str:
    """Every amount follows from the weights, pool by pool and currency by currency."""
    pools = {(pool, funding.currency): minor for funding in read.fundings for pool, minor in funding.pools.items()}
    by_pool = {key: list(rows) for key, rows in groupby(read.allocation, lambda row: (row.pool, row.currency))}
    if list(by_pool) != sorted(pools) or sum(map(len, by_pool.values())) != len(read.allocation):
        raise read.wrong("allocation.csv", f"pools {list(by_pool)}, the manifest says {sorted(pools)}")
    for key, lines in by_pool.items():
        _check_pool(read, lines, pools[key], key[1])
    totals = [formatting.plain_money(minor, currency) for (_, currency), minor in sorted(pools.items())]
    return (
        f"{len(read.allocation)} amounts follow from the weights by largest remainder and sum to the "
        f"pool{'s' if len(totals) > 1 else ''} of {' and '.join(totals)}"
    )


def _check_pool(read: PeriodFolder, rows: Sequence[AllocationRow], pool: int, currency: str) -> None:
    file = "allocation.csv"
    total = sum(row.amount_minor for row in rows)
    if total != pool:
        raise read.wrong(file, f"the lines sum to {money(total, currency)}, the pool is {money(pool, currency)}")
    weights = {row.contributor_id: weight_of(row) for row in rows}
    if not tables.ALLOCATION.in_order(rows):
        raise read.wrong(file, "expected one line per contributor, in their order")
    expected, shares = largest_remainder(pool, weights, read.period), quotas(pool, weights)
    for row in rows:
        name, amount = row.contributor_id, row.amount_minor
        if amount != expected[name]:
            said = f"amount {money(amount, currency)}, the weights say {money(expected[name], currency)}"
            raise read.wrong(file, f"{name}: {said}")
        if row.status != status(claim_of(row, 0), weights[name], amount, read.verdict.rule):
            raise read.wrong(file, f"{name}: status {row.status} does not fit the line")
        quota = formatting.decimal_floor(shares[name])
        rounding = formatting.decimal_floor(amount - Fraction(quota))
        written = (row.quota_minor, row.rounding_minor, row.period, row.exponent, row.payee_ref)
        if written != (quota, rounding, read.period, exponent(currency), ids.payee_ref(name)):
            raise read.wrong(file, f"{name}: quota, rounding, period, exponent or payee do not fit the line")


def check_journal(read: PeriodFolder) -> str:
    """Chained, balanced, of this month, and it posts exactly the fees and the amounts allocated."""
    file, postings, head = "journal.csv", read.journal, read.config["ledger"]
    first = postings[0]
    start = first.seq - 1
    if faults := journal.faults(postings, first.prev_hash if start else journal.GENESIS, start):
        raise read.wrong(file, faults[0])
    if strangers := [posting for posting in postings if posting.period != read.period]:
        raise read.wrong(file, f"{strangers[0].entry_id} belongs to {strangers[0].period}")
    # What the ledger held when the period was made: a line of this file, or the one before its first.
    seq = int(head["seq"])
    follows = first.prev_hash if seq == start else postings[seq - start - 1].hash if seq > start else None
    if follows != head["head"]:
        raise read.wrong(file, f"does not follow on line {seq} of the ledger, which the manifest names")
    expected = _posted(read)
    posted: dict[str, int] = {}
    for posting in postings:
        if posting.event in ("FUND", "RESERVE", "ACCRUE") and posting.key in expected:
            posted[posting.key] = posted.get(posting.key, 0) + max(posting.amount, 0)
        elif posting.event in ("FUND", "ACCRUE"):
            raise read.wrong(file, f"{posting.entry_id} posts {posting.key}, which nothing here asks for")
    for key in sorted(expected):
        if posted.get(key) != expected[key]:
            raise read.wrong(file, f"{key} posts {posted.get(key)} minor units, expected {expected[key]}")
    return f"{len(postings)} journal lines are chained, balance, and post exactly the fees and the amounts allocated"


def _posted(read: PeriodFolder) -> dict[str, int]:
    """Idempotency key → minor units that the close of this period has to post for it."""
    expected = {
        f"{read.period}/ACCRUE/{row.pool}/{row.currency}/{row.contributor_id}": row.amount_minor
        for row in read.allocation
        if row.amount_minor
    }
    for funding in read.fundings:
        expected[f"{read.period}/FUND/{funding.currency}"] = funding.net - funding.reserve
        if funding.reserve:
            expected[f"{read.period}/RESERVE/{funding.currency}"] = funding.reserve
    return expected


def check_balances(read: PeriodFolder) -> str:
    """Every line adds up, and moves as the journal does; how it opens, continuity.py checks."""
    file = "balances.csv"
    moved: dict[tuple[str, str], int] = {}
    for posting in read.journal:
        if accounts.stage(posting.account):
            key = (posting.contributor_id, posting.currency)
            moved[key] = moved.get(key, 0) + posting.credit
    if not tables.BALANCES.in_order(read.balances):
        raise read.wrong(file, "expected one line per contributor and currency, in their order")
    for balance in read.balances:
        name, currency = balance.contributor_id, balance.currency
        if not balance.adds_up:
            raise read.wrong(file, f"{name}: opening + accrued + adjusted − withheld − paid is not closing")
        if balance.closing - balance.opening != moved.pop((name, currency), 0):
            raise read.wrong(file, f"{name}: {currency} does not move as journal.csv says")
    if left := sorted(key for key, change in moved.items() if change):
        raise read.wrong(file, f"no line for {left[0][0]} in {left[0][1]}, whom journal.csv names")
    return f"{len(read.balances)} balances add up and move as the journal does"


def check_payables(read: PeriodFolder) -> str:
    """Nobody is paid less than the threshold, or twice; that each balance is payable, continuity.py checks."""
    file, policy = "payables.csv", read.policy
    known = {(balance.contributor_id, balance.currency) for balance in read.balances}
    if not tables.PAYABLES.in_order(read.payables):
        raise read.wrong(file, "expected one line per payment, in their order")
    for row in read.payables:
        name, currency = ids.parse_payee_ref(row.payee_ref), row.currency
        gross = row.amount_minor + row.withheld_minor
        fits = balances.payable_row(read.period, name, currency, gross, policy) == row
        if not fits or row.amount_minor <= 0 or gross < policy.least(currency) or (name, currency) not in known:
            raise read.wrong(file, f"{row.payment_id}: does not fit the policy, or pays who has no balance")
    return f"{len(read.payables)} payments reach the policy's thresholds and withhold what it says"


def _counts(read: PeriodFolder) -> dict[str, int]:
    """Contributor → tokens, for exactly those who have rows that were trained on."""
    trained = {row.contributor_id for row in read.allocation if row.rows_canonical}
    counted = {name for name, count in read.tokens.items() if count > 0}
    _refuse(read, sorted(counted ^ trained), counted)
    return read.tokens


def _refuse(read: PeriodFolder, names: Iterable[str], counted: set[str]) -> None:
    for name in names:
        said = "tokens and no trained row" if name in counted else "trained rows and no tokens"
        raise read.wrong("tokens.csv", f"{name} has {said}")
