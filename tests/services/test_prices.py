"""Theorem: a price is what the registry's key signed, in integers, and a published list never changes."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.services.helpers.market import KEYS, PRICES, REGISTRY, market
from tribute.errors import IntegrityError, ServiceError
from tribute.services.prices import Price, PriceList, Prices, read_prices, sign_prices

counts = st.integers(0, 10**6)


def test_a_signed_list_is_read_back():
    """By the registry's key alone."""
    content = sign_prices(PRICES, REGISTRY)

    assert read_prices(content, KEYS) == PRICES
    with pytest.raises(IntegrityError, match="price list: signed by a key that is none"):
        read_prices(sign_prices(PRICES, Ed25519PrivateKey.generate()), KEYS)


def test_every_byte_of_a_list_counts():
    """A changed byte is found, wherever it is."""
    content = sign_prices(PRICES, REGISTRY)
    for place in range(0, len(content), 7):
        with pytest.raises(IntegrityError):
            read_prices(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :], KEYS)


def test_versions_follow_on_each_other(url):
    """A version twice or out of order is refused; old ones stay readable, and calls in flight keep theirs."""
    with market(url) as shop:
        prices = Prices(shop.store, KEYS)
        hold = shop.ask(shop.key())
        dear = PRICES.model_copy(update={"version": 2, "models": {"docs": Price(request=500)}})
        for version in (1, 3):
            with pytest.raises(ServiceError, match="expected 2"):
                prices.publish(sign_prices(dear.model_copy(update={"version": version}), REGISTRY))
        prices.publish(sign_prices(dear, REGISTRY))

        assert prices.current() == dear
        assert prices.version(1) == PRICES
        assert (shop.answer(hold).micro, shop.call(shop.key()).micro) == (190, 500)


@pytest.mark.parametrize(
    "faulty",
    [
        {"request": 1.5},
        {"request": "1"},
        {"request": True},
        {"input": -1},
        {"output": 10**16},
        {"outptu": 1},
    ],
)
def test_a_price_is_a_plain_integer(faulty):
    """Floats, texts, negative amounts and misspelt names are refused, not read as 0."""
    with pytest.raises(ValidationError):
        PriceList.model_validate_json(json.dumps({"version": 1, "currency": "EUR", "models": {"docs": faulty}}))


@given(counts, counts, counts, counts)
def test_costs_never_fall_as_tokens_rise(less_in, more_in, less_out, more_out):
    """So a hold for the most tokens covers every answer with fewer; parts of a unit count as a whole."""
    fewer = PRICES.cost("docs@1", min(less_in, more_in), min(less_out, more_out))
    more = PRICES.cost("docs@1", max(less_in, more_in), max(less_out, more_out))

    assert 100 <= fewer <= more
    assert more == 100 + -(-(2000 * max(less_in, more_in) + 8000 * max(less_out, more_out)) // 1000)


def test_what_cannot_be_counted_is_refused():
    """Tokens below zero, and more than any amount may be."""
    for tokens in ((-1, 0), (0, -1), (10**18, 0)):
        with pytest.raises(ServiceError) as error:
            PRICES.cost("docs", *tokens)
        assert error.value.status == 422
