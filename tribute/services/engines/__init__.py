"""What answers: one interface, the engine that runs adapters in this process, and one behind a URL."""

from tribute.services.engines.engine import Engine, Piece, Sampling, Tokens
from tribute.services.engines.local import Adapter, LocalEngine
from tribute.services.engines.upstream import UpstreamEngine

__all__ = ["Adapter", "Engine", "LocalEngine", "Piece", "Sampling", "Tokens", "UpstreamEngine"]
