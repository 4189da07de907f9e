"""Theorem: answers behind a URL are those of the adapter, or nobody is paid by them; and the receipt says which.

The stand-in for vLLM has the endpoints that are used, with its names and forms, and writes and scores with the same
adapters; so what this process asks and reads is tested, and not what vLLM computes.
"""

import json
from dataclasses import replace
from pathlib import Path

import httpx
import openai
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from tests.server.calls.test_retrieving import receipt_of
from tests.server.helpers.shop import listening, running
from tribute.errors import ServiceError
from tribute.server.setup.models import refresh
from tribute.services.catalogue import Catalogue
from tribute.services.engines import LocalEngine, Sampling, UpstreamEngine
from tribute.services.receipts import AS_CONFIGURED

ASK = {"messages": [{"role": "user", "content": "the rank of a matrix"}], "max_tokens": 8}


class Stub:
    """What vLLM does, by an engine of this process; `scores` may distort, `breaks` ends streams early."""

    def __init__(self, engine):
        self.engine, self.loaded, self.breaks, self.requests = engine, {}, False, []
        self.scores = lambda values: values
        self.app = FastAPI()
        self.app.add_api_route("/v1/models", self.models, methods=["GET"])
        self.app.add_api_route("/v1/load_lora_adapter", self.load, methods=["POST"])
        self.app.add_api_route("/v1/completions", self.complete, methods=["POST"])

    def models(self):
        return {"object": "list", "data": [{"id": name, "root": root} for name, root in self.loaded.items()]}

    async def load(self, request: Request):
        body = await request.json()
        assert (Path(body["lora_path"]) / "adapter_config.json").exists()
        self.loaded[body["lora_name"]] = body["lora_path"]
        return PlainTextResponse(f"Success: LoRA adapter '{body['lora_name']}' added successfully.")

    async def complete(self, request: Request):
        body = await request.json()
        self.requests.append(body)
        if body["model"] not in self.loaded:
            return JSONResponse({"error": {"message": f"The model `{body['model']}` does not exist."}}, 404)
        if body.get("stream"):
            return StreamingResponse(self.events(body), media_type="text/event-stream")
        prompt = body["prompt"]
        scores = self.scores(LocalEngine.score(self.engine, body["model"], prompt[:1], prompt[1:]))
        lines = [None, *({str(id_): {"logprob": score}} for id_, score in zip(prompt[1:], scores, strict=True))]
        return {"choices": [{"index": 0, "text": "x", "prompt_logprobs": lines}]}

    def events(self, body):
        sampling = Sampling(body["max_tokens"], body["temperature"], body["top_p"], body["seed"], tuple(body["stop"]))
        written = 0
        for piece in LocalEngine.generate(self.engine, body["model"], body["prompt"], sampling):
            written += piece.tokens
            choice = {"index": 0, "text": piece.text, "finish_reason": piece.finish, "token_ids": list(piece.ids)}
            usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": written}
            yield f"data: {json.dumps({'choices': [choice], 'usage': usage})}\n\n"
            if self.breaks:
                raise RuntimeError("the upstream dies")
        yield f"data: {json.dumps({'choices': [], 'usage': {'completion_tokens': written}})}\n\ndata: [DONE]\n\n"


@pytest.fixture
def stub(services):
    """A stub over the adapters that the tests' server has resident."""
    return Stub(services.engine)


@pytest.fixture
def upstream(stub):
    """An engine before the stub."""
    with running(stub.app) as url:
        engine = UpstreamEngine(url, "upstream-key")
        yield engine
        engine.close()


def served(services, engine):
    """The same services, answered by another engine."""
    return replace(services, engine=engine, catalogue=refresh(services.workspace, engine, Catalogue({}, {})))


def test_answers_are_the_adapters(services, stub, upstream, client, writer, secret):
    """Through the stub: the same text, tokens and price as here, whole and streamed, under the adapter's digest."""
    here = client.chat.completions.create(model=writer, **ASK)
    with listening(served(services, upstream)) as url:
        there = client.with_options(base_url=f"{url}/v1")
        whole = there.chat.completions.create(model=writer, **ASK)
        chunks = list(there.chat.completions.create(model=writer, **ASK, stream=True))
        labelled = httpx.post(
            f"{url}/classify", json={"model": "tiny", "input": "x"}, headers={"Authorization": f"Bearer {secret()}"}
        )

    artifact = services.catalogue.entries[writer].model.artifact
    assert stub.loaded.keys() == {artifact}
    assert (whole.model, whole.choices[0].message.content) == (writer, here.choices[0].message.content)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == here.choices[0].message.content
    assert whole.usage.cost == here.usage.cost
    assert labelled.status_code == 200
    assert {body["model"] for body in stub.requests} == {artifact}


def test_it_scores_fixed_tokens(services, upstream, writer):
    """The prompt's log-probabilities there are the answer's here."""
    model = services.catalogue.entries[writer].model.artifact
    engine = served(services, upstream).engine
    prompt, answer = engine.encode(model, "the rank\n"), engine.tokens(model, "solve the matrix")

    assert engine.score(model, prompt, answer) == pytest.approx(services.engine.score(model, prompt, answer), abs=1e-4)
    assert engine.attests(model)


@pytest.mark.parametrize(
    "scores", [lambda values: [value - 1 for value in values], lambda values: values[:-1], lambda _: []]
)
def test_an_upstream_that_scores_otherwise_pays_nobody(scores, services, stub, upstream, client, writer):
    """It answers; the receipt says `digest as configured`, and that nobody will be explained."""
    stub.scores = scores
    with listening(served(services, upstream)) as url:
        raw = client.with_options(base_url=f"{url}/v1").chat.completions.with_raw_response.create(model=writer, **ASK)

    receipt = receipt_of(services, client, raw.headers["Tribute-Receipt"])
    assert receipt["model"]["verdict"] == AS_CONFIGURED
    assert receipt["training"] == "never"


def test_an_upstream_that_dies_in_mid_answer(services, stub, upstream, client, writer):
    """Whole, the call is 503 and free; streamed, what was sent is charged and the stream says that it broke."""
    stub.breaks = True
    with listening(served(services, upstream)) as url:
        there = client.with_options(base_url=f"{url}/v1")
        with pytest.raises(openai.InternalServerError) as whole:
            there.chat.completions.create(model=writer, **ASK)
        told = client.get("/budget", cast_to=object)
        assert whole.value.status_code == 503
        assert told["remaining"] == told["budget"]
        raw = there.chat.completions.with_streaming_response.create(model=writer, **ASK, stream=True)
        with raw as response:
            text = b"".join(response.iter_bytes()).decode()
    assert '"error"' in text
    receipt = receipt_of(services, client, response.headers["Tribute-Receipt"])
    assert (receipt["complete"], receipt["tokens"]["output"]) == (False, 1)


def test_an_upstream_that_is_away_serves_no_writer(services, writer, classifier):
    """What cannot be registered is refused with its reason; the classifier is answered here."""
    engine = UpstreamEngine("http://127.0.0.1:9")
    catalogue = refresh(services.workspace, engine, Catalogue({}, {}))
    engine.close()

    assert set(catalogue.entries) == {classifier}
    assert "upstream does not answer" in catalogue.refused[writer]


def test_the_upstreams_words_are_not_passed_on(upstream):
    """An error of the upstream may quote a prompt: only its status is told."""
    with pytest.raises(ServiceError, match="with status 404") as refused:
        upstream.score("unknown", [1], [2])

    assert "unknown" not in str(refused.value)
