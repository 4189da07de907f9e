"""An engine whose answers are written behind an OpenAI-compatible URL, such as vLLM's. Nothing of vLLM is imported.

Adapters are registered there under their artifact's id, by vLLM's LoRA endpoints, so a name never means other weights;
their folders have to be readable at the same path. The same adapters are resident here, too: encoding, classifying and
explaining stay in this process, and what the URL answers by is checked against them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from tribute.errors import ServiceError
from tribute.services.engines.engine import Piece, Sampling, Tokens
from tribute.services.engines.local import Adapter, LocalEngine
from tribute.services.engines.shared import BASE
from tribute.strict import parse_json

SECONDS = httpx.Timeout(600, connect=10)
NEAR = 0.05
"""Nats per token by which another precision, or other kernels, may score an answer otherwise."""
COMPARED = 8
"""Evaluation rows whose answers are scored there and here."""


class UpstreamEngine(LocalEngine):
    """See `Engine`. `url` is the API's without `/v1`; `key` goes along as a bearer token where there is one."""

    def __init__(self, url: str, key: str | None = None) -> None:
        super().__init__()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=SECONDS)
        self._attested = dict[str, bool]()

    def load(self, adapter: Adapter) -> int:
        """Load and check the adapter here, then register it there. Raises ServiceError 503 where that fails."""
        context = super().load(adapter)
        if adapter.id not in self._attested and self.writes(adapter.id):
            self._register(adapter)
            self._attested[adapter.id] = self._answers_alike(adapter)
        return context

    def attests(self, model: str) -> bool:
        """See Engine: whether fixed tokens score there as the adapter scores them here."""
        return self._attested.get(model, super().attests(model))

    def close(self) -> None:
        """End threads and connections; the adapters stay registered."""
        super().close()
        self._client.close()

    def score(self, model: str, prompt: Tokens, answer: Tokens) -> list[float]:
        """See Engine. Raises ServiceError 503 where the URL scores no prompts."""
        asked = {"model": model, "prompt": [*prompt, *answer], "max_tokens": 1, "prompt_logprobs": 0}
        choice = self._asked("/v1/completions", asked)["choices"][0]
        scored = choice.get("prompt_logprobs")
        if not isinstance(scored, list) or len(scored) != len(prompt) + len(answer):
            raise ServiceError("the upstream gives no log-probabilities of the prompt", 503)
        lines = zip(scored[len(prompt) :], answer, strict=True)
        try:
            return [float(line[str(token)]["logprob"]) for line, token in lines]
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError("the upstream's log-probabilities are of other tokens than were asked", 503) from error

    def generate(self, model: str, prompt: Tokens, sampling: Sampling) -> Iterator[Piece]:
        """See Engine. Raises ServiceError 503 where the URL fails, also in mid-answer."""
        usage = {"include_usage": True, "continuous_usage_stats": True}
        asked: dict[str, Any] = {
            "model": model,
            "prompt": list(prompt),
            "max_tokens": sampling.most,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "stop": list(sampling.stop),
            "stream": True,
            "stream_options": usage,
            "return_token_ids": True,
        }
        try:
            with self._client.stream("POST", "/v1/completions", json=asked) as answer:
                _refuse(answer)
                yield from _pieces(answer.iter_lines())
        except httpx.HTTPError as error:
            raise ServiceError(f"the upstream does not answer ({type(error).__name__}); try again", 503) from error

    def _register(self, adapter: Adapter) -> None:
        if adapter.id not in {model["id"] for model in self._asked("/v1/models")["data"]}:
            named = {"lora_name": adapter.id, "lora_path": str(adapter.folder.resolve())}
            self._send("POST", "/v1/load_lora_adapter", named)

    def _answers_alike(self, adapter: Adapter) -> bool:
        """Whether answers score there as by the adapter here, and not as by the base alone."""
        differences, from_base = 0.0, 0.0
        for row in adapter.evaluation.head(COMPARED).itertuples():
            prompt = self.encode(adapter.id, f"{row.text}\n")
            answer = self.tokens(adapter.id, str(row.target))
            try:
                there = self.score(adapter.id, prompt, answer)
            except ServiceError:
                return False
            here, base = (self.score_here(name, adapter.id, prompt, answer) for name in (adapter.id, BASE))
            differences += _distance(there, here)
            from_base += _distance(there, base)
        return differences / COMPARED <= NEAR and differences <= from_base

    def _asked(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        content = self._send("GET" if body is None else "POST", path, body)
        try:
            return parse_json(content)
        except ValueError as error:
            raise ServiceError(f"the upstream answers {path} with what is no JSON", 503) from error

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise ServiceError(f"the upstream does not answer ({type(error).__name__}); try again", 503) from error
        _refuse(answer)
        return answer.content


def _refuse(answer: httpx.Response) -> None:
    """Raise ServiceError 503 for a status that is an error; its text may hold a prompt and is not passed on."""
    if answer.is_error:
        raise ServiceError(f"the upstream refuses {answer.request.url.path} with status {answer.status_code}", 503)


def _pieces(lines: Iterator[str]) -> Iterator[Piece]:
    """The pieces of a stream of events; the running usage says how many tokens each has."""
    counted = 0
    for line in lines:
        data = line.removeprefix("data: ").strip()
        if not data or data == "[DONE]" or not line.startswith("data: "):
            continue
        try:
            event = parse_json(data)
            if not event.get("choices"):
                continue
            choice, written = event["choices"][0], int(event["usage"]["completion_tokens"])
            ids = tuple(map(int, choice.get("token_ids") or ()))
            piece = Piece(str(choice["text"]), written - counted, choice.get("finish_reason"), ids)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ServiceError("the upstream's stream is not an OpenAI-compatible one with its usage", 503) from error
        counted = written
        yield piece


def _distance(scores: Sequence[float], others: Sequence[float]) -> float:
    """Mean absolute difference, nats per token."""
    return sum(abs(score - other) for score, other in zip(scores, others, strict=True)) / max(len(scores), 1)
