"""Rows of released versions in answers: `/v1/search`, and `retrieve` in a request, with who of them moved the answer.

What a search shows was not weighed against an answer, so its rows have no credit. Of an answer the credits are exact,
see services/retrieval; they are computed before the receipt is signed.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tribute.server.calls.calls import Work
from tribute.server.calls.inference import Answered, too_long
from tribute.server.calls.sources import Sources, find_sources
from tribute.server.requests.bodies import ChatBody, ClassifyBody, CompletionBody, Retrieve, SearchBody, TextsBody
from tribute.server.requests.problems import RequestError
from tribute.server.setup.setup import Services
from tribute.services.accounts import Key
from tribute.services.catalogue import CatalogueEntry
from tribute.services.engines import LocalEngine, Piece, Sampling, Tokens
from tribute.services.meter import NEVER, Hold
from tribute.services.receipts import ServedModel
from tribute.services.retrieval import (
    Hit,
    as_annotations,
    as_citations,
    chunk_credits,
    cite,
    neighbour_credits,
    quoted,
    vote,
)

Prepare = Callable[[Any, CatalogueEntry, Any], Work]


def search(services: Services, entry: CatalogueEntry, body: SearchBody, key: Key) -> Work:
    """The rows of a version that fit a query, in the form of OpenAI's vector stores; the price is the dataset's."""
    tokens = len(services.engine.encode(entry.model.artifact, body.query))
    if tokens > entry.context:
        raise too_long(f"the query has {tokens} tokens", entry, "shorten it", "query")
    sources = find_sources(services, entry, key, (body.dataset, body.query, body.top))
    named = replace(entry, model=ServedModel(body.dataset, "", entry.model.base, "retrieval"))

    def answer(_: Work, __: Hold) -> Answered:
        data = [
            {
                "file_id": hit.row,
                "filename": body.dataset,
                "score": hit.score,
                "attributes": {"licence": hit.licence, "contributor": sources.names[hit.contributor]},
                "content": [{"type": "text", "text": hit.content}],
            }
            for hit in sources.hits
        ]
        page = {"object": "vector_store.search_results.page", "search_query": [body.query], "data": data}
        usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
        return {**page, "has_more": False, "next_page": None, "usage": usage}, 0, []

    return Work(named, tokens, 0, int(time.time()), answer, explain=NEVER, credit=sources.uncredited)


def prepared(services: Services, entry: CatalogueEntry, body: Any, key: Key, prepare: Prepare | None) -> Work:
    """A request's work, with the sources that it asks for and that fit beside it into the model's context."""
    if isinstance(body, SearchBody):
        return search(services, entry, body, key)
    assert prepare is not None
    wanted = getattr(body, "retrieve", None)
    if wanted is None:
        return prepare(services.engine, entry, body)
    if isinstance(body, TextsBody) and not isinstance(body, ClassifyBody):
        raise RequestError("retrieve is not supported here; leave it out", param="retrieve", code="unsupported")
    wanted = Retrieve.model_validate({"from": wanted}) if isinstance(wanted, str) else wanted
    sources = find_sources(services, entry, key, (wanted.tag, _question(body), wanted.top))
    if isinstance(body, ClassifyBody):
        return _voted(prepare(services.engine, entry, body), sources)
    recorder = _Recorder(services.engine)
    for count in range(len(sources.hits), -1, -1):
        fitting = sources.take(count)
        try:
            work = prepare(recorder, entry, _with(body, fitting.hits, None))
        except RequestError as error:
            if not count or error.code != "context_length_exceeded":
                raise
        else:
            return _sourced(services, recorder, work, (body, fitting))
    raise AssertionError("a request without sources was prepared or refused")


class _Recorder:
    """An engine that remembers the tokens of the answer that it wrote."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine, self.ids = engine, list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def generate(self, model: str, prompt: Tokens, sampling: Sampling) -> Iterator[Piece]:
        """See Engine."""
        for piece in self.engine.generate(model, prompt, sampling):
            self.ids += piece.ids
            yield piece


def _sourced(services: Services, recorder: _Recorder, work: Work, asked_with: tuple[Any, Sources]) -> Work:
    """Work that cites its sources and credits them by all their subsets."""
    (body, sources), original, model = asked_with, work.answer, work.entry.model.artifact
    assert original is not None

    def answer(asked: Work, held: Hold) -> Any:
        whole, written, pairs = original(asked, held)
        choice = whole["choices"][0]
        shown = choice.get("message", choice)
        citations = cite(shown.get("content", shown.get("text")) or "", sources.hits)
        shown["annotations"] = as_annotations(citations, sources.hits, sources.tag)
        shown["citations"] = as_citations(citations, sources.hits, sources.tag)
        return {**whole, "retrieved": sources.shown()}, written, pairs

    def credit() -> list[Mapping[str, Any]]:
        def value(chosen: Sequence[int]) -> float:
            prompt = _encoded(recorder.engine, model, _with(body, sources.hits, chosen))
            return sum(recorder.engine.score(model, prompt, recorder.ids))

        if not recorder.ids:
            return sources.uncredited()
        try:
            return sources.lines(chunk_credits(sources.hits, value), "nats")
        except Exception as error:
            # An answer that was sent is settled, whatever becomes of its explanation.
            services.log.warning("sources are not credited: %s", type(error).__name__)
            return sources.uncredited()

    return replace(work, answer=answer, credit=credit)


def _voted(work: Work, sources: Sources) -> Work:
    """A classifier's work, mixed with the vote of its neighbours."""
    original, labels = work.answer, work.entry.labels
    assert original is not None
    chosen = dict[str, float]()

    def answer(asked: Work, held: Hold) -> Any:
        whole, written, [(row, _)] = original(asked, held)
        [line] = whole["data"]
        alone = line["probs"]
        mixed = vote(sources.hits, labels, alone)
        best = max(range(len(mixed)), key=mixed.__getitem__)
        chosen[labels[best]] = alone[best]
        data = [{**line, "label": labels[best], "probs": mixed, "probs_without": alone}]
        return {**whole, "data": data, "retrieved": sources.shown()}, written, [(row, best)]

    def credit() -> list[Mapping[str, Any]]:
        [(label, probability)] = chosen.items()
        return sources.lines(neighbour_credits(sources.hits, label, probability), "probability")

    return replace(work, answer=answer, credit=credit)


def _question(body: Any) -> str:
    """What a request asks, as the query. Raises RequestError for several texts."""
    if isinstance(body, TextsBody):
        if len(body.texts) != 1:
            raise RequestError("with `retrieve`, send one text at a time", param="input")
        return body.texts[0]
    return body.prompt if isinstance(body, CompletionBody) else str(_last(body).content)


def _last(body: ChatBody) -> Any:
    """The last message of the user. Raises RequestError where there is none."""
    asked = [message for message in body.messages if message.role == "user"]
    if not asked:
        raise RequestError("with `retrieve`, send a message of the role user", param="messages")
    return asked[-1]


def _with(body: Any, hits: Sequence[Hit], chosen: Sequence[int] | None) -> Any:
    """The request with the chosen sources above its question."""
    if isinstance(body, CompletionBody):
        return body.model_copy(update={"prompt": quoted(body.prompt, hits, chosen)})
    last = _last(body)
    asked = last.model_copy(update={"content": quoted(last.content, hits, chosen)})
    messages = [asked if message is last else message for message in body.messages]
    return body.model_copy(update={"messages": messages})


def _encoded(engine: LocalEngine, model: str, body: Any) -> Sequence[int]:
    """The prompt's tokens, as `inference` makes them."""
    if isinstance(body, CompletionBody):
        return engine.encode(model, body.prompt)
    return engine.encode_chat(model, [message.model_dump() for message in body.messages])
