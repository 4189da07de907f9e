"""Keys and organisations, commitments, the vault of people, terms, withdrawal and erasure."""

from tribute.contributions.rights.commitment import Commitment, commit, commitments_of
from tribute.contributions.rights.erasure import PLACES, cards_of, texts_of
from tribute.contributions.rights.keys_and_members import refuse_key, register_key, rotate_key, set_members
from tribute.contributions.rights.payees import missing_to_pay, normal_details, payment_name
from tribute.contributions.rights.payees_file import read_payees
from tribute.contributions.rights.same_payee import account_holders, same_payees
from tribute.contributions.rights.terms_renewal import changed_conditions, renew_terms
from tribute.contributions.rights.vault import People, forget_person, read_vault, write_people, write_person
from tribute.contributions.rights.withdrawal import Withdrawal, contributions_of, erase, forget_erased, withdraw

__all__ = [
    "PLACES",
    "Commitment",
    "People",
    "Withdrawal",
    "account_holders",
    "cards_of",
    "changed_conditions",
    "commit",
    "commitments_of",
    "contributions_of",
    "erase",
    "forget_erased",
    "forget_person",
    "missing_to_pay",
    "normal_details",
    "payment_name",
    "read_payees",
    "read_vault",
    "refuse_key",
    "register_key",
    "renew_terms",
    "rotate_key",
    "same_payees",
    "set_members",
    "texts_of",
    "withdraw",
    "write_people",
    "write_person",
]
