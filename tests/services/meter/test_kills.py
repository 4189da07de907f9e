"""Theorem: a server killed at any moment has charged each call once, with its complete answer stored, or not at all."""

import os
import random
import signal
import time
from multiprocessing import get_context

from tests.services.helpers.market import market
from tribute.services.meter import Hold, tie_out

KILLS = 1000 if os.environ.get("TRIBUTE_NIGHTLY") else 20
NAMES = 3 * KILLS // 2
"""So many that lives settle new calls to the end, and repeat earlier ones."""
COST = 190


def answer_to(name):
    """The one answer to a call of this name."""
    return f"the answer to {name}".encode() * 50


def serve(url, key_id, seed, told):
    """A server's life: it answers calls in random order and says what it answered, until it is killed."""
    order = random.Random(seed)
    with market(url, new=False) as shop:
        key = shop.keys.find(key_id)
        told.send("ready")
        while True:
            name = f"n{order.randrange(NAMES)}"
            call = shop.ask(key, name.encode(), name)
            done = shop.answer(call, answer_to(name)) if isinstance(call, Hold) else call
            told.send((name, done.receipt, done.content))


def live(url, key_id, seed):
    """What a server answered before it was killed, at a random moment within or after some of its calls."""
    told, telling = get_context("fork").Pipe(duplex=False)
    server = get_context("fork").Process(target=serve, args=(url, key_id, seed, telling))
    server.start()
    telling.close()
    assert told.recv() == "ready"
    moment = random.Random(seed)
    answered = [told.recv() for _ in range(moment.randrange(4))]
    time.sleep(moment.uniform(0, 0.01))
    os.kill(server.pid, signal.SIGKILL)
    server.join()
    while True:
        try:
            answered.append(told.recv())
        except (EOFError, OSError):
            return answered


def test_a_killed_server_charges_each_call_at_most_once(tmp_path):
    """Over all lives a name has one receipt and one answer; what was held is free after the next start."""
    url = f"sqlite:///{tmp_path}/usage.db"
    with market(url) as shop:
        key = shop.key()
    receipts = {}
    for seed in range(KILLS):
        for name, receipt, content in live(url, key.id, seed):
            assert receipts.setdefault(name, receipt) == receipt
            assert content == answer_to(name)

    with market(url, new=False) as shop:
        assert tie_out(shop.store) == []
        charged = shop.accounts.balance("acme")
        again = {name: shop.ask(key, name.encode(), name) for name in receipts}

    assert receipts
    assert charged.held == 0
    assert charged.spent % COST == 0
    assert len(receipts) <= charged.spent // COST <= NAMES
    assert {name: done.receipt for name, done in again.items()} == receipts
