"""Theorem: in any tree of calls, what the nodes keep adds up to what the root's payer paid, to the unit."""

import itertools
import json
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.services.helpers.market import CREDIT, MODEL, NEVER, Clock, market
from tribute.dsse import Envelope
from tribute.errors import ServiceError
from tribute.services.accounts import Agent, Limits
from tribute.services.meter import Call, Hold, Opening, end_call, open_call, refund, tie_out
from tribute.services.store import tables

COST = 100 + 10 + 80
"""Per request, for 5 tokens read, for 10 written."""
names = itertools.count()


@pytest.fixture
def shop(url):
    """A market with the agents of another payer: one keeps a tenth, the other nothing; all has to add up."""
    with market(url) as opened:
        opened.accounts.add_payer("maker", "EUR")
        opened.accounts.add_agent(Agent("scout", "maker", ("docs",), 100_000))
        opened.accounts.add_agent(Agent("helper", "maker", None, 0))
        yield opened
        assert tie_out(opened.store) == []


def agents_key(shop, agent="scout", budget=CREDIT):
    """A key of the payer that an agent holds."""
    return shop.keys.issue("acme", Limits(budget, budget, NEVER), agent=agent)[1]


def begin(shop, key, micro, parent=None):
    """An opened call of the key's agent."""
    opened = open_call(shop.meter, key, Opening(micro, b"open %d" % micro, parent=parent))
    assert isinstance(opened, Hold)
    return opened


def within(shop, key, parent, output=10, answer=True):
    """A call of the model within an agent's call."""
    held = shop.meter.hold(key, Call(MODEL, b"why?", 5, 10, parent=parent))
    return shop.answer(held, output=output) if answer else held


def receipt(settlement):
    """What a settlement's receipt says."""
    return json.loads(Envelope.parse(settlement.envelope, "receipt").payload)


def status(call, *arguments, **options):
    """The status of a refusal."""
    with pytest.raises(ServiceError) as error:
        call(*arguments, **options)
    return error.value.status


def test_a_tree_costs_its_calls_and_the_margin(shop):
    """Two calls and a tenth on them; the root's receipt names its children, and each of them the root."""
    key = agents_key(shop)
    root = begin(shop, key, 1000)
    children = [within(shop, key, root.receipt) for _ in range(2)]
    ended = end_call(shop.meter, key, root.receipt, b"the answer")

    price = receipt(ended)["price"]
    assert (price["micro"], price["total"], ended.micro) == (38, 418, 418)
    payloads = [Envelope.parse(child.envelope, "").payload for child in children]
    assert receipt(ended)["children"] == [sha256(payload).hexdigest() for payload in payloads]
    assert {receipt(child)["parent"] for child in children} == {root.receipt}
    assert shop.accounts.balance("acme").spent == 418
    assert shop.accounts.balance("acme").held == 0


def test_a_call_above_what_is_left_is_refused(shop):
    """Room is what is left when the margin is kept aside; the refused call holds nothing."""
    key = agents_key(shop)
    root = begin(shop, key, 2 * COST + 2 * COST // 10 - 1)
    within(shop, key, root.receipt)

    assert status(within, shop, key, root.receipt) == 402
    assert end_call(shop.meter, key, root.receipt, b"").micro == COST + COST // 10
    assert status(within, shop, key, root.receipt) == 404


def test_only_the_key_that_opened_a_call_and_those_below_it_work_in_it(shop):
    """Another key of the same payer is refused; a sub-key spends of its own budget, too."""
    key, other = agents_key(shop), agents_key(shop)
    _, below = shop.keys.narrow(key, Limits(COST, COST, NEVER, ("docs",)))
    root = begin(shop, key, 1000)

    assert status(within, shop, other, root.receipt) == 403
    assert status(end_call, shop.meter, other, root.receipt, b"") == 404
    within(shop, below, root.receipt)
    assert shop.keys.remaining(below) == 0
    assert status(within, shop, below, root.receipt) == 402


def test_a_call_ends_when_the_calls_within_it_did(shop):
    """A call in flight keeps its parent open; ended again with the same answer it is the same, with another refused."""
    key = agents_key(shop)
    root = begin(shop, key, 1000)
    held = within(shop, key, root.receipt, answer=False)
    assert status(end_call, shop.meter, key, root.receipt, b"so") == 409

    shop.meter.release(held)
    first = end_call(shop.meter, key, root.receipt, b"so")
    assert end_call(shop.meter, key, root.receipt, b"so") == first
    assert first.micro == 0
    assert status(end_call, shop.meter, key, root.receipt, b"no") == 409


def test_an_agents_call_that_nobody_ends_keeps_nothing(url):
    """After its hour the rest of its hold is released; what was answered within it stays charged."""
    clock = Clock()
    with market(url, clock=clock) as shop:
        shop.accounts.add_agent(Agent("scout", "acme", None, 100_000))
        key = agents_key(shop)
        root = begin(shop, key, 1000)
        within(shop, key, root.receipt)
        left = within(shop, key, root.receipt, answer=False)
        clock.pass_(hours=2)

        assert shop.meter.release_expired() == 2
        balance = shop.accounts.balance("acme")
        assert (balance.spent, balance.held) == (COST, 0)
        assert status(shop.answer, left) == 409
        assert status(end_call, shop.meter, key, root.receipt, b"") == 404
        assert tie_out(shop.store) == []


def test_a_revoked_key_stops_the_calls_within(shop):
    """What was held is settled, the next call within is refused, and the call still ends."""
    key = agents_key(shop)
    root = begin(shop, key, 1000)
    held = within(shop, key, root.receipt, answer=False)
    shop.keys.revoke(key.id)

    shop.answer(held)
    assert status(within, shop, key, root.receipt) == 401
    assert end_call(shop.meter, key, root.receipt, b"").micro == COST + COST // 10


def test_an_agents_keys_call_its_models_only(shop):
    """A key without models gets the agent's; other models are refused at once, and so is a key that is no agent's."""
    assert agents_key(shop).limits.models == ("docs",)
    limits = Limits(1, 1, NEVER, ("free",))
    assert status(shop.keys.issue, "acme", limits, agent="scout") == 403
    assert status(open_call, shop.meter, shop.key(), Opening(100, b"")) == 403
    assert status(open_call, shop.meter, agents_key(shop), Opening(0, b"")) == 422
    assert status(shop.accounts.add_agent, Agent("greedy", "maker", None, 1_000_001)) == 422


def test_who_owns_the_agent_is_affiliated(shop):
    """An agent's owner who calls through it is charged and funds nothing; another payer funds."""
    shop.accounts.top_up("maker", "entry-2", CREDIT)
    own = shop.keys.issue("maker", Limits(CREDIT, CREDIT, NEVER), agent="scout")[1]
    for key in (own, agents_key(shop)):
        shop.call(key)

    with shop.store.reading() as connection:
        rows = connection.execute(select(tables.event.c.subject, tables.event.c.affiliated)).all()
    assert {(row.subject, bool(row.affiliated)) for row in rows} == {("maker", True), ("acme", False)}


def test_a_call_within_is_refunded_by_itself(shop):
    """The refund returns to the payer what that call kept."""
    key = agents_key(shop)
    root = begin(shop, key, 1000)
    child = within(shop, key, root.receipt)
    end_call(shop.meter, key, root.receipt, b"")
    refund(shop.meter, child.receipt, COST, "refund-1", "wrong")

    assert shop.accounts.balance("acme").spent == COST // 10


TREES = st.recursive(
    st.integers(0, 10),
    lambda inner: st.tuples(st.sampled_from(["scout", "helper"]), st.lists(inner, max_size=4)),
    max_leaves=8,
)
"""A number is a model's call that wrote so many tokens; a pair is an agent's call and the calls within it."""


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_what_the_nodes_keep_is_what_the_root_cost(tree, tmp_path):
    """For drawn trees of agents, margins and answers: the sum of the receipts' parts is the payer's bill."""
    with market(f"sqlite:///{tmp_path}/{next(names)}.db") as shop:
        shop.accounts.add_payer("maker", "EUR")
        for agent, margin in (("scout", 333_333), ("helper", 0)):
            shop.accounts.add_agent(Agent(agent, "maker", None, margin))
        root = play_root(shop, tree)
        spent = shop.accounts.balance("acme").spent
        with shop.store.reading() as connection:
            kept = connection.execute(select(tables.event.c.micro)).scalars().all()

        assert sum(kept) == spent == root
        assert shop.accounts.balance("acme").held == 0
        assert tie_out(shop.store) == []


def play_root(shop, tree):
    """Play a tree from its root: what it cost."""
    agent = "scout" if isinstance(tree, int) else tree[0]
    key = agents_key(shop, agent)
    return (
        shop.answer(shop.ask(key), output=tree).micro if isinstance(tree, int) else play(shop, key, tree, CREDIT // 2)
    )


def play(shop, key, tree, micro, parent=None):
    """Play an agent's call with its key, the agents within by sub-keys: what it cost."""
    agent, inner = tree
    opened, cost = begin(shop, key, micro, parent), 0
    for node in inner:
        if isinstance(node, int):
            cost += within(shop, key, opened.receipt, output=node).micro
        else:
            limits = Limits(micro // 4, micro // 4, NEVER)
            below = shop.keys.narrow(key, limits, agent=node[0])[1]
            cost += play(shop, below, node, micro // 8, opened.receipt)
    ended = end_call(shop.meter, key, opened.receipt, b"done")
    assert receipt(ended)["price"]["micro"] == ended.micro - cost
    assert ended.micro == cost + cost * shop.accounts.agent(agent).margin // 10**6
    return ended.micro
