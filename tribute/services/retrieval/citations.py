"""Which words of an answer stand in a retrieved row, in the forms of both large APIs. They pay nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tribute.attribution.answers import shared_spans
from tribute.services.retrieval.row_index import Hit


@dataclass(frozen=True)
class Citation:
    """A passage of the answer, [start, end) in characters, that the hit of this number holds word for word."""

    start: int
    end: int
    number: int


def cite(answer: str, hits: Sequence[Hit]) -> list[Citation]:
    """The passages of three words or more that stand in a hit, in their order in the answer."""
    citations = [
        Citation(start, end, number)
        for number, hit in enumerate(hits)
        for start, end in shared_spans(answer, [hit.content])
    ]
    return sorted(citations, key=lambda citation: (citation.start, citation.end, citation.number))


def as_annotations(citations: Sequence[Citation], hits: Sequence[Hit], source: str) -> list[dict[str, Any]]:
    """OpenAI's `annotations` of a message; a row's address is `urn:tribute:SOURCE:ROW`."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": citation.start,
                "end_index": citation.end,
                "url": f"urn:tribute:{source}:{hits[citation.number].row}",
                "title": hits[citation.number].row,
            },
        }
        for citation in citations
    ]


def as_citations(citations: Sequence[Citation], hits: Sequence[Hit], source: str) -> list[dict[str, Any]]:
    """Anthropic's `citations` of a text block, of the type `search_result_location`."""
    return [
        {
            "type": "search_result_location",
            "cited_text": hits[citation.number].content,
            "source": f"urn:tribute:{source}:{hits[citation.number].row}",
            "title": hits[citation.number].row,
            "search_result_index": citation.number,
            "start_block_index": 0,
            "end_block_index": 1,
        }
        for citation in citations
    ]
