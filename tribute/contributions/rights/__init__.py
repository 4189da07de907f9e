"""Keys and organisations, the vault of people, withdrawal and erasure."""

from tribute.contributions.rights.payees import missing_to_pay, normal_details, payment_name
from tribute.contributions.rights.vault import People, read_vault
from tribute.contributions.rights.withdrawal import forget_erased

__all__ = [
    "People",
    "forget_erased",
    "missing_to_pay",
    "normal_details",
    "payment_name",
    "read_vault",
]
