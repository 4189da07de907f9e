"""Theorem: the key can sign in another process, the same bytes, and a process that is gone charges nothing."""

import os
import signal

import pytest

from tests.services.helpers.market import KEYS, REGISTRY, SECRET, market
from tribute.errors import ServiceError
from tribute.keys import make_key, public_half
from tribute.services.meter import Meter, Texts, tie_out
from tribute.services.receipts import Certificate, Signer, SigningProcess, certify

TIME = "2026-11-29T00:00:00.000000Z"


@pytest.fixture
def key(tmp_path):
    """A serving key's file and its certificate."""
    private = make_key(tmp_path / "serving")
    ends = ("2026-01-01T00:00:00.000000Z", "2027-01-01T00:00:00.000000Z")
    return tmp_path / "serving", private, certify(Certificate(public_half(private), "server", *ends), REGISTRY)


def test_a_process_signs_as_the_key_does(key):
    """The same signature, and the same refusals."""
    path, private, certificate = key
    here = Signer(private, certificate, KEYS)
    with SigningProcess(path, certificate, KEYS) as there:
        assert there.id == here.id
        assert there.sign("receipt", b"{}", TIME) == here.sign("receipt", b"{}", TIME)
        with pytest.raises(ServiceError, match="expected one of receipt, addendum"):
            there.sign("price-list", b"{}", TIME)
        with pytest.raises(ServiceError, match="cannot sign"):
            there.sign("receipt", b"{}", "2027-01-01T00:00:00.000000Z")


def test_a_key_that_does_not_fit_starts_no_process(key, tmp_path):
    """The reason is said at the start, not at the first call."""
    _, _, certificate = key
    make_key(tmp_path / "other")
    for name, fault in (("other", "another serving key"), ("none", "cannot be read")):
        with pytest.raises(ServiceError, match=fault):
            SigningProcess(tmp_path / name, certificate, KEYS)


def test_without_its_process_a_server_charges_nothing(key, tmp_path):
    """A call whose receipt cannot be signed is free, and the store adds up."""
    path, _, certificate = key
    with SigningProcess(path, certificate, KEYS) as signer, market(f"sqlite:///{tmp_path}/usage.db") as shop:
        shop.meter = Meter(shop.store, shop.meter.prices, Texts(shop.store, SECRET), signer)
        assert shop.call(shop.key()).micro == 190
        hold = shop.ask(shop.key())
        os.kill(signer._process.pid, signal.SIGKILL)
        with pytest.raises(ServiceError, match="has ended") as refused:
            shop.answer(hold)

        assert refused.value.status == 503
        assert shop.accounts.balance("acme").spent == 190
        assert tie_out(shop.store) == []
