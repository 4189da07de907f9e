"""Retrieval: rows whose terms allow it, found by words and meaning, quoted as data, and credited exactly."""

from tribute.services.retrieval.citations import Citation, as_annotations, as_citations, cite
from tribute.services.retrieval.credit import ChunkCredit, chunk_credits, neighbour_credits, players, vote
from tribute.services.retrieval.quoting import quoted
from tribute.services.retrieval.row_index import Hit, RowIndex, few_players
from tribute.services.retrieval.shapley import neighbour_shapley, shapley
from tribute.services.retrieval.shelf import Shelf, consenting
from tribute.services.retrieval.vectors import RETRIEVAL, row_vectors

__all__ = [
    "RETRIEVAL",
    "ChunkCredit",
    "Citation",
    "Hit",
    "RowIndex",
    "Shelf",
    "as_annotations",
    "as_citations",
    "chunk_credits",
    "cite",
    "consenting",
    "few_players",
    "neighbour_credits",
    "neighbour_shapley",
    "players",
    "quoted",
    "row_vectors",
    "shapley",
    "vote",
]
