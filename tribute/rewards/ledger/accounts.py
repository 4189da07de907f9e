"""The accounts of the ledger, by name. Knows no amounts; raises RewardError for an id that is none.

Assets:Bank                                what was paid from
Assets:Claims:<id>                         what a contributor was paid too much, until later accruals net it
Expenses:BankFees                          what banks kept of payments and returns
Expenses:DataRewards                       what the data cost
Income:Platform, Liabilities:ModelOwner    the parts of the net fee that are not the contributors'
Assets:Payers:<id>                         what a payer used, less what was paid, invoiced or earned by agents
Assets:Invoices:<id>                       invoiced, and not paid yet
Liabilities:Datasets:<dataset>             what was paid for use of a dataset that the period did not pay
Liabilities:Pool                           funded for the period; empty after its accruals
Liabilities:Reserve                        for corrections; takes what is clawed back
Liabilities:Contributor:<id>:Accrued       earned, and open to dispute
Liabilities:Contributor:<id>:Held          held back for a time, or in dispute
Liabilities:Contributor:<id>:Payable       to be paid with the next payables.csv from the threshold on
Liabilities:Tax                            withheld from payments
"""

from tribute.errors import RewardError
from tribute.ids import ID_IN_WORDS, is_id

BANK = "Assets:Bank"
BANK_FEES = "Expenses:BankFees"
EXPENSE = "Expenses:DataRewards"
PLATFORM = "Income:Platform"
MODEL_OWNER = "Liabilities:ModelOwner"
POOL = "Liabilities:Pool"
RESERVE = "Liabilities:Reserve"
TAX = "Liabilities:Tax"

_PAYERS, _INVOICES = "Assets:Payers:", "Assets:Invoices:"
_CONTRIBUTOR = "Liabilities:Contributor:"
_CLAIMS = "Assets:Claims:"


def accrued(contributor_id: str) -> str:
    """Earned and not yet payable."""
    return f"{_CONTRIBUTOR}{_checked(contributor_id)}:Accrued"


def held(contributor_id: str) -> str:
    """Held back, or in dispute."""
    return f"{_CONTRIBUTOR}{_checked(contributor_id)}:Held"


def payable(contributor_id: str) -> str:
    """To be paid."""
    return f"{_CONTRIBUTOR}{_checked(contributor_id)}:Payable"


def claim(contributor_id: str) -> str:
    """Paid too much; an asset, so it stands in debit."""
    return f"{_CLAIMS}{_checked(contributor_id)}"


def payer(pseudonym: str) -> str:
    """What a payer owes for use; in credit where more was paid."""
    return f"{_PAYERS}{_checked(pseudonym)}"


def payer_of(account: str) -> str:
    """The pseudonym of the payer whose account it is; empty for any other."""
    prefix = next((prefix for prefix in (_PAYERS, _INVOICES) if account.startswith(prefix)), account)
    return account.removeprefix(prefix)


def invoiced(pseudonym: str) -> str:
    """What a payer was invoiced."""
    return f"{_INVOICES}{_checked(pseudonym)}"


def deferred(dataset: str) -> str:
    """Owed to the contributors of a dataset that no period has paid yet."""
    return f"Liabilities:Datasets:{_checked(dataset)}"


def owner(account: str) -> tuple[str, str]:
    """`(contributor id, stage)` of a contributor's account, `("", "")` of any other.

    The stage is Accrued, Held, Payable or Claim.
    """
    if account.startswith(_CONTRIBUTOR):
        contributor_id, _, stage = account.removeprefix(_CONTRIBUTOR).rpartition(":")
        return contributor_id, stage
    if account.startswith(_CLAIMS):
        return account.removeprefix(_CLAIMS), "Claim"
    return "", ""


def stage(account: str) -> str:
    """Accrued, Held, Payable or Claim for a contributor's account; empty for any other."""
    return owner(account)[1]


def _checked(name: str) -> str:
    """Ids become file names and payees, so none comes into the ledger that is no id."""
    if not is_id(name):
        raise RewardError(f"contributor or payer {name!r}: expected {ID_IN_WORDS}")
    return name
