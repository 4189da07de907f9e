"""Theorem: an answer with sources names them, and its receipt says to 1e-9 who of them moved it."""

import json
from base64 import b64decode
from datetime import date

import httpx
import openai
import pytest

from tests.helpers.terminal import tribute
from tribute.contributions.registry import Registry
from tribute.services.engines import Sampling
from tribute.services.meter import receipt_bundle, tie_out
from tribute.services.retrieval import quoted

QUESTION = "the rank of a matrix"
SEARCH = {"dataset": "facts@v1.0.0", "query": QUESTION, "model": "tiny"}
ASK = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 8}


@pytest.fixture
def answered(client, services, writer):
    """Ask with sources: the client's answer and the receipt of it."""

    def ask(**options):
        raw = client.chat.completions.with_raw_response.create(
            model=writer, **ASK, extra_body={"retrieve": "facts@v1.0.0"}, **options
        )
        return raw.parse(), receipt_of(services, client, raw.headers["Tribute-Receipt"])

    return ask


def post(client, path, body):
    """A request with the client's key, and the answer as it came."""
    url = f"{str(client.base_url).removesuffix('/v1/')}{path}"
    return httpx.post(url, json=body, headers={"Authorization": f"Bearer {client.api_key}"}, timeout=60)


def receipt_of(services, client, name):
    """What a receipt of the client's key says."""
    bundle = receipt_bundle(services.store, services.keys.recognise(client.api_key), name)
    return json.loads(b64decode(json.loads(bundle["receipt"])["payload"]))


def credits_of(receipt):
    """Row → credit."""
    return {line["rows"][0]: float(line["credit"]) for line in receipt["retrieved"]}


def test_search_finds_only_what_may_be_shown(client, services):
    """The best row first with text and licence, no row without consent; charged, with the rows in the receipt."""
    raw = post(client, "/v1/search", SEARCH)
    found = raw.json()

    assert [hit["filename"] for hit in found["data"]] == ["facts@v1.0.0"] * 3
    assert found["data"][0]["content"][0]["text"] == "the rank of a matrix\nsolve the matrix basis"
    assert "secret" not in raw.text
    assert {hit["attributes"]["licence"] for hit in found["data"]} == {"MIT"}
    assert int(raw.headers["Tribute-Cost"]) == found["usage"]["cost"] == 200
    lines = receipt_of(services, client, raw.headers["Tribute-Receipt"])["retrieved"]
    assert [line["rows"] for line in lines] == [[hit["file_id"]] for hit in found["data"]]
    assert {line["credit"] for line in lines} == {None}


def test_credits_add_up_to_what_the_sources_changed(answered, services, writer):
    """The answer's log-probability with all sources less that with none, computed anew, is the sum of the credits."""
    answer, receipt = answered()

    engine, model = services.engine, services.catalogue.entries[writer].model.artifact
    index = services.shelf.index("facts@v1.0.0", services.catalogue.entries[writer].model.base, None, _today(services))
    hits = index.search(QUESTION, engine.embed_base(model, [QUESTION])[0], 5)
    prompts = [engine.encode(model, f"{quoted(QUESTION, chosen)}\n") for chosen in (hits, [])]
    assert answer.usage.prompt_tokens == len(prompts[0]) > len(prompts[1])
    pieces = list(engine.generate(model, prompts[0], _greedy()))
    ids = [token for piece in pieces for token in piece.ids]
    with_all, without = (sum(engine.score(model, prompt, ids)) for prompt in prompts)
    assert sum(credits_of(receipt).values()) == pytest.approx(with_all - without, abs=1e-6)
    assert set(credits_of(receipt)) == {hit.row for hit in hits} == {shown["row"] for shown in answer.retrieved}
    assert {line["unit"] for line in receipt["retrieved"]} == {"nats"}
    assert not {"fay", "gil", "hal"} & {line["contributor"] for line in receipt["retrieved"]}


def test_trace_leads_to_rows_and_people(answered, workspace):
    """`tribute trace` of the receipt names the rows and whose they are, where the payer reads pseudonyms."""
    _, receipt = answered()
    traced = tribute("trace", receipt["id"], "-w", workspace.root, "--json").data
    [call] = traced["calls"]

    assert {line["contributor"] for line in call["retrieved"]} == {"fay", "gil", "hal"}
    assert [line["credit"] for line in call["retrieved"]] == [line["credit"] for line in receipt["retrieved"]]
    lines = tribute("trace", receipt["id"], "-w", workspace.root).out
    assert f"{call['retrieved'][0]['rows'][0]} of fay: " in lines


def test_a_stream_credits_the_same(answered, client, services, writer):
    """Streamed or whole: the same sources, credits and price."""
    _, receipt = answered()
    raw = client.chat.completions.with_raw_response.create(
        model=writer, **ASK, stream=True, extra_body={"retrieve": "facts@v1.0.0"}
    )
    list(raw.parse())
    streamed = receipt_of(services, client, raw.headers["Tribute-Receipt"])

    assert credits_of(streamed) == pytest.approx(credits_of(receipt), abs=1e-9)
    assert streamed["price"] == receipt["price"]


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_answer_whose_credit_fails_is_settled(is_stream, client, services, writer, monkeypatch):
    """The answer is given and charged; its rows stand in the receipt without credit."""

    def fail(*_):
        raise RuntimeError("no memory")

    monkeypatch.setattr(services.engine, "score", fail)
    raw = client.chat.completions.with_raw_response.create(
        model=writer, **ASK, stream=is_stream, extra_body={"retrieve": "facts@v1.0.0"}
    )
    raw.http_response.read()
    receipt = receipt_of(services, client, raw.headers["Tribute-Receipt"])

    assert receipt["price"]["micro"] > 100
    assert {line["credit"] for line in receipt["retrieved"]} == {None}
    told = client.get("/budget", cast_to=object)
    assert told["budget"] - told["remaining"] == receipt["price"]["micro"]


def test_neighbours_vote_on_a_label(client, services, classifier):
    """Probabilities sum to 1, and the credits to what the vote changed of the label's probability."""
    asked = {"model": classifier, "input": "the matrix and a vector", "retrieve": {"from": "tiny@v1.0.0", "top": 3}}
    raw = post(client, "/classify", asked)
    [line] = (answer := raw.json())["data"]

    place = answer["labels"].index(line["label"])
    assert sum(line["probs"]) == pytest.approx(1, abs=1e-6)
    receipt = receipt_of(services, client, raw.headers["Tribute-Receipt"])
    changed = line["probs"][place] - line["probs_without"][place]
    assert sum(credits_of(receipt).values()) == pytest.approx(changed, abs=1e-9)
    assert {entry["unit"] for entry in receipt["retrieved"]} == {"probability"}
    assert len(answer["retrieved"]) == 3


def test_sources_that_do_not_fit_are_left_out(client, writer):
    """A question that fills the context is answered without sources, as it is without `retrieve`."""
    asked = {"model": writer, "messages": [{"role": "user", "content": "matrix " * 190}], "max_tokens": 2}
    plain = client.chat.completions.create(**asked)
    sourced = client.chat.completions.create(**asked, extra_body={"retrieve": "facts@v1.0.0"})

    assert sourced.usage.prompt_tokens >= plain.usage.prompt_tokens
    assert len(sourced.retrieved) < 3


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/search", {"dataset": "facts@v9.0.0", "query": "x", "model": "tiny"}, 404),
        ("/search", {"dataset": "../../keys", "query": "x", "model": "tiny"}, 404),
        ("/search", {"dataset": "facts@v1.0.0", "query": "", "model": "tiny"}, 400),
        ("/search", {"dataset": "facts@v1.0.0", "query": "x", "top": 1000, "model": "tiny"}, 400),
        ("/search", {"dataset": "nothing@v1.0.0", "query": "x"}, 404),
        ("/embeddings", {"model": "tiny", "input": "x", "retrieve": "facts@v1.0.0"}, 400),
        ("/chat/completions", {"model": "WRITER", **ASK, "retrieve": {"from": "facts@v1.0.0", "top": 0}}, 400),
        ("/chat/completions", {"model": "WRITER", **ASK, "retrieve": "unknown@v1.0.0"}, 404),
    ],
)
def test_bad_retrievals_are_refused(path, body, status, client, writer):
    """Each with the field's status, and nothing is charged."""
    body = {name: writer if value == "WRITER" else value for name, value in body.items()}
    with pytest.raises(openai.APIStatusError) as refused:
        client.post(path, body=body, cast_to=object)

    assert refused.value.status_code == status
    told = client.get("/budget", cast_to=object)
    assert told["remaining"] == told["budget"]


def test_a_withdrawn_row_is_gone_at_the_next_request(client, services, workspace):
    """Between two requests the contributor withdraws; the second does not show the row."""

    def shown():
        found = client.post(
            "/search", body={"dataset": "facts@v1.0.0", "query": QUESTION, "model": "tiny"}, cast_to=object
        )
        return {hit["file_id"] for hit in found["data"]}

    before = shown()
    entries = Registry.open(workspace).entries()
    [gone] = [entry.subject for entry in entries if entry.details.get("contributor_id") == "hal"]
    ended = tribute("withdraw", gone, "--by", "steward", "--why", "asked for", "-w", workspace.root)

    assert ended.code == 0, ended.err
    assert before - shown() == {f"{gone}:1"}
    assert tie_out(services.store) == []


def _today(services):
    return date.fromisoformat(services.store.now()[:10])


def _greedy():
    return Sampling(8)
