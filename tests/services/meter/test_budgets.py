"""Theorem: no number of calls at once, in any order, passes a budget by a single unit."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.helpers.market import CREDIT, NEVER, market
from tribute.errors import ServiceError
from tribute.services.accounts import Limits
from tribute.services.meter import Hold, refund, tie_out

CALLS = 64
COST = 190
FIT = 20
"""So many calls fit into the parent's budget, and one unit less than another."""
BUDGET = COST * FIT + COST - 1
PROCESS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from tests.services.helpers.market import market
from tests.services.meter.test_budgets import attempt
url, instance, *ids = sys.argv[1:]
with market(url, instance, new=False) as shop, ThreadPoolExecutor(len(ids)) as pool:
    keys = [shop.keys.find(key) for key in ids]
    print("ready", flush=True)
    sys.stdin.readline()
    print(sum(pool.map(lambda key: attempt(shop, key), keys)), flush=True)
    sys.stdin.readline()
"""


def attempt(shop, key):
    """Whether a call with this key can be held."""
    try:
        return isinstance(shop.ask(key), Hold)
    except ServiceError as error:
        if error.status != 402:
            raise
        return False


def siblings(shop):
    """A parent, and as many sub-keys as there are calls, each with all that the parent has."""
    parent = shop.key(budget=BUDGET)
    limits = Limits(BUDGET, BUDGET, NEVER)
    return parent, [shop.keys.narrow(parent, limits)[1] for _ in range(CALLS)]


def test_threads_do_not_exceed_the_parent(url):
    """64 calls at once through sibling sub-keys hold exactly what fits into their parent."""
    with market(url) as shop:
        parent, keys = siblings(shop)
        with ThreadPoolExecutor(CALLS) as pool:
            taken = sum(pool.map(lambda key: attempt(shop, key), keys))

        assert taken == FIT
        assert shop.keys.remaining(parent) == COST - 1
        assert tie_out(shop.store) == []


def test_processes_do_not_exceed_the_parent(postgres):
    """Nor do four servers with sixteen calls each on one database."""
    url = postgres.url("processes")
    with market(url) as shop:
        parent, keys = siblings(shop)
        servers = []
        for number in range(4):
            ids = [key.id for key in keys[number::4]]
            command = [sys.executable, "-c", PROCESS, url, f"server-{number}", *ids]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            servers.append(subprocess.Popen(command, text=True, **pipes))
        for server in servers:
            assert server.stdout.readline() == "ready\n"
        for server in servers:
            server.stdin.write("go\n")
            server.stdin.flush()
        taken = sum(int(server.stdout.readline()) for server in servers)
        remaining = shop.keys.remaining(parent)
        for server in servers:
            server.communicate("end\n")

        assert (taken, remaining) == (FIT, COST - 1)
        assert tie_out(shop.store) == []


steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 5), st.integers(0, 60)),
        st.tuples(st.sampled_from(["answer", "release"]), st.integers(0, 9), st.integers(0, 60)),
        st.tuples(st.just("refund"), st.integers(0, 9), st.integers(1, 300)),
        st.tuples(st.just("pass"), st.integers(1, 40), st.just(0)),
    ),
    max_size=20,
)


@settings(max_examples=200 if os.environ.get("TRIBUTE_NIGHTLY") else 8)
@given(st.lists(st.integers(0, 2000), min_size=6, max_size=6), st.sampled_from(["total", "day", "month"]), steps)
def test_whatever_is_called_the_store_adds_up(tmp_path_factory, budgets, window, steps):
    """Any sequence of calls in a tree of keys keeps every budget, and money, keys, events and receipts tie out."""
    path = tmp_path_factory.mktemp("store") / "usage.db"
    with market(f"sqlite:///{path}") as shop:
        keys = [shop.key(budget=max(budgets), window=window)]
        for budget in budgets[1:]:
            # Below the key in the middle of the list: a tree with siblings.
            parent = keys[len(keys) // 2]
            limits = Limits(min(budget, shop.keys.remaining(parent)), CREDIT, NEVER, window=window)
            keys.append(shop.keys.narrow(parent, limits)[1])
        holds, settled = [], []
        for what, number, amount in steps:
            try:
                if what == "ask":
                    holds.append(shop.ask(keys[number], most=amount))
                elif what == "pass":
                    shop.clock.pass_(hours=number)
                    shop.meter.release_expired()
                elif what == "refund" and number < len(settled):
                    refund(shop.meter, settled[number].receipt, amount, f"refund-{number}", "")
                elif what == "answer" and number < len(holds):
                    settled.append(
                        shop.answer(holds[number], output=min(amount, holds[number].call.most_output_tokens))
                    )
                elif number < len(holds):
                    shop.meter.release(holds[number])
            except ServiceError as error:
                if error.status not in (402, 409, 422):
                    raise

            assert tie_out(shop.store) == []


@pytest.mark.parametrize("left", [COST - 1, COST])
def test_the_last_unit_can_be_spent(url, left):
    """A budget that fits is used to the end, and one unit less is refused."""
    with market(url) as shop:
        assert attempt(shop, shop.key(budget=left)) == (left == COST)
