"""What answers: one interface, and the engine that runs adapters in this process."""

from tribute.services.engines.engine import Engine, Piece, Sampling, Tokens
from tribute.services.engines.local import Adapter, LocalEngine

__all__ = ["Adapter", "Engine", "LocalEngine", "Piece", "Sampling", "Tokens"]
