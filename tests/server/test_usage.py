"""From calls to money: answers are explained by the stand-in, a month is sealed, and its file says what each paid."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.finetuning.helpers import tiny
from tests.helpers.terminal import tribute
from tests.server.helpers.shop import listening, open_shop
from tribute.pipeline.usage.seal import verify
from tribute.rewards.ledger import simulate
from tribute.server.setup.setup import open_services

TOOL = Path(__file__).parents[2] / "tools" / "verify_receipt.py"
CLASSIFY, CHAT = "/classify", "/v1/chat/completions"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A workspace of the module's own, a simulation that has reached November."""
    return open_shop(tmp_path_factory.mktemp("usage"), "2026-11-15")


@pytest.fixture(scope="module")
def november(shop):
    """Receipts of November's calls, all explained, and the sealed month; the clock shows December."""
    receipts, secret = asked(shop)
    done, again = (tribute("usage", "explain", "-w", shop.root, "--json") for _ in range(2))
    assert done.code == 0, done.err
    assert again.data["addendum_count"] == 0
    simulate(shop.rewards, "2026-12-01")
    ended = tribute("usage", "seal", "2026-11", "-w", shop.root, "--json")
    assert ended.code == 0, ended.err
    return receipts, secret, shop.usage / "2026-11"


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
                (shop.root.parent / "request.json").write_text(json.dumps({"model": model} | body))
                (shop.root.parent / "answer.json").write_bytes(answer.content)
                return answer.headers["Tribute-Receipt"]

            messages = [{"role": "user", "content": "the matrix of a vector"}]
            receipts = {
                "labels": ask(CLASSIFY, names[True], input=evaluation_texts(shop), truncate_prompt_tokens=-1),
                "chat": ask(CHAT, names[False], messages=messages, max_tokens=8),
                "forbidden": ask(CLASSIFY, names[True], input="the route", explain="never"),
                "vector": ask("/v1/embeddings", names[True], input="the route"),
                "at_once": ask(CLASSIFY, names[True], input="the packet of the port", explain="at_once"),
            }
            return receipts, secret


def evaluation_texts(shop):
    """What the classifier got better at, by what the stand-in was fitted to: so the answers can be explained."""
    tables = [pd.read_parquet(path) for path in shop.root.glob("artifacts/dataset/*/evaluation.parquet")]
    return next(table["text"].tolist() for table in tables if set(table["target"]) <= set(tiny.TOPICS))


def addenda_of(folder):
    """Receipt → the field `training` of its addendum."""
    rows = pq.read_table(folder / "receipts.parquet").to_pylist()
    bodies = [json.loads(row["payload"]) for row in rows if row["kind"] == "addendum"]
    return {body["receipt"]: body["training"] for body in bodies}


def test_answers_are_explained_and_sealed(shop, november):
    """Credits add up to what the adapter gains, contributors have pseudonyms, and what cannot be told says so."""
    receipts, _, folder = november
    told = addenda_of(folder)

    assert len(told) == 4
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


def test_a_receipt_has_a_page_and_a_proof(shop, november):
    """The page shows a bar a contributor; the proof leads to the sealed month's root; nobody else sees either."""
    receipts, secret, folder = november
    root = json.loads((folder / "seal.json").read_text())["root"]
    with open_services(shop) as services, listening(services) as url:
        headers = {"Authorization": f"Bearer {secret}"}
        address = f"{url}/v1/receipts/{receipts['labels']}"
        page = httpx.get(address, headers=headers | {"Accept": "text/html"})
        unnamed = httpx.get(f"{url}/v1/receipts/{receipts['vector']}", headers=headers | {"Accept": "text/html"})
        proof = httpx.get(f"{address}/proof", headers=headers).json()
        stranger = httpx.get(f"{address}/proof")

    assert page.headers["content-type"].startswith("text/html")
    assert page.text.count("contributor-") >= 1 or "cannot be told apart from zero" in page.text
    assert "has no probability" in unnamed.text
    assert {proof["proof"]["root"], proof["addendum_proof"]["root"]} == {root}
    assert stranger.status_code == 401


def test_a_receipt_and_a_month_are_verified_by_their_operator(shop, november):
    """Signatures and the way to the root; of an unknown receipt and month a clear error."""
    receipts, _, _ = november
    good = tribute("verify", "receipt", receipts["labels"], "-w", shop.root)
    month = tribute("verify", "usage", "2026-11", "-w", shop.root)
    unknown = tribute("verify", "receipt", "receipt-0", "-w", shop.root)
    unsealed = tribute("verify", "usage", "2026-12", "-w", shop.root)

    assert "it is under the root" in good.out, good.err
    assert "what payers fund follows" in month.out, month.err
    assert (unknown.code, unsealed.code) == (2, 2)
    assert "is unknown" in unknown.err
    assert "no such sealed month" in unsealed.err


def test_a_payer_checks_a_receipt_alone(shop, november, tmp_path):
    """With the receipt, the proof and what is published: the tool says what holds; another root does not."""
    receipts, secret, folder = november
    root = json.loads((folder / "seal.json").read_text())["root"]
    with open_services(shop) as services, listening(services) as url:
        headers, address = {"Authorization": f"Bearer {secret}"}, f"{url}/v1/receipts/{receipts['labels']}"
        (tmp_path / "receipt.json").write_bytes(httpx.get(address, headers=headers).content)
        (tmp_path / "proof.json").write_bytes(httpx.get(f"{address}/proof", headers=headers).content)
        key = services.registry_keys[-1]

    def check(root):
        files = [str(tmp_path / name) for name in ("receipt.json", "proof.json")]
        command = [sys.executable, "-I", TOOL, *files, "--registry", key, "--root", root]
        return subprocess.run(command, capture_output=True, text=True)

    good, bad = check(root), check("0" * 64)

    assert good.returncode == 0, good.stdout + good.stderr
    assert "the proof leads to its root" in good.stdout
    assert "the root is the one you gave" in bad.stderr
    assert bad.returncode == 1


def test_a_receipt_is_replayed(shop, november):
    """The model of the receipt gives the answer again; another answer is found."""
    receipts, _, _ = november
    request, answer, other = (shop.root.parent / name for name in ("request.json", "answer.json", "other.json"))
    changed = json.loads(answer.read_text())
    changed["data"][0]["label"] = next(name for name in changed["labels"] if name != changed["data"][0]["label"])
    other.write_text(json.dumps(changed))

    def replay(file):
        files = ("--request", request, "--answer", file)
        return tribute("verify", "receipt", receipts["at_once"], "--replay", *files, "-w", shop.root)

    good, bad = replay(answer), replay(other)

    assert "gives this answer" in good.out, good.err
    assert bad.code == 2
    assert "answers otherwise" in bad.err
