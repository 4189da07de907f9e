"""Payers' money, posted to the ledger first and told to the usage store then, by the entry's id.

The ledger knows payers by their receipts' pseudonyms and counts minor units; the store counts 10⁻⁶ of the unit. Each
step has one effect however often it is done, so whoever is stopped between the two gives the same command again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tribute.errors import RewardError
from tribute.micro import DECIMALS
from tribute.money import exponent, parse_amount
from tribute.pipeline.usage.seal import is_metered
from tribute.rewards.ledger import Entry, Payment, Posting, invoice, invoice_paid, payer_of, topped_up, writing
from tribute.services.accounts import Accounts
from tribute.services.meter import Texts
from tribute.services.opening import open_texts, store_url
from tribute.services.store import Store
from tribute.workspace import Workspace


@dataclass(frozen=True)
class PayerMoney:
    """A workspace's ledger and usage store, side by side."""

    workspace: Workspace
    texts: Texts
    accounts: Accounts

    def top_up(self, payer: str, amount: str, reference: str, day: str) -> str:
        """What a payer paid in advance, or, below 0, got back: the entry's id.

        `reference` names the payment for ever. Raises ServiceError for an unknown payer, RewardError for what cannot
        be posted.
        """
        return self._post(topped_up, self._payment(payer, amount, reference, day), payer)

    def invoice(self, payer: str, amount: str, number: str, day: str) -> str:
        """Let a payer use what an invoice is of: the entry's id. Raises as `top_up`."""
        return self._post(invoice, self._payment(payer, amount, number, day), payer)

    def invoice_paid(self, payer: str, amount: str, number: str, day: str) -> str:
        """What the bank received for an invoice: the entry's id; the payer could use it already. Raises as `top_up`."""
        payment = self._payment(payer, amount, number, day)
        with writing(self.workspace) as books:
            if not books.find(f"INVOICE/{payment.payer}/{number}"):
                raise RewardError(f"{payer} has no invoice {number!r}; expected one of `tribute payer invoice`")
            return _posted_entry(books.post([invoice_paid(payment)]), books.find, invoice_paid(payment))

    def credit_margins(self) -> list[str]:
        """Credit agents' owners with the margins of closed periods: the payers who were."""
        owners = {self.texts.pseudonym(payer): payer for payer in self.accounts.payers()}
        with writing(self.workspace) as books:
            margins = [posting for posting in books.postings if posting.event == "MARGIN" and posting.amount < 0]
        credited = []
        for posting in margins:
            owner = owners.get(payer_of(posting.account))
            if owner and self.accounts.top_up(owner, posting.entry_id, _micro(-posting.amount, posting.currency)):
                credited.append(owner)
        return credited

    def _payment(self, payer: str, amount: str, reference: str, day: str) -> Payment:
        currency = self.accounts.balance(payer).currency
        minor = parse_amount(amount.removeprefix("-"), currency) * (-1 if amount.startswith("-") else 1)
        return Payment(self.texts.pseudonym(payer), minor, currency, reference, day)

    def _post(self, entry_of: Callable[[Payment], Entry], payment: Payment, payer: str) -> str:
        with writing(self.workspace) as books:
            entry_id = _posted_entry(books.post([entry_of(payment)]), books.find, entry_of(payment))
        self.accounts.top_up(payer, entry_id, _micro(payment.minor, payment.currency))
        return entry_id


@contextmanager
def payer_money(workspace: Workspace, url: str | None = None) -> Iterator[PayerMoney]:
    """The money of a workspace's payers; works beside a running server."""
    with Store.attach(store_url(workspace, url)) as store:
        yield PayerMoney(workspace, open_texts(workspace, store), Accounts(store))


def credit_margins(workspace: Workspace) -> list[str]:
    """The same after a period was closed; nobody where the workspace has no usage store."""
    if not is_metered(workspace):
        return []
    with payer_money(workspace) as money:
        return money.credit_margins()


def _posted_entry(posted: Sequence[Posting], find: Callable[[str], list[Posting]], entry: Entry) -> str:
    """The id of an entry that was posted now or before."""
    return (posted or find(entry.idempotency_key))[0].entry_id


def _micro(minor: int, currency: str) -> int:
    """Minor units in 10⁻⁶ of the unit. Raises RewardError for a part of one."""
    unit: int = 10 ** exponent(currency)
    scaled: int = minor * 10**DECIMALS
    micro, rest = divmod(scaled, unit)
    if rest:
        raise RewardError(f"{minor} minor units of {currency} have more than {DECIMALS} decimals; give fewer")
    return micro
