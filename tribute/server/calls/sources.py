"""The rows of a version that were retrieved for a request, and how its answer and its receipt say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from tribute.errors import ServiceError
from tribute.server.setup.setup import Services
from tribute.services.accounts import Key
from tribute.services.catalogue import CatalogueEntry
from tribute.services.meter import masked
from tribute.services.retrieval import ChunkCredit, Hit, few_players

DECIMALS = 12
"""Of a credit in a receipt, so that the credits add up to 1e-9."""


@dataclass(frozen=True)
class Sources:
    """What was retrieved for one request of a payer."""

    tag: str
    hits: Sequence[Hit]
    names: Mapping[str, str]
    """Contributor → the name under which this payer's receipts speak of them."""

    def take(self, count: int) -> "Sources":
        """The first of them."""
        return replace(self, hits=self.hits[:count])

    def shown(self) -> list[dict[str, Any]]:
        """As an answer lists them."""
        return [
            {
                "row": hit.row,
                "from": self.tag,
                "contributor": self.names[hit.contributor],
                "licence": hit.licence,
                "text": hit.content,
            }
            for hit in self.hits
        ]

    def uncredited(self) -> list[Mapping[str, Any]]:
        """As a receipt has rows that were shown, and weighed against no answer."""
        lines = self.lines([ChunkCredit((hit.row,), hit.contributor, 0.0) for hit in self.hits], "")
        return [{**line, "credit": None, "unit": None} for line in lines]

    def lines(self, credits: Sequence[ChunkCredit], unit: str) -> list[Mapping[str, Any]]:
        """As a receipt has them."""
        return [
            {
                "rows": list(credit.rows),
                "from": self.tag,
                "contributor": self.names[credit.contributor],
                "credit": f"{credit.credit:.{DECIMALS}f}",
                "unit": unit,
                **({} if credit.nats is None else {"nats": f"{credit.nats:.{DECIMALS}f}"}),
            }
            for credit in credits
        ]


def find_sources(services: Services, entry: CatalogueEntry, key: Key, asked: tuple[str, str, int]) -> Sources:
    """The best rows of (version, query, most). Raises ServiceError 403 where the key may not read the version."""
    tag, query, most = asked
    if not key.allows(tag):
        raise ServiceError(f"key {key.id} may not read {tag}; ask for a key that may", 403)
    model = entry.model.artifact

    def embed(texts: Sequence[str]) -> Any:
        return services.engine.embed_base(model, texts)

    today = date.fromisoformat(services.store.now()[:10])
    index = services.shelf.index(tag, entry.model.base, embed, today)
    hits = few_players(index.search(query, embed([query])[0], most))
    mask = services.meter.texts.mask(key.payer)
    return Sources(tag, hits, {hit.contributor: masked(mask, hit.contributor) for hit in hits})
