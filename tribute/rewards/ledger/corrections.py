"""What is posted after the fact: corrections, claw-backs, reversals, and money that a dispute holds.

Closed periods never change: each is a new entry of the open period, linked to the one it corrects. Every function
takes the ledger and gives entries to post; called again for the same cause it gives the same keys, and
`already` finds what was posted then. Amounts are minor units > 0 unless said otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tribute.digests import canonical_digest
from tribute.errors import RewardError
from tribute.formatting import money
from tribute.rewards import tables
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import Entry, move
from tribute.rewards.ledger.journal import Posting, mirror
from tribute.rewards.ledger.postings import reserved

CORRECTING = ("ADJUST", "CLAWBACK", "REVERSE")
"""Entries that change what was accrued."""
BY_THE_BANK = ("PAY", "WITHHOLD", "RETURN")
"""Entries that only a bank's answer undoes; a RETURN gives the tax back with the payment."""
OF_PAYERS = ("TOPUP", "INVOICE", "MARGIN", "INCOME", "DEFER", "DRAW")
"""Entries that the usage store was told of."""


@dataclass(frozen=True)
class Cause:
    """Why something is posted: whose money, which entry it goes back to, on which day, and the reason in words."""

    contributor_id: str
    currency: str
    ref: str
    reason: str
    day: str

    def key(self, event: str, amount: int) -> str:
        """The same for the same cause on any day."""
        content = {"currency": self.currency, "reason": self.reason, "amount": str(amount)}
        return f"{event}/{self.contributor_id}/{self.ref}/{canonical_digest(content)[:16]}"

    def about(self, key: str, ref: str) -> dict[str, str]:
        """What all its entries carry; `ref` is the lot or hold that one takes from."""
        return {
            "posted_at": self.day,
            "currency": self.currency,
            "idempotency_key": key,
            "contributor_id": self.contributor_id,
            "ref_entry_id": ref,
            "reason_code": self.reason,
        }


def already(books: Ledger, key: str) -> list[Posting]:
    """What a cause with this key has posted before."""
    postings: list[Posting] = []
    number = 1
    while entry := books.find(f"{key}/{number}"):
        postings, number = [*postings, *entry], number + 1
    return postings


def adjusted(books: Ledger, cause: Cause, amount: int) -> list[Entry]:
    """ADJUST by `amount`, > 0 in favour of the contributor and < 0 against, linked to the entry it corrects.

    Against takes from what is accrued, the lot of that entry first. Raises RewardError where that is not enough.
    """
    _check_ref(books, cause)
    key = cause.key("ADJUST", amount)
    if already(books, key) or amount == 0:
        return []
    if amount < 0:
        _check_ceiling(books, cause, -amount)
    if amount > 0:
        short = amount - books.balance(accounts.RESERVE, cause.currency)
        top_up = (
            [reserved(short, cause.currency, cause.day, f"{key}/reserve", "reserve_topped_up")] if short > 0 else []
        )
        about = cause.about(f"{key}/1", cause.ref)
        return [*top_up, move("ADJUST", amount, accounts.RESERVE, accounts.accrued(cause.contributor_id), **about)]
    taken = _from_lots(books, cause, "ADJUST", -amount, key, accounts.RESERVE, first_number=1)
    if (left := -amount - _total(taken)) > 0:
        raise RewardError(
            f"{cause.contributor_id} has {money(left, cause.currency)} too little accrued for a correction of "
            f"{money(amount, cause.currency)}; take the rest back with `tribute period claw-back`"
        )
    return taken


def clawed_back(books: Ledger, cause: Cause, amount: int, others: Sequence[str] = ()) -> list[Entry]:
    """CLAWBACK of `amount`: from what is held, then accrued, the lot of the entry first; the rest becomes a claim.

    Never from what is payable or paid. `others` are further accruals that it is about. Raises RewardError where
    `amount` is more than what they accrued and earlier corrections left.
    """
    _check_ref(books, cause)
    key, name = cause.key("CLAWBACK", amount), cause.contributor_id
    if already(books, key):
        return []
    _check_ceiling(books, cause, amount, others)
    entries: list[Entry] = []
    for hold in books.lots.holds_of(name, cause.currency, cause.ref):
        if part := min(hold.left, amount - _total(entries)):
            about = cause.about(f"{key}/{len(entries) + 1}", hold.entry_id)
            entries.append(move("CLAWBACK", part, accounts.held(name), accounts.RESERVE, **about))
    left = amount - _total(entries)
    entries += _from_lots(books, cause, "CLAWBACK", left, key, accounts.RESERVE, first_number=len(entries) + 1)
    if left := amount - _total(entries):
        about = cause.about(f"{key}/{len(entries) + 1}", cause.ref)
        entries.append(move("CLAWBACK", left, accounts.claim(name), accounts.RESERVE, **about))
    return entries


def reversed_entry(
    books: Ledger, entry_id: str, reason: str, day: str, in_flight: Mapping[tuple[str, str], int]
) -> list[Entry]:
    """REVERSE: the exact mirror of one entry, once; what comes back to the pool goes on to the reserve.

    `in_flight` is what was handed over for payment (`balances.in_flight`). Raises RewardError where that would
    have to come back, or a payment, which a bank has to return.
    """
    postings = books.entry(entry_id)
    if postings[0].event in BY_THE_BANK:
        raise RewardError(
            f"{entry_id} is a {postings[0].event}; only the bank's answer undoes it: `tribute pay reconcile`"
        )
    if postings[0].event in OF_PAYERS:
        raise RewardError(
            f"{entry_id} is a {postings[0].event}, of which the usage store knows; "
            "post the opposite with `tribute payer top-up`"
        )
    if books.find(f"REVERSE/{entry_id}"):
        return []
    back = mirror("REVERSE", postings, posted_at=day, key=f"REVERSE/{entry_id}", reason_code=reason)
    _check_in_flight(books, back, in_flight)
    to_pool = -dict(back.lines).get(accounts.POOL, 0)
    if to_pool <= 0:
        return [back]
    about = {"posted_at": day, "currency": back.currency, "ref_entry_id": entry_id, "reason_code": reason}
    key = f"REVERSE/{entry_id}/reserve"
    return [back, move("RESERVE", to_pool, accounts.POOL, accounts.RESERVE, idempotency_key=key, **about)]


def disputed(books: Ledger, cause: Cause, amount: int) -> list[Entry]:
    """HOLD of up to `amount` of what is accrued, the lot of `cause.ref` first; `cause.reason` names the dispute.

    What is payable or paid already cannot be held, so less than `amount` may come back.
    """
    key = cause.key("HOLD", amount)
    if already(books, key):
        return []
    return _from_lots(books, cause, "HOLD", amount, key, accounts.held(cause.contributor_id), first_number=1)


def settled(books: Ledger, holds: Iterable[str], reason: str, day: str) -> list[Entry]:
    """RELEASE back to accrued of all that is left of these HOLD entries."""
    lots, entries = books.lots, []
    for entry_id in holds:
        hold = lots.holds.get(entry_id)
        if hold is None:
            raise RewardError(f"{entry_id} is no HOLD; give the entries that the dispute has held")
        if hold.left:
            name = hold.lot.contributor_id
            cause = Cause(name, hold.lot.currency, entry_id, reason, day)
            about = cause.about(f"RELEASE/{entry_id}/{hold.moved}", entry_id)
            entries.append(move("RELEASE", hold.left, accounts.held(name), accounts.accrued(name), **about))
    return entries


def _check_ceiling(books: Ledger, cause: Cause, amount: int, others: Sequence[str] = ()) -> None:
    """Raise RewardError where `amount`, > 0, is more than what the accruals of a cause have left to take back.

    That is what they accrued and what corrections added, less what corrections, claw-backs and reversals took.
    """
    roots = {_root(books, ref) for ref in (cause.ref, *others)}
    left, currency = 0, cause.currency
    for posting in books.postings:
        if posting.contributor_id != cause.contributor_id:
            continue
        if posting.event == "ACCRUE" and posting.account == accounts.POOL and posting.entry_id in roots:
            left += posting.amount
        elif posting.event in CORRECTING and posting.account in (accounts.RESERVE, accounts.POOL):
            left += posting.amount if _corrected(books, posting) in roots else 0
    if amount > left:
        raise RewardError(
            f"{money(amount, currency)} is more than the {money(max(left, 0), currency)} that {cause.ref} has left to "
            "take back: what it accrued, less what was taken back before; give no more than that"
        )


def _root(books: Ledger, entry_id: str) -> str:
    """The ACCRUE or FUND that an entry goes back to by its references; an entry without reference is its own."""
    while ref := books.entry(entry_id)[0].ref:
        entry_id = ref
    return entry_id


def _corrected(books: Ledger, posting: Posting) -> str:
    """The root of the entry that a correction is about, which its key names: its ref is the lot that it takes from."""
    while posting.event == "REVERSE":
        posting = books.entry(posting.ref)[0]
    if posting.event in ("ADJUST", "CLAWBACK") and posting.key.startswith(f"{posting.event}/"):
        return _root(books, posting.key.split("/")[2])
    return posting.entry_id if posting.event == "ACCRUE" else ""


def _from_lots(
    books: Ledger, cause: Cause, event: Any, amount: int, key: str, credit: str, *, first_number: int
) -> list[Entry]:
    """Entries that take up to `amount` from the contributor's accruals, one a lot."""
    entries: list[Entry] = []
    for lot in books.lots.of(cause.contributor_id, cause.currency, cause.ref):
        if part := min(lot.left, amount - _total(entries)):
            about = cause.about(f"{key}/{first_number + len(entries)}", lot.entry_id)
            entries.append(move(event, part, accounts.accrued(cause.contributor_id), credit, **about))
    return entries


def _total(entries: list[Entry]) -> int:
    return sum(amount for entry in entries for _, amount in entry.lines if amount > 0)


def _check_in_flight(books: Ledger, back: Entry, in_flight: Mapping[tuple[str, str], int]) -> None:
    """What the bank was told to pay stays payable until it answers; an entry of nobody (FUND) made nothing payable."""
    if not back.contributor_id:
        return
    account = accounts.payable(back.contributor_id)
    taken = dict(back.lines).get(account, 0)
    flying = in_flight.get((back.contributor_id, back.currency), 0)
    if taken > 0 and books.balance(account, back.currency) - taken < flying:
        raise RewardError(
            f"{back.ref_entry_id} made payable what a payables.csv has handed over: "
            f"{money(flying, back.currency)}; take in the bank's answer first: `tribute pay reconcile`"
        )


def _check_ref(books: Ledger, cause: Cause) -> None:
    """A correction goes back to an entry in its currency, of its contributor or a FUND of a period they have a line in.

    FUND stands for a line that accrued nothing; whoever has no line in that period is a stranger, or a slip.
    """
    posting, name, currency = books.entry(cause.ref)[0], cause.contributor_id, cause.currency
    if (posting.event, posting.currency) == ("FUND", currency):
        path = books.folder.parent / posting.period / "allocation.csv"
        lines = tables.read(path, tables.ALLOCATION)
        if (name, currency) not in {(line.contributor_id, line.currency) for line in lines}:
            raise RewardError(f"{path} has no line of {name!r} in {currency}; correct what stands there")
    elif (posting.contributor_id, posting.currency) != (name, currency):
        raise RewardError(
            f"{cause.ref} is an entry of {posting.contributor_id or 'nobody'} in {posting.currency}, found "
            f"{name} and {currency}; give an entry of theirs"
        )
