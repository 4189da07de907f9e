"""Theorem: a serving key signs receipts, where and when the registry's key says so, and nothing else."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.services.helpers.market import KEYS, PRICES, REGISTRY, SERVING, market, signer
from tribute.dsse import Envelope, envelope, pae
from tribute.errors import IntegrityError, ServiceError
from tribute.keys import public_half, sign
from tribute.services.prices import read_prices, sign_prices
from tribute.services.receipts import Certificate, Signer, certify, read_certificate

CERTIFICATE = Certificate(public_half(SERVING), "server", "2026-01-01T00:00:00.000000Z", "2027-01-01T00:00:00.000000Z")


def test_a_certificate_is_read_back():
    """By the registry's key alone, and for receipts alone."""
    content = certify(CERTIFICATE, REGISTRY)
    fields = json.loads(Envelope.parse(content, "").payload)
    kind = Envelope.parse(content, "").kind
    other = json.dumps({**fields, "purpose": "releases"}, sort_keys=True, separators=(",", ":")).encode()
    releases = envelope(kind, other, [(KEYS[0], sign(REGISTRY, pae(kind, other)))])

    assert read_certificate(content, KEYS) == CERTIFICATE
    with pytest.raises(IntegrityError, match="signed by a key that is none"):
        read_certificate(certify(CERTIFICATE, Ed25519PrivateKey.generate()), KEYS)
    with pytest.raises(IntegrityError, match="not for receipts"):
        read_certificate(releases, KEYS)


def test_a_serving_key_makes_no_prices_and_no_certificates():
    """What it signs passes for nothing that only the registry's key may sign."""
    with pytest.raises(IntegrityError):
        read_prices(sign_prices(PRICES, SERVING), KEYS)
    with pytest.raises(IntegrityError):
        read_certificate(certify(CERTIFICATE, SERVING), KEYS)
    with pytest.raises(ServiceError, match="expected one of receipt, addendum"):
        signer("server").sign("price-list", b"", "2026-11-29T00:00:00.000000Z")


def test_another_keys_certificate_is_refused():
    """A signer needs its own."""
    with pytest.raises(IntegrityError, match="another serving key"):
        Signer(Ed25519PrivateKey.generate(), certify(CERTIFICATE, REGISTRY), KEYS)


def test_a_server_signs_only_as_itself(url):
    """A certificate of another instance starts no meter."""
    with market(url) as shop:
        meter = shop.meter
        with pytest.raises(ServiceError, match="certified for other"):
            type(meter)(shop.store, meter.prices, meter.texts, signer("other"))
