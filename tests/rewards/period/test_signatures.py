"""Theorem: an envelope passes only with two closers' signatures, by two keys, over exactly this manifest."""

import json
import random
from base64 import b64decode

import pytest

from tribute import dsse
from tribute.artifacts import SEAL, read_artifact
from tribute.errors import IntegrityError
from tribute.keys import make_key, public_half
from tribute.rewards.period import signatures as seal


@pytest.fixture
def keys(tmp_path):
    return {name: make_key(tmp_path / name) for name in ("anna", "ben", "eve")}


@pytest.fixture
def identity(keys):
    closers = {name: public_half(keys[name]) for name in ("anna", "ben")}
    return {"kind": "rewards", "config": {"period": "2026-11", "closers": closers}}


@pytest.fixture
def closed(two_closed):
    return read_artifact(two_closed.workspace.rewards / "2026-11")


@pytest.fixture
def copy(closed_house):
    return closed_house.workspace.rewards / "2026-11"


def test_both_sign_the_same_bytes(keys, identity, tmp_path):
    """At two desks, on one day or another: the statement depends on the identity alone."""
    signatures = [seal.sign_period(identity, name, keys[name]) for name in ("ben", "anna")]
    seal.write_seal(tmp_path, identity, signatures)
    first = (tmp_path / SEAL).read_bytes()
    seal.write_seal(tmp_path, identity, signatures[::-1])

    assert (tmp_path / SEAL).read_bytes() == first
    assert [one["keyid"] for one in json.loads(first)["signatures"]] == ["anna", "ben"]


def test_the_payload_is_an_in_toto_statement_about_the_manifest(closed):
    """Its subject's digest is the manifest's id."""
    envelope = json.loads(closed.file(SEAL).read_bytes())
    statement = json.loads(b64decode(envelope["payload"]))

    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "manifest.json#identity", "digest": {"sha256": closed.id}}]
    assert statement["predicate"]["merkle"] == closed.identity["config"]["merkle"]


def test_pae_is_the_one_of_dsse():
    """Lengths in bytes, separated by spaces."""
    assert dsse.pae(seal.PAYLOAD_TYPE, b"hello world") == b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"


@pytest.mark.parametrize("signer", ["eve", "anna"])
def test_a_key_that_is_not_the_closers_own_is_refused(keys, identity, tmp_path, signer):
    """Whoever is no closer, or signs with a key that is not the registered one, seals nothing."""
    stranger = seal.sign_period(identity, signer, keys["eve"])

    with pytest.raises(IntegrityError, match=f"{signer} did not sign with a key of one who may close"):
        seal.write_seal(tmp_path, identity, [stranger])
    assert not (tmp_path / SEAL).exists()


def test_one_signature_is_not_enough(copy):
    """Even where it is good."""
    envelope = json.loads((copy / SEAL).read_bytes())
    (copy / SEAL).chmod(0o644)
    (copy / SEAL).write_bytes(
        dsse.envelope(seal.PAYLOAD_TYPE, b64decode(envelope["payload"]), [("anna", envelope["signatures"][0]["sig"])])
    )

    with pytest.raises(IntegrityError, match="signed by anna, expected 2 people with a key each"):
        seal.verify_seal(read_artifact(copy))


def test_a_signature_over_another_period_does_not_hold(closed_house):
    """December's envelope beside November's manifest is found."""
    rewards = closed_house.workspace.rewards
    (rewards / "2026-11" / SEAL).chmod(0o644)
    (rewards / "2026-11" / SEAL).write_bytes((rewards / "2026-12" / SEAL).read_bytes())

    with pytest.raises(IntegrityError, match=r"manifest\.dsse\.json: does not hold the statement about"):
        seal.verify_seal(read_artifact(rewards / "2026-11"))


def test_every_bit_of_the_envelope_counts(copy):
    """Also the bits of base64 that decode to nothing."""
    path = copy / SEAL
    path.chmod(0o644)
    good, chance = path.read_bytes(), random.Random(1)
    last = json.loads(good)["signatures"][1]["sig"]
    places = [good.index(last.encode()) + len(last) - 3, *(chance.randrange(len(good)) for _ in range(300))]
    for place in places:
        bad = bytearray(good)
        bad[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(bad))

        with pytest.raises(IntegrityError, match=r"manifest\.dsse\.json"):
            seal.verify_seal(read_artifact(copy))


def test_a_signature_with_other_padding_bits_is_refused(copy):
    """64 bytes leave four bits of their last base64 digit free; they must be 0."""
    path = copy / SEAL
    path.chmod(0o644)
    envelope = json.loads(path.read_bytes())
    signature = envelope["signatures"][0]["sig"]
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = signature[:-3] + digits[digits.index(signature[-3]) ^ 1] + "=="
    assert b64decode(other) == b64decode(signature)
    path.write_bytes(path.read_bytes().replace(signature.encode(), other.encode()))

    with pytest.raises(IntegrityError, match=r"manifest\.dsse\.json"):
        seal.verify_seal(read_artifact(copy))
