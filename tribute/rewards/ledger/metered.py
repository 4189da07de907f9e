"""What metered use moves between payers, agents' owners and the operator. Pure: ledger and seal in, entries out.

MARGIN    from who paid to who owns the agent, one per payer, agent and currency
INCOME    what affiliated payers used, which funds no pool, one per dataset, payer and currency
DEFER     what others used of datasets that the period does not pay: owed to their contributors, one likewise
DRAW      what earlier months deferred for the dataset that the period pays, back to its payers, who fund the period
TOPUP     what the bank received from a payer, or gave back; INVOICE what a payer is to pay
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import Entry, Event
from tribute.rewards.usage.sealed_usage import funds_of


@dataclass(frozen=True)
class Payment:
    """What a payer (by pseudonym) paid, is to pay, or got back (below 0), in minor units; `reference` names it."""

    payer: str
    minor: int
    currency: str
    reference: str
    day: str

    def entry(self, event: Event, debit: str, credit: str) -> Entry:
        """It as an entry, which the payer's reference names."""
        lines = ((debit, self.minor), (credit, -self.minor))
        key = f"{event}/{self.payer}/{self.reference}"
        return Entry(event, lines, self.day, self.currency, key, reason_code=self.reference)


def topped_up(payment: Payment) -> Entry:
    """Money of a payer who pays in advance."""
    return payment.entry("TOPUP", accounts.BANK, accounts.payer(payment.payer))


def invoice(payment: Payment) -> Entry:
    """What a payer may use now and pays later."""
    return payment.entry("INVOICE", accounts.invoiced(payment.payer), accounts.payer(payment.payer))


def invoice_paid(payment: Payment) -> Entry:
    """Money for the invoice of this reference."""
    return payment.entry("TOPUP", accounts.BANK, accounts.invoiced(payment.payer))


def metered(seal: Mapping[str, Any], dataset: str, day: str) -> list[Entry]:
    """MARGIN, INCOME and DEFER of a sealed month, as the close of its period, which pays `dataset`, posts them.

    So a month's use leaves nothing in the store that is not in the ledger. An agent's margin has no dataset.
    """
    owners = seal["owners"]
    margins = [
        _moved(("MARGIN", line["agent"]), line, accounts.payer(owners[line["agent"]]), day)
        for line in seal["margins"]
        if line["minor"]
    ]
    income = [
        _moved(("INCOME", line["dataset"]), line, accounts.PLATFORM, day) for line in seal["income"] if line["minor"]
    ]
    deferred = [
        _moved(("DEFER", line["dataset"]), line, accounts.deferred(line["dataset"]), day)
        for line in seal["funds"]
        if line["minor"] and line["dataset"] != dataset
    ]
    return margins + income + deferred


def drawn(books: Ledger, dataset: str, day: str) -> list[Entry]:
    """DRAW of every DEFER for `dataset` from before the month of `day` that no earlier month drew.

    Each is drawn once for ever. A period that is closed has the same entries before and after its close.
    """
    entries = []
    for posting in books.postings:
        if posting.account != accounts.deferred(dataset) or posting.event != "DEFER" or posting.period >= day[:7]:
            continue
        key = f"DRAW/{posting.entry_id}"
        before = books.find(key)
        if not before or before[0].period >= day[:7]:
            [payer] = [each.account for each in books.entry(posting.entry_id) if each.account != posting.account]
            lines = ((posting.account, posting.credit), (payer, -posting.credit))
            about = {"ref_entry_id": posting.entry_id, "reason_code": dataset}
            entries.append(Entry("DRAW", lines, day, posting.currency, key, **about))
    return entries


def payers_funds(seal: Mapping[str, Any], dataset: str, draws: Iterable[Entry]) -> dict[str, dict[str, int]]:
    """Currency → payer → minor units that fund a period of `dataset`: of the sealed month, and what is drawn for it."""
    funds = funds_of(seal, dataset)
    for entry in draws:
        own = funds.setdefault(entry.currency, {})
        for payer, amount in ((accounts.payer_of(account), amount) for account, amount in entry.lines):
            if payer:
                own[payer] = own.get(payer, 0) - amount
    return funds


def _moved(named: tuple[Event, str], line: Mapping[str, Any], credit: str, day: str) -> Entry:
    (event, of), payer, currency = named, line["payer"], line["currency"]
    key = f"{day[:7]}/{event}/{of}/{payer}/{currency}"
    lines = ((accounts.payer(payer), line["minor"]), (credit, -line["minor"]))
    return Entry(event, lines, day, currency, key, reason_code=of)
