"""Whether a payer is one of those whom use pays: then the use is the operator's income and funds no pool.

The accounts that payers pay from are remembered by keyed hashes, which the usage store's key makes: so a contributor
whose account enters the vault later is recognised, too, and nobody reads an account there.
"""

from collections.abc import Iterable, Mapping

from tribute.contributions.registry import Registry
from tribute.contributions.rights import account_holders, read_vault
from tribute.errors import ConfigError
from tribute.iban import iban_fault, normalise
from tribute.pipeline.usage.seal import is_metered
from tribute.services.accounts import Accounts
from tribute.services.meter import Texts
from tribute.services.opening import open_texts, store_url
from tribute.services.store import Store
from tribute.workspace import Workspace


def affiliation(workspace: Workspace, payer: str, member: str | None = None, iban: str | None = None) -> str:
    """Why a payer is affiliated, in words; empty where nothing says so.

    A payer is affiliated who has the id of a contributor or an organisation, who is one (`member`), or who pays from a
    contributor's bank account (`iban`, which is compared with the vault's). Raises ConfigError for a
    member whom the registry does not know and for what is no IBAN, RegistryError or IntegrityError where the vault
    cannot be opened.
    """
    known = Registry.open(workspace).snapshot().contributors()
    if member is not None and member not in known:
        raise ConfigError(f"{member!r} is no contributor and no organisation; see `tribute contribute --help`")
    if member is not None or payer in known:
        return f"{payer} is {member or payer} of the registry"
    if iban is None:
        return ""
    if fault := iban_fault(iban):
        raise ConfigError(f"the payer's account: {fault}")
    holders = account_holders(read_vault(workspace.vault), iban)
    return f"{payer} pays from the account of {', '.join(holders)}" if holders else ""


def remember_account(workspace: Workspace, store: Store, payer: str, iban: str) -> None:
    """Remember the account that a payer pays from, for contributors who come later. Raises ServiceError 404."""
    Accounts(store).pays_from(payer, _fingerprint(open_texts(workspace, store), iban))


def affiliate_holders(workspace: Workspace, people: Iterable[Mapping[str, str]]) -> list[str]:
    """Affiliate the payers who pay from the accounts of these people, whom the vault has just got: those payers."""
    ibans = [details["iban"] for details in people if details.get("iban")]
    if not ibans or not is_metered(workspace):
        return []
    with Store.attach(store_url(workspace)) as store:
        texts = open_texts(workspace, store)
        return Accounts(store).affiliate_who_pay_from([_fingerprint(texts, iban) for iban in ibans])


def _fingerprint(texts: Texts, iban: str) -> str:
    return texts.fingerprint(b"iban", normalise(iban).encode())
