"""The demo's customers at a real server: what they ask is paid once, and the agent stops where its budget ends."""

import itertools
from dataclasses import replace

import httpx
import pytest

from tests.helpers.terminal import tribute
from tribute.errors import ServiceError
from tribute.simulation.customers import CUSTOMERS, visit

NUMBERS = itertools.count()


@pytest.fixture
def connect(address, secret):
    """A plain HTTP client with a key of its own."""

    def client(*options, budget="1.00"):
        key = secret(*options, budget=budget)
        return httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, trust_env=False)

    return client


@pytest.fixture
def month():
    """What names the calls of one test."""
    return f"month-{next(NUMBERS)}"


def spent(client):
    """What the client's key has spent."""
    told = client.get("/v1/budget").json()
    return told["budget"] - told["remaining"]


def test_a_customer_pays_once(connect, month):
    """Who comes again, because the demo was interrupted, gets the same answers and pays nothing more."""
    customer = replace(CUSTOMERS[0], model="tiny")
    with connect() as client:
        first, paid = visit(client, customer, month), spent(client)
        again = visit(client, customer, month)

        assert len(first.labels) == len(customer.questions) == 12
        assert first.micro == paid > 0
        assert not first.refusal
        assert (again.labels, again.micro, spent(client)) == (first.labels, first.micro, paid)


def test_an_agent_stops_where_its_budget_ends(connect, month, workspace):
    """It pays what it asked with its margin, at most its budget, and says which 402 stopped it."""
    tribute("payer", "add", "maker", "--currency", "EUR", "-w", workspace.root)
    added = tribute("agent", "add", month, "--owner", "maker", "--margin", "0.05", "-w", workspace.root)
    customer = replace(CUSTOMERS[2], model="tiny", agent=month, budget="0.0012")
    with connect("--agent", month, budget=customer.budget) as client:
        done = visit(client, customer, month)
        again = visit(client, customer, month)

        assert added.code == 0, added.err
        assert 0 < len(done.labels) < len(customer.questions)
        assert "402: this call may cost" in done.refusal
        assert done.micro == again.micro == spent(client) <= customer.micro
        assert done.customer.name == f"{month}, for acme"


def test_a_customer_of_an_unknown_model_is_told_so(connect, month):
    """Another refusal than of money is an error with what the server says."""
    with connect() as client, pytest.raises(ServiceError, match="404") as raised:
        visit(client, replace(CUSTOMERS[0], model="nothing"), month)

    assert raised.value.status == 404
