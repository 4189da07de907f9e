"""Whether a payer is one of those whom use pays: then the use is the operator's income and funds no pool."""

from tribute.contributions.registry import Registry
from tribute.contributions.rights import account_holders, read_vault
from tribute.errors import ConfigError
from tribute.iban import iban_fault
from tribute.workspace import Workspace


def affiliation(workspace: Workspace, payer: str, member: str | None = None, iban: str | None = None) -> str:
    """Why a payer is affiliated, in words; empty where nothing says so.

    A payer is affiliated who has the id of a contributor or an organisation, who is one (`member`), or who pays from a
    contributor's bank account (`iban`, which is compared with the vault's and not kept). Raises ConfigError for a
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
