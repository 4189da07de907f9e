"""The checks of a period's money: from fee to pools, from weights to amounts, from amounts to journal and balances."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby

from tribute import formatting, ids, months
from tribute.formatting import money
from tribute.money import exponent
from tribute.rewards import tables
from tribute.rewards.allocation.allocate import largest_remainder, quotas, status
from tribute.rewards.allocation.allocation_table import blend_columns
from tribute.rewards.allocation.funding import Funding, divide
from tribute.rewards.allocation.payers import counted
from tribute.rewards.allocation.weights import BLEND, TOKENS, weight_of
from tribute.rewards.ledger import accounts, balances, journal
from tribute.rewards.ledger.entries import Entry
from tribute.rewards.ledger.metered import metered, payers_funds
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.tables import AllocationRow
from tribute.rewards.usage.queries import PAID_STEPS, baskets, read_usage
from tribute.rewards.usage.sealed_usage import COPY

BY_CLOSE = ("FUND", "ACCRUE", "MARGIN", "INCOME", "DEFER", "DRAW")
"""What nothing but a period's close posts."""


def check_funding(read: PeriodFolder) -> str:
    """Each net fee is divided as the policy says."""
    for document, funding in zip(read.config["funding"], read.fundings, strict=True):
        currency = funding.currency
        if divide(funding.net, currency, read.policy, read.period, funding.payers).document() != document:
            raise read.wrong("manifest.json", f"the {currency} are not divided as the policy's split and pools say")
    if read.seal is not None:
        funds = payers_funds(read.seal, read.config["usage"]["dataset"], _drawn(read))
        if funds != {funding.currency: funding.payers for funding in read.fundings if funding.payers}:
            raise read.wrong("manifest.json", f"payers do not fund what {COPY} and DRAW say that they used")
    fees = [formatting.plain_money(funding.net, funding.currency) for funding in read.fundings]
    return f"the net fee of {' and '.join(fees)} is divided by the policy"


def check_weights(read: PeriodFolder) -> str:
    """Every weight follows from credit, content or tokens by the rule that the gate chose."""
    rule, formula = read.verdict.rule, _formula(read)
    _refuse_counts(read)
    if read.payees and read.policy.netting == "none":
        raise read.wrong("manifest.json", "names payees, and the policy nets nobody")
    for row in read.allocation:
        if row.rule != rule:
            raise read.wrong("allocation.csv", f"{row.contributor_id}: rule {row.rule}, gate.json says {rule}")
    for _, group in groupby(read.allocation, lambda row: (row.pool, row.currency)):
        rows = list(group)
        weights, parts = read.terms.weights([read.claim(row) for row in rows])
        for row in rows:
            name = row.contributor_id
            if weight_of(row) != weights[name]:
                raise read.wrong("allocation.csv", f"{name}: the weight is not {formula}")
            stated = (row.reliability, row.credit_share, row.content, row.content_share)
            if stated != blend_columns(parts.get(name)):
                raise read.wrong("allocation.csv", f"{name}: reliability, shares or content do not join to the weight")
    return f"every weight is {formula}"


def _formula(read: PeriodFolder) -> str:
    rule, kappa = read.verdict.rule, read.policy.exact_kappa
    if rule == TOKENS:
        return "tokens, or 0 where score_high < 0"
    payees = formatting.counted(len(set(read.payees.values())), "payee")
    netted = f", netted over the names of {payees}" if read.payees else ""
    netted += f", less the harm of {formatting.counted(len(read.harm), 'name')}" if read.harm else ""
    if rule == BLEND:
        return f"w · credit_share + (1 − w) · content_share, w = {read.verdict.reliability}{netted}"
    return f"max(0, score − {kappa}·score_se){netted}"


def check_payers(read: PeriodFolder) -> str:
    """Each payer's money is paid out whole, by credit on what that payer asked; by what usage.csv says was paid.

    Returns no sentence where no pool pays by query.
    """
    if not any(pool.by_payers for pool in read.policy.pools.values()):
        return ""
    file, kappa = tables.PAYERS_FILE, read.policy.exact_kappa
    if not tables.PAYERS.in_order(read.payers):
        raise read.wrong(file, "expected one line per pool, payer and contributor, in their order")
    totals: dict[tuple[str, str | None], Counter[str]] = {}
    for (pool, currency, payer, _), group in groupby(
        read.payers, lambda row: (row.pool, row.currency, row.payer, row.basis if read.seal else "")
    ):
        rows = list(group)
        paid = rows[0].paid
        totals.setdefault((pool, currency), Counter())[payer] += paid
        weights = {row.contributor_id: counted(row.score, row.score_se, kappa) for row in rows}
        if {row.paid for row in rows} != {paid} or len({row.basis for row in rows}) > 1:
            raise read.wrong(file, f"{payer}: lines that differ in basis or paid")
        if not all(weights.values()) or {row.contributor_id: row.part for row in rows} != largest_remainder(
            paid, weights, read.period
        ):
            raise read.wrong(file, f"{payer}: the parts do not follow from max(0, score − {kappa}·score_se)")
    if read.seal:
        funders = {funding.currency: _funded(funding) for funding in read.fundings}
        if any(paid != funders.get(str(currency)) for (_, currency), paid in totals.items()):
            raise read.wrong(file, "not what the manifest says that payers and operator fund")
    elif read.usage_file:
        expected = {basket.payer: basket.total for basket in baskets(read_usage(read.usage_file))}
        if any(paid != expected for paid in totals.values()):
            raise read.wrong(file, f"not what {tables.USAGE_FILE} says that users paid")
    return f"the money of {sum(map(len, totals.values()))} payers is paid out within what each asked"


def _funded(funding: Funding) -> dict[str, int]:
    """Funder → what it funds, in the unit of payers.csv."""
    unit = PAID_STEPS // 10 ** exponent(funding.currency)
    return {name: minor * unit for name, minor in funding.funders.items()}


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
        if row.status != status(read.claim(row), weights[name], amount, read.verdict.rule):
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
        if posting.event in (*BY_CLOSE, "RESERVE") and posting.key in expected:
            posted[posting.key] = posted.get(posting.key, 0) + max(posting.amount, 0)
        elif posting.event in BY_CLOSE:
            raise read.wrong(file, f"{posting.entry_id} posts {posting.key}, which nothing here asks for")
    for key in sorted(expected):
        if posted.get(key) != expected[key]:
            raise read.wrong(file, f"{key} posts {posted.get(key)} minor units, expected {expected[key]}")
    return f"{len(postings)} journal lines are chained, balance, and post exactly the fees and the amounts allocated"


def _drawn(read: PeriodFolder) -> list[Entry]:
    """The DRAW entries of the period's month; that they mirror what was deferred, workspace_checks.py checks."""
    postings = [posting for posting in read.journal if posting.event == "DRAW"]
    return [journal.entry_of(list(entry)) for _, entry in groupby(postings, lambda posting: posting.entry_id)]


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
    if read.seal is not None:
        day = months.last_day(read.period)
        for entry in (*metered(read.seal, read.config["usage"]["dataset"], day), *_drawn(read)):
            expected[entry.idempotency_key] = sum(amount for _, amount in entry.lines if amount > 0)
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


def _refuse_counts(read: PeriodFolder) -> None:
    """Exactly those have tokens who have rows that were trained on."""
    trained = {row.contributor_id for row in read.allocation if row.rows_canonical}
    with_tokens = {name for name, count in read.tokens.items() if count > 0}
    for name in sorted(with_tokens ^ trained):
        said = "tokens and no trained row" if name in with_tokens else "trained rows and no tokens"
        raise read.wrong("tokens.csv", f"{name} has {said}")
