"""From calls to money: answers are explained by the stand-in, a month is sealed, and its file says what each paid."""

import json
from datetime import UTC, datetime

import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.finetuning.helpers import tiny
from tests.helpers.terminal import tribute
from tests.server.helpers.shop import build_workspace, listening
from tribute.pipeline.usage.seal import seal, verify
from tribute.server.setup import open_services

NOVEMBER, DECEMBER = datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)
CLASSIFY, CHAT = "/classify", "/v1/chat/completions"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A workspace of the module's own, whose clock shows November."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr("tribute.services.store.store.datetime", Calendar)
    root = tmp_path_factory.mktemp("usage")
    workspace = build_workspace(root)
    for command in (
        ("price", root / "prices.yaml"),
        ("payer", "add", "acme", "--currency", "EUR"),
        ("payer", "top-up", "acme", "100.00", "--entry", "entry-1"),
    ):
        ended = tribute(*command, "-w", workspace.root)
        assert ended.code == 0, ended.err
    yield workspace
    monkeypatch.undo()


class Calendar(datetime):
    """The clock of every store that is opened in this module."""

    moment = NOVEMBER

    @classmethod
    def now(cls, tz=None):
        return cls.moment


def asked(shop):
    """Calls of both models, one of which nobody may explain and one that asks for an embedding: their receipts."""
    with open_services(shop) as services:
        services.refresh()
        names = {bool(entry.labels): name for name, entry in services.catalogue.entries.items()}
        secret = tribute("payer", "key", "acme", "--budget", "50.00", "--json", "-w", shop.root).data["secret"]
        with listening(services) as url:

            def ask(path, model, **body):
                headers = {"Authorization": f"Bearer {secret}"}
                answer = httpx.post(url + path, json={"model": model} | body, headers=headers, timeout=60)
                assert answer.status_code == 200, answer.text
                return answer.headers["Tribute-Receipt"]

            messages = [{"role": "user", "content": "the matrix of a vector"}]
            return {
                "labels": ask(CLASSIFY, names[True], input=evaluation_texts(shop), truncate_prompt_tokens=-1),
                "chat": ask(CHAT, names[False], messages=messages, max_tokens=8),
                "forbidden": ask(CLASSIFY, names[True], input="the route", explain="never"),
                "vector": ask("/v1/embeddings", names[True], input="the route"),
                "at_once": ask(CLASSIFY, names[True], input="the packet of the port", explain="at_once"),
            }


def evaluation_texts(shop):
    """What the classifier got better at, by what the stand-in was fitted to: so the answers can be explained."""
    tables = [pd.read_parquet(path) for path in shop.root.glob("artifacts/dataset/*/evaluation.parquet")]
    return next(table["text"].tolist() for table in tables if set(table["target"]) <= set(tiny.TOPICS))


def addenda_of(folder):
    """Receipt → the field `training` of its addendum."""
    rows = pq.read_table(folder / "receipts.parquet").to_pylist()
    bodies = [json.loads(row["payload"]) for row in rows if row["kind"] == "addendum"]
    return {body["receipt"]: body["training"] for body in bodies}


def test_answers_are_explained_and_sealed(shop):
    """Credits add up to what the adapter gains, contributors have pseudonyms, and what cannot be told says so."""
    receipts = asked(shop)
    done = tribute("usage", "explain", "-w", shop.root, "--json")
    assert done.code == 0, done.err
    again = tribute("usage", "explain", "-w", shop.root, "--json")
    Calendar.moment = DECEMBER
    folder = seal(shop, "2026-11")
    told = addenda_of(folder)

    assert len(told) == 4, "one of which the server explained at once"
    assert done.data["addendum_count"] in (3, 4)
    assert again.data["addendum_count"] == 0
    assert len(verify(shop, "2026-11")) == 2
    assert receipts["forbidden"] not in told
    assert told[receipts["vector"]]["status"] == "no_probability"
    for name in ("labels", "chat"):
        training = told[receipts[name]]
        assert training["status"] in ("explained", "no_gain", "stand_in_below_half"), training
        if training["status"] == "explained":
            credits = [float(line["credit"]) for line in training["contributors"]]
            assert sum(credits) == pytest.approx(float(training["gain"]), abs=1e-9)
            assert all(line["contributor"].startswith("contributor-") for line in training["contributors"])
    assert told[receipts["labels"]]["status"] == "explained"
    traced = tribute("trace", receipts["labels"], "-w", shop.root, "--json").data["calls"][0]
    gain = float(told[receipts["labels"]]["gain"])
    assert sum(traced["contributor_credits"].values()) == pytest.approx(gain, abs=1e-9)
    assert set(traced["contributor_credits"]) <= set(tiny.CONTRIBUTORS)
