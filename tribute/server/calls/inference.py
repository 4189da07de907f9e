"""What a request asks of a model, and its answer in the form that the field's clients read."""

import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from struct import pack
from typing import Any

from tribute.server.calls.calls import Work
from tribute.server.requests.bodies import ChatBody, CompletionBody, TextsBody
from tribute.server.requests.problems import RequestError
from tribute.services.catalogue import CatalogueEntry
from tribute.services.engines import LocalEngine, Piece, Sampling, Tokens
from tribute.services.meter import Hold, Pair

Answered = tuple[dict[str, Any], int, Sequence[Pair]]
"""The body of an answer, tokens written, and what it is explained by."""
LONGEST_ANSWER = 256
"""Tokens of an answer where the request names no other number; the hold is for that many."""
COMPLETION = 16
"""The same for /v1/completions, as OpenAI has it."""


def classify(engine: LocalEngine, entry: CatalogueEntry, body: TextsBody) -> Work:
    """vLLM's /classify: per text the label and all probabilities, in the order of `labels`."""

    def answer(rows: Sequence[Tokens], work: Work, held: Hold) -> Answered:
        probabilities = engine.classify(entry.model.artifact, rows)
        best = [max(range(len(chances)), key=chances.__getitem__) for chances in probabilities]
        data = [
            {"index": index, "label": entry.labels[label], "probs": chances, "num_classes": len(chances)}
            for index, (label, chances) in enumerate(zip(best, probabilities, strict=True))
        ]
        body = {**_head(work, held, "classify", "list"), "labels": entry.labels, "data": data, **_usage(work)}
        return body, 0, list(zip(rows, best, strict=True))

    return _texts_work(engine, entry, body, answer, "labels; ask /v1/chat/completions")


def embed(engine: LocalEngine, entry: CatalogueEntry, body: TextsBody) -> Work:
    """OpenAI's /v1/embeddings: unit-length vectors of the adapted encoder."""

    def answer(rows: Sequence[Tokens], work: Work, held: Hold) -> Answered:
        vectors = engine.embed(entry.model.artifact, rows)
        data = [
            {"object": "embedding", "index": index, "embedding": _encoded(vector, body.encoding_format)}
            for index, vector in enumerate(vectors)
        ]
        return {**_head(work, held, "embd", "list"), "data": data, **_usage(work)}, 0, []

    return _texts_work(engine, entry, body, answer, "embeddings; ask a model that classifies")


def complete(engine: LocalEngine, entry: CatalogueEntry, body: CompletionBody) -> Work:
    """OpenAI's /v1/completions."""
    _refuse_classifier(entry)
    prompt = engine.encode(entry.model.artifact, body.prompt)
    most = _most(entry, prompt, body.max_tokens, COMPLETION)

    def choice(text: str, finish: str | None) -> dict[str, Any]:
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}

    def answer(work: Work, held: Hold) -> Answered:
        text, finish, written, ids = _joined(pieces())
        head = _head(work, held, "cmpl", "text_completion")
        body = {**head, "choices": [choice(text, finish)], **_usage(work, written)}
        return body, written, [(prompt, ids)] if ids else []

    def chunk(work: Work, held: Hold, piece: Piece) -> dict[str, Any]:
        return {**_head(work, held, "cmpl", "text_completion"), "choices": [choice(piece.text, piece.finish)]}

    def pieces() -> Iterator[Piece]:
        return engine.generate(entry.model.artifact, prompt, _sampling(body, most))

    kept = Work(entry, len(prompt), most, _now(), answer, pieces, chunk, _wants_usage(body))
    return replace(kept, question=prompt, explain=body.explain)


def chat(engine: LocalEngine, entry: CatalogueEntry, body: ChatBody) -> Work:
    """OpenAI's /v1/chat/completions."""
    _refuse_classifier(entry)
    messages = [message.model_dump() for message in body.messages]
    prompt = engine.encode_chat(entry.model.artifact, messages)
    most = _most(entry, prompt, body.max_completion_tokens or body.max_tokens, LONGEST_ANSWER)

    def answer(work: Work, held: Hold) -> Answered:
        text, finish, written, ids = _joined(pieces())
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        head = _head(work, held, "chatcmpl", "chat.completion")
        return {**head, "choices": [choice], **_usage(work, written)}, written, [(prompt, ids)] if ids else []

    def chunk(work: Work, held: Hold, piece: Piece) -> dict[str, Any]:
        delta = {"role": "assistant", "content": piece.text}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": piece.finish}
        return {**_head(work, held, "chatcmpl", "chat.completion.chunk"), "choices": [choice]}

    def pieces() -> Iterator[Piece]:
        return engine.generate(entry.model.artifact, prompt, _sampling(body, most))

    kept = Work(entry, len(prompt), most, _now(), answer, pieces, chunk, _wants_usage(body))
    return replace(kept, question=prompt, explain=body.explain)


def usage_event(work: Work, held: Hold, written: int, paid: dict[str, Any]) -> dict[str, Any]:
    """The last event of a stream whose client asked for `include_usage`."""
    assert work.chunk is not None
    return {**work.chunk(work, held, Piece("", 0)), "choices": [], "usage": _usage(work, written)["usage"] | paid}


def _texts_work(engine: LocalEngine, entry: CatalogueEntry, body: TextsBody, answer: Any, lacking: str) -> Work:
    """What is asked of a classifier; `answer` takes the texts' tokens first.

    Raises RequestError for a text that is too long, and for a model that writes answers, of which `lacking` says what
    it has not, and whom to ask.
    """
    rows = _rows(engine, entry, body)
    if not entry.labels:
        raise RequestError(f"{entry.model.name} has no {lacking}", param="model")
    return Work(entry, sum(map(len, rows)), 0, _now(), partial(answer, rows), explain=body.explain)


def _refuse_classifier(entry: CatalogueEntry) -> None:
    if entry.labels:
        raise RequestError(f"{entry.model.name} classifies and writes no answers; ask /classify", param="model")


def _rows(engine: LocalEngine, entry: CatalogueEntry, body: TextsBody) -> list[Tokens]:
    """The texts' tokens. Raises RequestError for one that is too long."""
    rows = [engine.encode(entry.model.artifact, text) for text in body.texts]
    if body.truncate_prompt_tokens is not None and entry.labels:
        return [engine.cut(entry.model.artifact, row) for row in rows]
    for index, row in enumerate(rows):
        if len(row) > entry.context:
            hint = "shorten it, or send truncate_prompt_tokens: -1"
            raise too_long(f"text {index} has {len(row)} tokens", entry, hint, "input")
    return rows


def _most(entry: CatalogueEntry, prompt: Tokens, asked: int | None, default: int) -> int:
    """The most tokens of an answer. Raises RequestError where prompt and answer are longer than the context."""
    room = entry.context - len(prompt)
    if room < (asked or 1):
        wanted = f" and an answer of {asked}" if asked else ""
        raise too_long(f"the prompt has {len(prompt)} tokens{wanted}", entry, "shorten it or ask for less", "prompt")
    return asked or min(default, room)


def too_long(excess: str, entry: CatalogueEntry, hint: str, param: str) -> RequestError:
    """The error of a text that the model's context does not hold."""
    message = f"{excess}, {entry.model.name} takes {entry.context}; {hint}"
    return RequestError(message, param=param, code="context_length_exceeded")


def _sampling(body: ChatBody | CompletionBody, most: int) -> Sampling:
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return Sampling(most, body.temperature or 0.0, body.top_p or 1.0, body.seed, stop)


def _wants_usage(body: ChatBody | CompletionBody) -> bool:
    return body.stream_options is not None and body.stream_options.include_usage


def _joined(pieces: Iterator[Piece]) -> tuple[str, str | None, int, list[int]]:
    """Text, reason of the end, number of tokens, and the tokens of a whole answer."""
    parts = list(pieces)
    ids = [token for part in parts for token in part.ids]
    return "".join(part.text for part in parts), parts[-1].finish, sum(part.tokens for part in parts), ids


def _head(work: Work, held: Hold, prefix: str, kind: str) -> dict[str, Any]:
    id_ = f"{prefix}-{held.id.partition('-')[2]}"
    return {"id": id_, "object": kind, "created": work.created, "model": work.entry.model.name}


def _usage(work: Work, written: int = 0) -> dict[str, Any]:
    read = work.input_tokens
    return {"usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}}


def _encoded(vector: Sequence[float], form: str) -> Any:
    return list(vector) if form == "float" else b64encode(pack(f"<{len(vector)}f", *vector)).decode()


def _now() -> int:
    return int(time.time())
