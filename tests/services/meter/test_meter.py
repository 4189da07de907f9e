"""Theorem: a call is charged once or not at all, never beyond what was held, and always with receipt and answer."""

import json
from contextlib import suppress
from hashlib import sha256

import pytest

from tests.services.helpers.market import CREDIT, MODEL, SERVING, Clock, market, signer, training
from tests.services.helpers.postgres import server
from tribute.dsse import Envelope
from tribute.errors import ServiceError
from tribute.keys import public_half
from tribute.services.accounts import Agent, Limits
from tribute.services.meter import Answer, Call, Hold, Settlement, add_addendum, refund, tie_out
from tribute.services.receipts import KINDS, Trace, salted

COST = 100 + 10 + 80
"""Per request, for 5 tokens read, for 10 written."""


@pytest.fixture
def shop(url):
    """A market on each database; whatever the test did has to add up."""
    with market(url) as opened:
        yield opened
        assert tie_out(opened.store) == []


def body(envelope):
    """The fields of a receipt whose signature holds."""
    return json.loads(Envelope.parse(envelope, "receipt").check(KINDS["receipt"], public_half(SERVING), "receipt"))


def refused(status, call, *arguments, **options):
    """The message of the refusal with this status."""
    with pytest.raises(ServiceError) as error:
        call(*arguments, **options)
    assert error.value.status == status
    return str(error.value)


def test_a_call_is_held_settled_and_charged(shop):
    """The hold takes the most, the settlement what was used, and the receipt says so by the serving key's signature."""
    key = shop.key()
    hold = shop.ask(key, most=1000)
    held = shop.accounts.balance("acme").held
    done = shop.answer(hold)
    balance, receipt = shop.accounts.balance("acme"), body(done.envelope)

    assert (hold.micro, held, balance.held, balance.spent, done.micro) == (8110, 8110, 0, COST, COST)
    assert receipt["price"] == {"version": 1, "currency": "EUR", "micro": COST, "total": COST}
    assert receipt["model"]["name"] == MODEL.name
    assert receipt["request_sha256"] == salted(done.salt, b"why?")
    assert receipt["answer_sha256"] == salted(done.salt, b"because")
    assert "acme" not in json.dumps(receipt)
    assert receipt["payer"] == body(shop.call(key).envelope)["payer"]


def test_a_released_hold_costs_nothing(shop):
    """And can be neither settled nor released again."""
    key = shop.key()
    hold = shop.ask(key)
    shop.meter.release(hold)
    shop.meter.release(hold)

    assert shop.keys.remaining(key) == CREDIT
    assert "free" in refused(409, shop.answer, hold)


def test_a_retry_gets_the_answer_without_a_second_charge(shop):
    """The same key and request under the same Idempotency-Key is the same call, for ever."""
    key = shop.key()
    first = shop.call(key, name="n1")
    shop.clock.pass_(days=390)

    assert shop.ask(key, name="n1") == first
    assert first.content == b"because"
    assert shop.accounts.balance("acme").spent == COST


def test_the_same_idempotency_key_with_another_request_is_refused(shop):
    """Other text, another model's name or a sibling key: nothing is answered, nothing charged."""
    key, sibling = shop.key(), shop.key()
    first = shop.call(key, name="n1")

    assert shop.ask(key, name="n1") == first
    assert "choose a new one" in refused(409, shop.ask, key, b"what?", "n1")
    assert "choose a new one" in refused(409, shop.ask, sibling, b"why?", "n1")
    assert shop.accounts.balance("acme").spent == COST


@pytest.mark.parametrize("name", ["", "n" * 256, "n\0", "n\n", "\ud800"])
def test_an_idempotency_key_that_cannot_be_is_refused(shop, name):
    """Empty, too long, or with characters that no header holds."""
    assert "printable" in refused(422, shop.ask, shop.key(), name=name)


def test_a_call_in_flight_is_not_taken_twice(shop):
    """The same Idempotency-Key waits for the first call's end; after a release it is free again."""
    key = shop.key()
    hold = shop.ask(key, name="n1")

    assert "in flight" in refused(409, shop.ask, key, b"why?", "n1")

    shop.meter.release(hold)
    assert isinstance(shop.ask(key, name="n1"), Hold)


def test_settling_again_is_the_same_settlement(shop):
    """When the database went away after the commit, the server settles again; another answer is refused."""
    hold = shop.ask(shop.key())
    first = shop.answer(hold)

    assert shop.answer(hold) == first
    assert "another answer" in refused(409, shop.answer, hold, b"other")
    assert shop.accounts.balance("acme").spent == COST


def test_a_broken_stream_costs_what_was_sent(shop):
    """As much as the same tokens at once; the receipt says that it broke, and a retry gets what was sent."""
    key = shop.key()
    broken = shop.answer(shop.ask(key, name="n1"), b"beca", output=3, complete=False)
    whole = shop.answer(shop.ask(key), b"beca", output=3)

    assert broken.micro == whole.micro == 100 + 10 + 24
    assert body(broken.envelope)["complete"] is False
    assert shop.ask(key, name="n1") == broken


def test_an_answer_beyond_the_hold_is_refused(shop):
    """A server that writes more than it held for has to hold more."""
    hold = shop.ask(shop.key(), most=10)

    assert "190 were held" in refused(422, shop.answer, hold, output=11)

    shop.meter.release(hold)


def test_a_parent_revoked_in_mid_stream_is_settled_and_then_refuses(shop):
    """What was being answered is charged; the next call is not begun."""
    parent = shop.key()
    _, child = shop.keys.narrow(parent, Limits(1000, 1000, parent.limits.expires))
    hold = shop.ask(child)
    shop.keys.revoke(parent.id)

    assert shop.answer(hold).micro == COST
    assert "was revoked" in refused(401, shop.ask, child)


@pytest.mark.parametrize(
    ("limits", "status", "fault"),
    [
        ({"budget": COST - 1}, 402, "more than the cap or the rest"),
        ({"call_cap": COST - 1}, 402, "more than the cap or the rest"),
        ({"models": ("tldr",)}, 403, "may not call docs@"),
        ({"expires": "2026-11-29T12:00:00.000000Z"}, 401, "ended at"),
    ],
)
def test_a_key_that_does_not_suffice_is_refused(shop, limits, status, fault):
    """With the status of its reason, and nothing held."""
    assert fault in refused(status, shop.ask, shop.key(**limits))
    assert shop.accounts.balance("acme").held == 0


def test_a_payer_without_money_is_refused(shop):
    """Budgets of keys do not make money."""
    shop.accounts.top_up("acme", "chargeback-1", COST - CREDIT - 1)

    assert "top up" in refused(402, shop.ask, shop.key())


def test_a_model_without_a_price_is_not_for_sale(shop):
    """An unknown model costs an error, never 0; one whose price is 0 may be called."""
    key = shop.key()
    unknown = MODEL.__class__("../docs", "a" * 64, "b" * 64, "pass")
    free = MODEL.__class__("free@1", "a" * 64, "b" * 64, "pass")

    assert "has no price" in refused(404, shop.meter.hold, key, Call(unknown, b"", 1, 1))
    assert shop.meter.settle(shop.meter.hold(key, Call(free, b"", 1, 1)), Answer(b"", 1, 1)).micro == 0


def test_test_keys_are_metered_and_take_no_money(shop):
    """Their budgets hold, their receipts say test."""
    key = shop.key(budget=COST, test=True)
    done = shop.call(key)

    assert body(done.envelope)["test"] is True
    assert shop.accounts.balance("acme").spent == 0
    assert "more than" in refused(402, shop.ask, key)


def test_a_budget_of_a_day_begins_anew(shop):
    """What a day's budget refuses today it allows tomorrow, and a clock set back opens no window again."""
    key = shop.key(budget=COST, window="day")
    shop.call(key)
    refused(402, shop.ask, key)
    shop.clock.pass_(days=1)
    shop.call(key)
    shop.clock.pass_(days=-1)

    refused(402, shop.ask, key)


def test_receipts_are_chained(shop):
    """Each names the digest of the one before, across restarts."""
    key = shop.key()
    payloads = [Envelope.parse(shop.call(key).envelope, "").payload for _ in range(3)]
    bodies = [json.loads(payload) for payload in payloads]

    assert [receipt["number"] for receipt in bodies] == [1, 2, 3]
    assert [receipt["previous"] for receipt in bodies[1:]] == [sha256(payload).hexdigest() for payload in payloads[:2]]


def test_agent_and_trace_stand_in_the_receipt(shop):
    """Payer and agent are two fields, and the W3C trace is the caller's."""
    shop.accounts.add_agent(Agent("scout", "acme"))
    _, key = shop.keys.narrow(shop.key(), Limits(1000, 1000, "2027-01-01T00:00:00.000000Z"), agent="scout")
    call = Call(MODEL, b"why?", 5, 10, trace=Trace("1" * 32, "2" * 16))
    receipt = body(shop.meter.settle(shop.meter.hold(key, call), Answer(b"so", 5, 1)).envelope)

    assert receipt["agent"] == "scout"
    assert receipt["trace"] == {"trace": "1" * 32, "span": "2" * 16}
    assert (receipt["parent"], receipt["children"]) == (None, [])


def test_a_refund_names_what_it_corrects(shop):
    """The money returns once, at most what was charged; the text is forgotten, the budget is not reopened."""
    key = shop.key()
    done = shop.call(key, name="n1")
    correction = refund(shop.meter, done.receipt, 90, "refund-1", "wrong answer")

    assert refund(shop.meter, done.receipt, 90, "refund-1", "wrong answer") == correction
    assert body(correction)["corrects"] == done.receipt
    assert body(correction)["price"]["micro"] == -90
    assert "another one" in refused(409, refund, shop.meter, done.receipt, 80, "refund-1", "wrong answer")
    assert "100 are left" in refused(422, refund, shop.meter, done.receipt, 101, "refund-2", "more")
    assert "expected 1 to 40" in refused(422, refund, shop.meter, done.receipt, 1, "../x", "none")
    assert "is unknown" in refused(404, refund, shop.meter, "receipt-0", 1, "refund-3", "none")
    assert shop.accounts.balance("acme").spent == COST - 90
    assert shop.keys.remaining(key) == CREDIT - COST
    assert "forgotten" in refused(410, shop.ask, key, b"why?", "n1")


def test_an_addendum_completes_a_receipt_once(shop):
    """The same figures give the same addendum, others are refused."""
    done, shares = shop.call(shop.key()), training({"ada": 7, "bob": -2})
    addendum = add_addendum(shop.meter, done.receipt, shares)

    assert add_addendum(shop.meter, done.receipt, shares) == addendum
    assert json.loads(Envelope.parse(addendum, "").payload)["training"] == shares.field
    assert "other figures" in refused(409, add_addendum, shop.meter, done.receipt, training())


def test_texts_are_forgotten_when_explained_and_a_day_old(shop):
    """Not before either; a forgotten call stays charged and is not charged again."""
    key = shop.key()
    first, second = shop.call(key, name="n1"), shop.call(key, name="n2")
    add_addendum(shop.meter, first.receipt, training())

    assert shop.meter.texts.forget_due() == 0
    assert shop.meter.texts.open(first.receipt).request == b"why?"

    shop.clock.pass_(hours=24)
    assert shop.meter.texts.forget_due() == 1
    assert "forgotten" in refused(410, shop.ask, key, b"why?", "n1")
    assert shop.ask(key, name="n2") == second
    assert shop.meter.texts.forget_month("2026-11") == 1


def test_the_database_holds_no_text(tmp_path):
    """Neither request, answer, salt nor secret of a key is in the files."""
    with market(f"sqlite:///{tmp_path}/usage.db") as shop:
        secret, key = shop.keys.issue("acme", Limits(CREDIT, CREDIT, "2027-01-01T00:00:00.000000Z"))
        done = shop.call(key, text=b"a secret question")
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert isinstance(done, Settlement)
    for text in (b"a secret question", b"because", done.salt, secret.encode(), secret[11:].encode()):
        assert text not in files


def test_a_restart_releases_what_was_held(url):
    """A call of an earlier life of the server is free, and its Idempotency-Key may be used again."""
    with market(url) as shop:
        key = shop.key()
        hold = shop.ask(key, name="n1")
    with market(url, new=False) as shop:
        assert shop.keys.remaining(key) == CREDIT
        assert "free" in refused(409, shop.answer, hold)
        assert shop.call(key, name="n1").micro == COST
        assert tie_out(shop.store) == []


def test_a_hold_ends_if_its_server_never_returns(url):
    """After an hour another start releases it."""
    with market(url) as shop:
        key = shop.key()
        shop.ask(key)
        shop.clock.pass_(minutes=61)

        assert shop.meter.release_expired() == 1
        assert shop.keys.remaining(key) == CREDIT


def test_a_replaced_server_cannot_settle(postgres):
    """A server that lost its lock and was replaced is told to stop; nothing of its call is charged."""
    url = postgres.url("replaced")
    with market(url) as old:
        hold = old.ask(old.key())
        lock, old.store._lock = old.store._lock, None
        lock.detach()
        lock.close()
        with market(url, new=False) as new:
            late = old.ask(old.key())

            assert "free" in refused(409, old.answer, hold)
            assert "must stop" in refused(503, old.answer, late)
            assert new.accounts.balance("acme").spent == 0
            assert new.call(new.key()).micro == COST


def test_an_ended_serving_key_signs_nothing(url):
    """The call is then not charged either."""
    with market(url) as shop:
        shop.meter.chain.signer = signer("server", until="2026-11-29T12:00:00.000000Z")
        hold = shop.ask(shop.key())

        assert "cannot sign" in refused(503, shop.answer, hold)
        assert shop.accounts.balance("acme").spent == 0
        assert tie_out(shop.store) == []


def test_a_database_gone_between_hold_and_settlement_loses_nothing():
    """The settlement is 503; settled again after the database's return, the call is charged once."""
    with server() as postgres, market(postgres.url("gone")) as shop:
        held = shop.ask(shop.key())
        # A hold is not synced by itself, and what is synced after it keeps it.
        shop.key()
        postgres.stop()
        refused(503, shop.answer, held)
        postgres.start()

        first, again = shop.answer(held), shop.answer(held)

        assert (first.receipt, first.micro) == (again.receipt, again.micro)
        assert shop.accounts.balance("acme").spent == first.micro
        assert tie_out(shop.store) == []


def test_a_hold_that_a_crash_takes_back_is_of_a_free_call():
    """Where the database lost the hold, the call is not charged; where it kept it, it is charged once."""
    with server() as postgres, market(postgres.url("lost")) as shop:
        held = shop.ask(shop.key())
        postgres.stop()
        postgres.start()

        charged = 0
        with suppress(ServiceError):
            charged = shop.answer(held).micro

        assert shop.accounts.balance("acme").spent == charged
        assert tie_out(shop.store) == []


def test_a_clock_that_runs_backwards_reorders_nothing(url):
    """Set back by a month in mid-call, the receipt is not before the one that it follows, nor in a month before."""
    clock = Clock()
    with market(url, clock=clock) as shop:
        first = body(shop.call(shop.key()).envelope)
        held = shop.ask(shop.key())
        clock.pass_(days=-31)
        second = body(shop.answer(held).envelope)

        assert second["time"] >= first["time"]
        assert second["month"] == first["month"]
        assert second["previous"]
