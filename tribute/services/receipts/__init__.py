"""Signed receipts: the serving key that signs them, what they say, and the chain of each server."""

from tribute.services.receipts.chain import Chain, Place, envelope_of
from tribute.services.receipts.receipt import ADDENDUM, AS_CONFIGURED, KINDS, RECEIPT, ServedModel, Trace, salted
from tribute.services.receipts.serving_key import Certificate, Signer, certify, read_certificate
from tribute.services.receipts.signing_process import SigningProcess

__all__ = [
    "ADDENDUM",
    "AS_CONFIGURED",
    "KINDS",
    "RECEIPT",
    "Certificate",
    "Chain",
    "Place",
    "ServedModel",
    "Signer",
    "SigningProcess",
    "Trace",
    "certify",
    "envelope_of",
    "read_certificate",
    "salted",
]
