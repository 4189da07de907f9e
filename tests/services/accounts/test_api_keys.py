"""Theorem: a sub-key can do no more than its parent, and a key is known by its secret alone."""

from dataclasses import replace

import pytest

from tests.services.helpers.market import CREDIT, NEVER, market
from tribute.errors import RewardError, ServiceError
from tribute.services.accounts import Agent, Limits
from tribute.services.meter import tie_out

PARENT = Limits(1000, 500, "2027-01-01T00:00:00.000000Z", ("docs", "tldr@1"))


@pytest.fixture
def shop(url):
    """A market on each database."""
    with market(url) as opened:
        yield opened
        assert tie_out(opened.store) == []


def status(call, *arguments, **options):
    """The status of a refusal."""
    with pytest.raises(ServiceError) as error:
        call(*arguments, **options)
    return error.value.status


def test_a_secret_is_recognised(shop):
    """It leads to its key with all limits, and the store cannot tell it."""
    secret, key = shop.keys.issue("acme", PARENT)

    assert secret.startswith("tribute_sk_")
    assert shop.keys.recognise(secret) == shop.keys.find(key.id) == key


@pytest.mark.parametrize("secret", ["", "tribute_sk_", "tribute_sk_" + "a" * 43, "sk-1", "\0", "\ud800", "x" * 10**6])
def test_an_unknown_secret_is_refused(shop, secret):
    """Whatever it is; the message does not repeat it."""
    with pytest.raises(ServiceError, match="unknown API key") as error:
        shop.keys.recognise(secret)

    assert error.value.status == 401
    assert len(str(error.value)) < 120


@pytest.mark.parametrize(
    "more",
    [
        {"budget": 1001},
        {"call_cap": 501},
        {"expires": NEVER},
        {"models": None},
        {"models": ("docs", "chat")},
        {"models": ("tldr",)},
    ],
)
def test_a_sub_key_that_asks_for_more_is_refused(shop, more):
    """Of each limit it may have as much as its parent, and not more."""
    _, parent = shop.keys.issue("acme", PARENT)

    assert status(shop.keys.narrow, parent, replace(PARENT, **more)) == 403
    assert shop.keys.narrow(parent, replace(PARENT, models=("docs@2", "tldr@1")))[1].path[0] == parent.id


def test_a_sub_key_gets_no_more_than_is_left(shop):
    """What the parent spent is gone, and an empty parent makes no rich children."""
    _, parent = shop.keys.issue("acme", PARENT)
    shop.call(parent)

    assert status(shop.keys.narrow, parent, PARENT) == 403
    assert shop.keys.narrow(parent, replace(PARENT, budget=810))[1].limits.budget == 810


def test_revoking_a_key_revokes_all_below(shop):
    """From the moment on, at any depth; a sibling is not concerned."""
    _, root = shop.keys.issue("acme", PARENT)
    middle, sibling = (shop.keys.narrow(root, PARENT) for _ in range(2))
    secret, leaf = shop.keys.narrow(middle[1], PARENT)
    shop.keys.revoke(middle[1].id)

    assert status(shop.keys.recognise, secret) == 401
    assert status(shop.keys.narrow, leaf, PARENT) == 401
    assert status(shop.ask, leaf) == 401
    assert shop.keys.recognise(sibling[0]) == sibling[1]


def test_an_ended_key_is_refused(shop):
    """At the very moment that it names, and its sub-keys with it."""
    secret, key = shop.keys.issue("acme", PARENT)
    child = shop.keys.narrow(key, PARENT)[0]
    shop.clock.pass_(days=40)

    assert [status(shop.keys.recognise, text) for text in (secret, child)] == [401, 401]


def test_a_test_key_has_test_keys_below(shop):
    """Nothing below it turns into money."""
    key = shop.key(test=True)
    secret, child = shop.keys.narrow(key, Limits(100, 100, NEVER))

    assert secret.startswith("tribute_tk_")
    assert child.test


@pytest.mark.parametrize(
    "limits",
    [
        Limits(-1, 1, NEVER),
        Limits(1, 10**15 + 1, NEVER),
        Limits(1.5, 1, NEVER),
        Limits(1, 1, "tomorrow"),
        Limits(1, 1, "2027-01-01"),
        Limits(1, 1, NEVER, window="hour"),
    ],
)
def test_limits_that_cannot_be_are_refused(shop, limits):
    """Floats, negative and huge amounts, days without a time, unknown windows."""
    assert status(shop.keys.issue, "acme", limits) == 422


def test_unknown_payers_agents_and_keys_are_refused(shop):
    """Nothing is issued to nobody."""
    assert status(shop.keys.issue, "nobody", PARENT) == 404
    assert status(shop.keys.issue, "acme", PARENT, agent="nobody") == 404
    assert status(shop.keys.issue, "acme", PARENT, agent="acme") == 404
    assert status(shop.keys.revoke, "key-0") == 404
    assert status(shop.accounts.add_agent, Agent("scout", "nobody")) == 404
    assert status(shop.accounts.add_payer, "acme", "EUR") == 409
    assert status(shop.accounts.add_payer, "../acme", "EUR") == 422
    with pytest.raises(RewardError, match="currency 'EURO' is unknown"):
        shop.accounts.add_payer("other", "EURO")


def test_a_ledger_entry_tops_up_once(shop):
    """Told again it changes nothing; with another amount or payer it is refused."""
    shop.accounts.top_up("acme", "entry-1", CREDIT)

    assert shop.accounts.balance("acme").credit == CREDIT
    assert status(shop.accounts.top_up, "acme", "entry-1", 1) == 409
    assert status(shop.accounts.top_up, "nobody", "entry-2", 1) == 404
    assert status(shop.accounts.top_up, "acme", "entry-2", 0) == 422
    assert status(shop.accounts.top_up, "acme", "entry-2", 10**16) == 422
