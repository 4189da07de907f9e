"""Bad requests and attacks: a clear error in OpenAI's form with the field's status, and nothing charged."""

import json
import logging
import socket
import time
from datetime import UTC, datetime

import httpx
import pytest

from tests.server.helpers.shop import listening
from tribute.errors import ServiceError
from tribute.server.run import Listening, serve
from tribute.server.setup.models import check_allowed
from tribute.services.accounts import Limits
from tribute.services.meter import tie_out
from tribute.services.store import as_text

CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "matrix"}], "max_tokens": 4}


def body(**fields) -> bytes:
    """A chat request's body; `model` is to be filled in."""
    return json.dumps({"model": "WRITER", **ASK, **fields}).encode()


CASES = {
    "no key": (CHAT, body(), {"Authorization": ""}, 401),
    "unknown key": (CHAT, body(), {"Authorization": f"Bearer tribute_sk_{'a' * 43}"}, 401),
    "no key at all": (CHAT, body(), {"Authorization": "Bearer \u00e9".encode("latin-1")}, 401),
    "unknown model": (CHAT, body(model="gpt-4"), {}, 404),
    "a path in the name": (CHAT, body(model="../../keys/serving.pem"), {}, 404),
    "the base": (CHAT, body(model="llama"), {}, 404),
    "another digest": (CHAT, body(model="tiny@0000000000000000"), {}, 404),
    "no JSON": (CHAT, b'{"model": ', {}, 400),
    "not UTF-8": (CHAT, b'{"model": "\xff"}', {}, 400),
    "a key twice": (CHAT, b'{"model": "a", "model": "b"}', {}, 400),
    "a list": (CHAT, b"[]", {}, 400),
    "deep": (CHAT, b"[" * 100_000, {}, 400),
    "no messages": (CHAT, b'{"model": "WRITER", "messages": []}', {}, 400),
    "another role": (CHAT, body(messages=[{"role": "root", "content": "x"}]), {}, 400),
    "a conversation without template": (CHAT, body(messages=[{"role": "system", "content": "x"}]), {}, 400),
    "tools": (CHAT, body(tools=[{"type": "function"}]), {}, 400),
    "several answers": (CHAT, body(n=2), {}, 400),
    "no tokens": (CHAT, body(max_tokens=0), {}, 400),
    "prompt too long": (CHAT, body(messages=[{"role": "user", "content": "matrix " * 600}]), {}, 400),
    "answer too long": (CHAT, body(max_tokens=10_000), {}, 400),
    "text too long": ("/classify", b'{"model": "tiny", "input": "%s"}' % (b"matrix " * 200), {}, 400),
    "half a character": (CHAT, body(messages=[{"role": "user", "content": "\ud800"}]), {}, 400),
    "half a character in a name": ("/v1/keys", b'{"agent": "\\udfff"}', {}, 400),
    "half a character to be counted": ("/v1/quote", b'{"model": "WRITER", "text": "\\ud800"}', {}, 400),
    "query too long": ("/v1/search", b'{"dataset": "tiny@v1.0.0", "query": "%s"}' % (b"matrix " * 200), {}, 400),
    "no text": ("/classify", b'{"model": "tiny", "input": []}', {}, 400),
    "tokens for text": ("/v1/embeddings", b'{"model": "tiny", "input": [1, 2]}', {}, 400),
    "labels of a writer": ("/classify", b'{"model": "WRITER", "input": "x"}', {}, 400),
    "chat with a classifier": (CHAT, body(model="tiny"), {}, 400),
    "a body of 2 MB": (CHAT, b" " * (2 << 20), {}, 413),
    "a name too long": (CHAT, body(), {"Idempotency-Key": "x" * 300}, 422),
    "no endpoint": ("/v1/responses", body(), {}, 404),
    "another method": ("/v1/models", body(), {}, 405),
}


@pytest.mark.parametrize(("path", "content", "headers", "status"), CASES.values(), ids=CASES)
def test_bad_requests_are_refused(path, content, headers, status, address, secret, writer, services):
    """The status is the field's, the body an OpenAI error in one line, and the key has spent and holds nothing."""
    key = secret()
    told = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} | headers

    answer = httpx.post(f"{address}{path}", content=content.replace(b"WRITER", writer.encode()), headers=told)

    error = answer.json()["error"]
    assert answer.status_code == status
    assert set(error) >= {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    recognised = services.keys.recognise(key)
    assert services.keys.remaining(recognised) == recognised.limits.budget


FAULTS = {
    "too many texts": ("/classify", {"model": "tiny", "input": ["x"] * 257}, "input: List should have at most 256"),
    "too many sources": (CHAT, {"model": "x", **ASK, "retrieve": {"from": "a@v1.0.0", "top": 21}}, "retrieve.top: "),
    "too many stops": (CHAT, {"model": "x", **ASK, "stop": ["a"] * 5}, "stop: List should have at most 4"),
    "no truth value": (CHAT, {"model": "x", **ASK, "stream": [1]}, "stream: Input should be a valid boolean"),
    "no content": (CHAT, {"model": "x", "messages": [{"role": "user"}]}, "messages.0.content: Field required"),
}


@pytest.mark.parametrize(("path", "asked", "message"), FAULTS.values(), ids=FAULTS)
def test_an_error_names_the_field_and_what_is_wrong_with_its_value(path, asked, message, address, secret):
    """Also where the field may have one of several types."""
    answer = httpx.post(f"{address}{path}", json=asked, headers={"Authorization": f"Bearer {secret()}"})

    error = answer.json()["error"]
    assert error["message"].startswith(message)
    assert error["param"] == message.partition(":")[0]


def test_a_client_that_hangs_up_before_its_body_is_whole_is_no_fault_of_the_server(address, secret, services):
    """The call is counted as a bad request, not as a failure."""
    before = services.metrics.text()
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /classify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret()}\r\nContent-Length: 9\r\n\r\n"
        connection.sendall(head.encode() + b"{")
    deadline = time.monotonic() + 30
    while services.metrics.text() == before and time.monotonic() < deadline:
        time.sleep(0.01)

    assert b'tribute_requests_total{path="/classify",status="500"}' not in services.metrics.text()
    assert services.metrics.text() != before


def test_a_call_beyond_the_budget_is_402_with_its_price(address, secret, writer):
    """The error says the most that the call would have cost, and in which currency."""
    answer = httpx.post(
        f"{address}{CHAT}",
        content=body().replace(b"WRITER", writer.encode()),
        headers={"Authorization": f"Bearer {secret(budget='0.000001')}"},
    )

    assert answer.status_code == 402
    price = answer.json()["error"]["price"]
    assert (price["currency"], price["version"]) == ("EUR", 1)
    assert price["micro"] > 100


def test_a_key_for_other_models_and_anothers_receipt_are_refused(address, secret, writer, classifier):
    """403 for a model or rows that the key does not list; a receipt of another key does not exist, 404."""
    narrow, wide = (
        httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"})
        for key in (secret("--model", classifier), secret())
    )

    refused = narrow.post(CHAT, content=body().replace(b"WRITER", writer.encode()))
    answered = wide.post("/classify", json={"model": classifier, "input": "matrix"})

    asked = {"model": classifier, "input": "matrix", "retrieve": "facts@v1.0.0"}
    rows = [key.post("/classify", json=asked).status_code for key in (narrow, wide)]

    assert refused.status_code == 403
    assert rows == [403, 200]
    assert answered.status_code == 200
    path = f"/v1/receipts/{answered.headers['Tribute-Receipt']}"
    assert (wide.get(path).status_code, narrow.get(path).status_code) == (200, 404)
    assert [model["id"] for model in narrow.get("/v1/models").json()["data"]] == [classifier]


def test_a_revoked_parent_and_an_ended_sub_key_are_401(address, services, secret, classifier):
    """What is below a revoked key, and a sub-key after its end, can neither call nor read."""
    parent = services.keys.recognise(secret())
    soon = as_text(datetime.now(UTC))
    ended, _ = services.keys.narrow(parent, Limits(1000, 1000, soon))
    below, _ = services.keys.narrow(parent, Limits(1000, 1000, parent.limits.expires))
    services.keys.revoke(parent.id)

    for key in (ended, below):
        told = httpx.get(f"{address}/v1/budget", headers={"Authorization": f"Bearer {key}"})
        assert told.status_code == 401
        assert key not in told.text


def test_a_server_without_room_says_when_to_try_again(services, secret, classifier):
    """429 with Retry-After while all places are taken; nothing is charged."""
    key = secret()
    taken = 0
    while services.slots.acquire(blocking=False):
        taken += 1
    try:
        with listening(services) as url:
            answer = httpx.post(
                f"{url}/classify",
                json={"model": classifier, "input": "matrix"},
                headers={"Authorization": f"Bearer {key}"},
            )
    finally:
        services.slots.release(taken)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert answer.json()["error"]["type"] == "rate_limit_error"


def test_no_log_holds_a_key_or_a_text(caplog, address, secret, writer):
    """A refused and an answered call leave lines with endpoint and status, without secret, question and answer."""
    key = secret()
    headers = {"Authorization": f"Bearer {key}"}
    with caplog.at_level(logging.DEBUG):
        answered = httpx.post(
            f"{address}{CHAT}",
            content=body(messages=[{"role": "user", "content": "vector port"}]).replace(b"WRITER", writer.encode()),
            headers=headers,
        )
        httpx.post(f"{address}{CHAT}", content=b'{"model": "vector port', headers=headers)

    lines = [record.getMessage() for record in caplog.records if record.name.startswith("tribute")]
    assert any(f"POST {CHAT} 200" in line for line in lines)
    assert answered.status_code == 200
    assert not [record for record in caplog.records if key in record.getMessage()]
    assert not [line for line in lines if "vector port" in line]


def test_an_adapter_whose_rows_were_taken_back_is_not_served(services, workspace):
    """A withdrawn contribution, and a licence that forbids sale, each refuse with their reason."""
    from dataclasses import replace

    from tribute.server.setup.models import read_candidate

    candidate = read_candidate(workspace, "labels")
    with pytest.raises(ServiceError, match="ada-1, taken back since"):
        check_allowed(candidate, {"ada-1", "other"})
    forbidding = {**candidate.description, "licences": ["CC-BY-NC-4.0"]}
    with pytest.raises(ServiceError, match=r"CC-BY-NC-4\.0 does not let its answers be sold"):
        check_allowed(replace(candidate, dataset=_Described(forbidding)), set())


class _Described:
    """A dataset of which only the description is read."""

    def __init__(self, description):
        self._description = description

    def json(self, _name):
        return self._description


def test_a_damaged_adapter_takes_nobody_down(services, workspace, classifier, writer):
    """Weights with one byte changed are refused with the reason; those that are served go on."""
    from tests.finetuning.helpers import tiny
    from tests.server.helpers.shop import finish_run

    dataset = workspace.store.get(
        "dataset", workspace.store.get("adapter", _artifact(services, classifier)).inputs["dataset"]
    )
    damaged = finish_run(workspace, "damaged", dataset, tiny.bert_config(workspace.root.parent / "bert"), seed=1)
    weights = damaged.file("adapter_model.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(content)
    try:
        services.refresh()
        [why] = services.catalogue.refused.values()
        assert "adapter_model.safetensors" in why
        assert set(services.catalogue.entries) == {classifier, writer}
        content[-1] ^= 1
        weights.write_bytes(content)
        services.refresh()
        assert set(services.catalogue.entries) > {classifier, writer}
    finally:
        (workspace.runs / "damaged" / "run.json").unlink()
        services.refresh()
    assert set(services.catalogue.entries) == {classifier, writer}


def _artifact(services, name: str) -> str:
    return services.catalogue.entries[name].model.artifact


def test_a_second_server_of_the_store_is_refused(services, workspace):
    """Two servers on one SQLite file would each believe to hold all: the second does not start."""
    with pytest.raises(ServiceError, match="another server has this store open"):
        serve(workspace, Listening("127.0.0.1", 1), lambda _: None)
    assert tie_out(services.store) == []
