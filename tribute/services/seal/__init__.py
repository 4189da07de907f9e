"""A month of usage, sealed: what rewards reads, and what anybody can check."""

from tribute.services.seal.proofs import Proofs
from tribute.services.seal.seal import FILES, SEAL, seal_month
from tribute.services.seal.verify import verify_month

__all__ = ["FILES", "SEAL", "Proofs", "seal_month", "verify_month"]
