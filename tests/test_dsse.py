"""Theorem: an envelope gives its payload back only for its own type and its signer's key."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tribute.dsse import Envelope, envelope, pae
from tribute.errors import IntegrityError
from tribute.keys import public_half, sign

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
PUBLIC = public_half(KEY)


LIST = b'{"payload":"","payloadType":"a","signatures":[{"keyid":[],"sig":""}]}'


def signed(kind, payload, key=KEY):
    """An envelope whose key id is the public key."""
    return envelope(kind, payload, [(public_half(key), sign(key, pae(kind, payload)))])


@given(st.text(max_size=20), st.binary(max_size=50))
def test_an_envelope_gives_its_payload_back(kind, payload):
    """Whatever type and payload are."""
    parsed = Envelope.parse(signed(kind, payload), "x")

    assert parsed.check(kind, PUBLIC, "x") == parsed.check_any(kind, [PUBLIC], "x") == payload


@given(st.binary(max_size=20), st.data())
def test_every_bit_counts(payload, data):
    """A changed bit anywhere is refused."""
    content = bytearray(signed("a", payload))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(IntegrityError):
        Envelope.parse(bytes(content), "x").check_any("a", [PUBLIC], "x")


def test_type_and_signer_are_part_of_what_is_signed():
    """An envelope passes neither for another type nor by another key, and a signature more or less is refused."""
    content = signed("a", b"payload")
    parsed = Envelope.parse(content, "x")
    fields = json.loads(content)
    twice = envelope("a", b"payload", [(item["keyid"], item["sig"]) for item in fields["signatures"] * 2])
    relabelled = envelope("b", b"payload", [(item["keyid"], item["sig"]) for item in fields["signatures"]])

    for check, fault in (
        (lambda: parsed.check("b", PUBLIC, "x"), "expected 1 over b"),
        (lambda: parsed.check("a", public_half(OTHER), "x"), "the signature is not that of the key"),
        (lambda: parsed.check_any("a", [public_half(OTHER)], "x"), "signed by a key that is none of the 1"),
        (lambda: Envelope.parse(twice, "x").check("a", PUBLIC, "x"), "found 2 signatures"),
        (lambda: Envelope.parse(relabelled, "x").check("b", PUBLIC, "x"), "the signature is not that of the key"),
        (lambda: Envelope.parse(envelope("a", b"", []), "x").check_any("a", [PUBLIC], "x"), "found 0 signatures"),
    ):
        with pytest.raises(IntegrityError, match=fault):
            check()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"payload":1}', b"\xff", b"null", LIST, signed("a", b"") + b"\n"]
)
def test_what_is_no_envelope_is_refused(content):
    """Another form than RFC 8785 included: the same statement has one form."""
    with pytest.raises(IntegrityError, match=r"^x: "):
        Envelope.parse(content, "x")
