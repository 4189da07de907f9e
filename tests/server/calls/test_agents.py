"""Theorem: an agent's calls over HTTP cost its payer what the tree of receipts says, and `tribute trace` shows it."""

import itertools

import httpx
import pytest

from tests.helpers.terminal import tribute

NUMBERS = itertools.count()


@pytest.fixture
def agent(workspace):
    """A registered agent of another payer, which keeps a twentieth: its id."""
    name = f"scout-{next(NUMBERS)}"
    tribute("payer", "add", "maker", "--currency", "EUR", "-w", workspace.root)
    added = tribute(
        "agent", "add", name, "--owner", "maker", "--margin", "0.05", "--model", "tiny", "-w", workspace.root
    )
    assert added.code == 0, added.err
    return name


@pytest.fixture
def asking(address, secret, agent):
    """An HTTP client with a key that the agent holds."""
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {secret('--agent', agent)}"}) as client:
        yield client


def test_the_tree_of_an_agents_call(asking, classifier, agent, workspace):
    """Two questions within one call: root, children and margin tie out, from the headers to the command line."""
    opened = asking.post("/v1/calls", json={"micro": 5000}).json()
    within = {"Tribute-Parent": opened["id"]}
    answers = [
        asking.post("/classify", json={"model": classifier, "input": text}, headers=within)
        for text in ("matrix", "port")
    ]
    ended = asking.post(f"/v1/calls/{opened['id']}/end", json={"answer": "algebra, networks"})

    costs = [int(answer.headers["Tribute-Cost"]) for answer in answers]
    total = int(ended.headers["Tribute-Cost"])
    assert total == sum(costs) + sum(costs) * 50_000 // 10**6
    told = asking.get("/v1/budget").json()
    assert told["budget"] - told["remaining"] == total
    traced = tribute("trace", opened["id"], "-w", workspace.root, "--json").data
    assert (traced["payer"], traced["paid_micro"]) == ("acme", total)
    assert sum(call["kept_micro"] for call in traced["calls"]) == total
    assert [call["served_model"] for call in traced["calls"]] == [f"agent:{agent}", classifier, classifier]
    assert f"agent:{agent} keeps" in tribute("trace", opened["id"], "-w", workspace.root).out


def test_an_agents_small_budget_runs_out(asking, classifier):
    """The call above what is left is 402 with its price, and nothing of it is charged."""
    opened = asking.post("/v1/calls", json={"micro": 120}).json()
    within = {"Tribute-Parent": opened["id"]}
    refused = asking.post("/classify", json={"model": classifier, "input": "matrix " * 20}, headers=within)

    assert refused.status_code == 402
    assert refused.json()["error"]["price"]["micro"] > 114
    assert asking.post(f"/v1/calls/{opened['id']}/end", json={"answer": ""}).headers["Tribute-Cost"] == "0"


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/calls", {"micro": 0}, {}, 400),
        ("/v1/calls", {"micro": "5"}, {}, 400),
        ("/v1/calls", {"micro": 10**12}, {}, 402),
        ("/v1/calls/receipt-0/end", {"answer": "x"}, {}, 404),
        ("/v1/calls/receipt-0/end", {}, {}, 400),
        ("/classify", {"model": "tiny", "input": "matrix"}, {"Tribute-Parent": "receipt-0"}, 404),
        ("/classify", {"model": "WRITER", "input": "matrix"}, {"Tribute-Parent": "../x"}, 400),
    ],
)
def test_bad_agents_calls_are_refused(path, body, headers, status, asking, writer):
    """Each with the field's status."""
    body = {name: writer if value == "WRITER" else value for name, value in body.items()}

    assert asking.post(path, json=body, headers=headers).status_code == status


def test_a_key_without_an_agent_opens_no_agents_call(address, secret):
    """403, with what to do."""
    told = httpx.post(f"{address}/v1/calls", json={"micro": 5}, headers={"Authorization": f"Bearer {secret()}"})

    assert told.status_code == 403
    assert "issue one for an agent" in told.json()["error"]["message"]


def test_an_unknown_receipt_is_not_traced(workspace):
    """One line says so."""
    ended = tribute("trace", f"receipt-{'0' * 24}", "-w", workspace.root)

    assert ended.code == 2
    assert "is unknown" in ended.err


def test_a_key_makes_sub_keys_with_less(address, secret, classifier, agent):
    """The sub-key calls within its own budget, more than the parent has is 403, and the parent ends it."""
    parent = {"Authorization": f"Bearer {secret()}"}

    def post(path, body, headers=parent):
        return httpx.post(f"{address}{path}", json=body, headers=headers)

    made = post("/v1/keys", {"budget": 150, "call_cap": 150, "models": ["tiny"], "agent": agent})
    below = {"Authorization": f"Bearer {made.json()['secret']}"}
    asked = {"model": classifier, "input": "matrix"}

    assert (made.json()["agent"], made.json()["budget"]) == (agent, 150)
    assert post("/classify", asked, below).status_code == 200
    assert post("/classify", asked, below).status_code == 402
    for more in ({"budget": 10**9}, {"expires": "2999-01-01T00:00:00.000000Z"}, {"call_cap": 10**9, "budget": 1}):
        assert post("/v1/keys", more).status_code == 403
    assert post("/v1/keys", {"budget": -1}).status_code == 400
    assert post("/v1/keys", {"expires": "soon", "budget": 1}).status_code in (403, 422)
    assert post(f"/v1/keys/{made.json()['key']}/revoke", {}, below | {}).status_code == 200
    assert post("/classify", asked, below).status_code == 401


def test_a_key_ends_only_keys_below_itself(address, secret, services):
    """Another key of the same payer, and one that is none, do not exist for it."""
    own, other = secret(), secret()
    for name in (services.keys.recognise(other).id, "key-0", "..%2Fkeys"):
        told = httpx.post(f"{address}/v1/keys/{name}/revoke", json={}, headers={"Authorization": f"Bearer {own}"})
        assert told.status_code == 404
    assert services.keys.recognise(other)
