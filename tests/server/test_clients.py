"""Unmodified clients against a running server: what is answered, charged, recorded and refused."""

import asyncio
import itertools
import json
import subprocess
import sys
import time
import urllib.request
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import httpx
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tribute.contributions.dataset import read_rows
from tribute.errors import ServiceError
from tribute.server.calls.calls import hold
from tribute.server.calls.inference import chat
from tribute.server.calls.streams import AnswerStream
from tribute.server.requests.bodies import ChatBody, parse_body
from tribute.server.requests.callers import Caller
from tribute.server.setup.setup import Services
from tribute.services.meter import receipt_bundle, tie_out

QUESTION = [{"role": "user", "content": "matrix vector kernel"}]


def classify(client: openai.OpenAI, model: str, texts: list[str], **options):
    """POST /classify by the client's own means for endpoints that it has no method for."""
    url = str(client.base_url).replace("/v1/", "/classify")
    return client.with_options(base_url=url[: -len("/classify")]).post(
        "/classify", body={"model": model, "input": texts, **options}, cast_to=object
    )


def spent(client: openai.OpenAI) -> int:
    """What the client's key has spent, in 10⁻⁶ EUR."""
    told = client.get("/budget", cast_to=object)
    return told["budget"] - told["remaining"]


def test_models_are_listed_with_card_and_price(client, classifier, writer, services):
    """Each says base, parent, verdict and price; the champion is its dataset's alias."""
    models = {model.id: model for model in client.models.list()}

    assert set(models) == {classifier, writer}
    shown = models[classifier]
    assert (shown.card, shown.champion, shown.price["input"]) == ("credit", True, 2000)
    assert shown.root == services.catalogue.entries[classifier].model.artifact
    assert client.models.retrieve("tiny").id == client.models.retrieve("champion").id == classifier


def test_accuracy_through_the_server_equals_the_cards(client, classifier, services, workspace):
    """Every evaluation row asked over HTTP, long ones cut as in training, gives the recorded accuracy."""
    entry = services.catalogue.entries[classifier]
    adapter = workspace.store.get("adapter", entry.model.artifact)
    rows = read_rows(workspace.store.get("dataset", adapter.inputs["dataset"]), "evaluation")

    answered = classify(client, classifier, list(rows["text"]), truncate_prompt_tokens=-1)
    right = [line["label"] == target for line, target in zip(answered["data"], rows["target"], strict=True)]

    assert sum(right) / len(right) == adapter.json("evaluation.json")["accuracy"]
    assert answered["model"] == classifier


def test_embeddings_are_unit_vectors(client, classifier):
    """The client's own decoding (base64) and plain floats agree."""
    texts = ["matrix vector", "socket server"]

    encoded = client.embeddings.create(model="tiny", input=texts)
    plain = client.embeddings.create(model="tiny", input=texts, encoding_format="float")

    assert encoded.model == classifier
    for one, other in zip(encoded.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-5)
        assert sum(part * part for part in one.embedding) == pytest.approx(1, abs=1e-5)


def test_a_stream_costs_what_the_whole_answer_costs(client, writer):
    """Chat, whole and streamed: the same text, tokens and price to the unit."""
    whole = client.chat.completions.create(model=writer, messages=QUESTION, max_tokens=12)
    chunks = list(
        client.chat.completions.create(
            model=writer, messages=QUESTION, max_tokens=12, stream=True, stream_options={"include_usage": True}
        )
    )

    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert streamed == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens > 0
    assert chunks[-1].usage.cost == whole.usage.cost
    assert spent(client) == 2 * whole.usage.cost


def test_completions_stop_at_a_text(client, writer):
    """`stop` ends the answer before the text, and a retry with the same seed draws the same."""
    asked = {"model": writer, "prompt": "matrix vector\n", "max_tokens": 12, "temperature": 1.0, "seed": 7}
    whole = client.completions.create(**asked).choices[0].text
    again = client.completions.create(**asked).choices[0].text
    ended = client.completions.create(**asked, stop=whole[2:4])

    assert whole == again
    assert ended.choices[0].text == whole[: whole.index(whole[2:4])]
    assert ended.choices[0].finish_reason == "stop"


def test_a_retry_gets_the_stored_answer_and_pays_once(client, writer):
    """The same Idempotency-Key and body: the same bytes and receipt, one charge; another body is a conflict."""
    named = {"Idempotency-Key": "question-1"}
    asked = {"model": writer, "messages": QUESTION, "max_tokens": 6, "temperature": 1.0, "extra_headers": named}
    raw = client.chat.completions.with_raw_response

    first = raw.create(**asked)
    paid = spent(client)
    second = raw.create(**asked)

    assert second.content == first.content
    assert second.headers["Tribute-Receipt"] == first.headers["Tribute-Receipt"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert spent(client) == paid == int(first.headers["Tribute-Cost"])
    with pytest.raises(openai.ConflictError):
        raw.create(**(asked | {"max_tokens": 7}))


def test_a_streams_retry_gets_the_same_events(client, writer):
    """A stream that was settled is sent again as it was, and costs nothing more."""
    asked = {"model": writer, "messages": QUESTION, "max_tokens": 6, "stream": True}
    named = {"extra_headers": {"Idempotency-Key": "stream-1"}}

    first = [chunk.model_dump() for chunk in client.chat.completions.create(**asked, **named)]
    paid = spent(client)
    second = [chunk.model_dump() for chunk in client.chat.completions.create(**asked, **named)]

    assert second == first
    assert spent(client) == paid > 0


def test_a_receipt_verifies_offline_against_what_was_sent(client, classifier, services, tmp_path):
    """tools/verify_receipt.py accepts the bundle, the request and the answer's bytes with the salt of the header."""
    response = client.embeddings.with_raw_response.create(model=classifier, input="matrix", encoding_format="float")
    bundle = client.get(f"/receipts/{response.headers['Tribute-Receipt']}", cast_to=object)
    files = {
        "bundle": json.dumps({name: text for name, text in bundle.items() if name != "salt"}).encode(),
        "request": b"POST /v1/embeddings\n" + response.http_request.content,
        "answer": response.content,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    tool = Path(__file__).parents[2] / "tools" / "verify_receipt.py"
    texts = ["--request", tmp_path / "request", "--answer", tmp_path / "answer"]
    salt = ["--salt", response.headers["Tribute-Salt"], "--registry", services.registry_keys[-1]]
    done = subprocess.run([sys.executable, tool, tmp_path / "bundle", *texts, *salt], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert bundle["salt"] == response.headers["Tribute-Salt"]
    assert (
        sha256(services.signer.content).hexdigest()
        in urllib.request.urlopen(f"{str(client.base_url)[:-3]}.well-known/jwks.json").read().decode()
    )


def test_what_a_client_that_hung_up_got_is_charged(address, writer, services, secret):
    """A connection closed in mid-stream leaves a charge and a receipt for what was sent, and nothing held."""
    key = secret()
    asked = {"model": writer, "messages": QUESTION, "max_tokens": 40, "temperature": 2.0, "stream": True}
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.stream("POST", f"{address}/v1/chat/completions", json=asked, headers=headers) as response:
        next(response.iter_bytes())

    found = services.keys.recognise(key)
    receipt = _eventually(lambda: _receipt(services, found, response.headers["Tribute-Receipt"]))
    assert services.keys.remaining(found) == found.limits.budget - receipt["price"]["micro"] < found.limits.budget
    assert tie_out(services.store) == []


def test_a_broken_stream_costs_what_was_sent(writer, services, secret):
    """Of three events two were sent when the connection broke: two are charged, and the receipt says incomplete."""
    key, entry = services.keys.recognise(secret()), services.catalogue.resolve(writer)
    work = chat(
        services.engine, entry, parse_body(ChatBody, json.dumps({"model": writer, "messages": QUESTION}).encode())
    )
    held = hold(services, Caller(key, None, None, b"POST /v1/chat/completions\n{}"), work)
    ended = []
    stream = AnswerStream(services, work, held, lambda: ended.append(True))

    async def hang_up():
        events = stream.events()
        for _ in range(3):
            await anext(events)
        await events.aclose()

    asyncio.run(hang_up())
    stream.finish()
    stream.finish()

    receipt = _receipt(services, key, held.receipt)
    written = receipt["tokens"]["output"]
    sent = list(itertools.islice(work.pieces(), 2))
    assert written == sum(piece.tokens for piece in sent) > 0
    assert receipt["price"]["micro"] == services.prices.current().cost(writer, work.input_tokens, written)
    assert (receipt["complete"], ended) == (False, [True])


def _receipt(services: Services, key, receipt: str):
    """What a receipt says; None before there is one."""
    try:
        envelope = json.loads(receipt_bundle(services.store, key, receipt)["receipt"])
    except ServiceError:
        return None
    return json.loads(b64decode(envelope["payload"]))


def _eventually(ask: Callable[[], object]):
    """What is asked for, as soon as it is there."""
    for _ in range(200):
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_curl_and_prometheus_read_what_they_know(address, client, classifier):
    """curl gets health without a key; Prometheus' parser reads the metrics, which name no payer."""
    classify(client, classifier, ["matrix"])
    done = subprocess.run(["curl", "-sf", f"{address}/health"], capture_output=True, text=True, check=True)
    text = urllib.request.urlopen(f"{address}/metrics").read().decode()

    assert json.loads(done.stdout) == {"status": "ok", "models": 2, "refused": []}
    samples = {
        (sample.name, sample.labels.get("model")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["tribute_settled_calls_total", classifier] >= 1
    assert "acme" not in text
