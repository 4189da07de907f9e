"""What metered use moves between payers, agents' owners and the operator. Pure: a month's seal in, entries out.

MARGIN    from who paid to who owns the agent, one per payer, agent and currency
INCOME    what affiliated payers used, which funds no pool, one per dataset, payer and currency
DEFER     what others used of datasets that the period does not pay: owed to their contributors, one likewise
TOPUP     what the bank received from a payer, or gave back; INVOICE what a payer is to pay
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.entries import Entry, Event


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


def _moved(named: tuple[Event, str], line: Mapping[str, Any], credit: str, day: str) -> Entry:
    (event, of), payer, currency = named, line["payer"], line["currency"]
    key = f"{day[:7]}/{event}/{of}/{payer}/{currency}"
    lines = ((accounts.payer(payer), line["minor"]), (credit, -line["minor"]))
    return Entry(event, lines, day, currency, key, reason_code=of)
