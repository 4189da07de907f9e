"""Every release is signed; keys replace each other in a chain; people's details are sealed in a vault."""

import json
from pathlib import Path

import pytest

from tests.contributions.conftest import write_rows
from tribute.contributions.registry.head_signature import ENVIRONMENT, rotate_registry_key, verify_head
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.verify import verify_registry
from tribute.contributions.releases.release import release_version
from tribute.contributions.rights import vault
from tribute.errors import ContributionError, IntegrityError, RegistryError
from tribute.keys import make_key

PASSPHRASE = "correct horse battery staple"


def edit(registry: Registry, name: str, **change: str) -> None:
    """Change a JSON file of the registry behind its back, and commit it."""
    path = registry.repository.root / name
    content = json.loads(path.read_text())
    (content[0] if isinstance(content, list) else content).update(change)
    path.write_text(json.dumps(content))
    registry.repository.commit("Behind the registry's back")


def test_a_release_is_signed(released: Registry):
    """The tag's tree holds the signature of the head that the release made; the report names the key."""
    found = verify_registry(released.repository)
    tree = released.repository.tree("docs@v1.0.0")

    verify_head(tree, found.head, [found.key], "tag")
    assert found.signed == 1
    assert (released.keys / "registry.pem").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("ledger.sig", {"head": "0" * 64}, "ledger.sig signs 000000000000"),
        ("ledger.sig", {"signature": "A" * 86 + "=="}, "the signature is not that of the key"),
        ("ledger.sig", {"key": "AAAA"}, "which is no key of this registry"),
        ("keys.json", {"public": "AAAA"}, "which is no key of this registry"),
    ],
)
def test_a_changed_signature_is_named(name: str, change: dict, message: str, released: Registry):
    """Whoever changes signature or key behind the registry's back is found out."""
    edit(released, name, **change)

    with pytest.raises(IntegrityError, match=message):
        verify_registry(released.repository)


def test_keys_are_replaced_in_a_chain(released: Registry, hand_in):
    """Old signatures stay valid under the old key, new ones need the new key; a forged successor is found out."""
    before = verify_registry(released.repository).key
    rotate_registry_key(released.repository, released.keys)
    released.contribute([hand_in("cy", ("Take the mode", "statistics"))])
    release_version(released, "docs@v1.1.0")
    after = verify_registry(released.repository)

    assert after.signed == 2
    assert after.key != before
    path = released.repository.root / "keys.json"
    keys = json.loads(path.read_text())
    keys[1]["signature"] = "A" * 86 + "=="
    path.write_text(json.dumps(keys))
    released.repository.commit("Behind the registry's back")
    with pytest.raises(IntegrityError, match=r"keys\.json: the signature is not that of the key"):
        verify_registry(released.repository)


def test_another_key_cannot_release(released: Registry, hand_in):
    """With the wrong key a release is refused and nothing is recorded."""
    released.contribute([hand_in("cy", ("Take the mode", "statistics"))])
    entries = len(released.entries())
    (released.keys / "registry.pem").unlink()
    make_key(released.keys / "registry.pem")

    with pytest.raises(RegistryError, match=r"the registry's key is .*, found "):
        release_version(released, "docs@v1.1.0")
    assert len(released.entries()) == entries


def test_a_key_from_the_environment(registry: Registry, hand_in, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A key that is in the environment signs, and no file is made."""
    make_key(tmp_path / "key.pem")
    monkeypatch.setenv(ENVIRONMENT, (tmp_path / "key.pem").read_text())
    registry.contribute([hand_in("cy", ("Take the mode", "statistics"))])
    registry.seal_evaluation("docs", write_rows(tmp_path / "e.jsonl", [("Plot some bars", "plotting")]))

    release_version(registry, "docs@v1.0.0")

    assert verify_registry(registry.repository).signed == 1
    assert not registry.keys.exists()


def test_the_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Details come back with the passphrase, are in no byte of the file, and can be forgotten."""
    monkeypatch.setenv(vault.ENVIRONMENT, PASSPHRASE)
    monkeypatch.setattr(vault, "COST", 2**10)
    path = tmp_path / "vault.bin"

    vault.write_person(path, "ada", {"name": "Ada Lovelace", "payee": "GB33BUKB20201555555555"})
    vault.write_person(path, "ada", {"payee": ""})
    vault.write_person(path, "bob", {"name": "Bob"})

    assert vault.read_vault(path) == {"ada": {"name": "Ada Lovelace"}, "bob": {"name": "Bob"}}
    assert b"Lovelace" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    vault.forget_person(path, "ada")
    assert vault.read_vault(path) == {"bob": {"name": "Bob"}}


def test_a_closed_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without the passphrase, with another one, or changed by a byte, the vault tells nothing."""
    monkeypatch.setattr(vault, "COST", 2**10)
    path = tmp_path / "vault.bin"
    with pytest.raises(RegistryError, match="put it into the environment as TRIBUTE_VAULT_PASSPHRASE"):
        vault.write_person(path, "ada", {"name": "Ada"})
    monkeypatch.setenv(vault.ENVIRONMENT, PASSPHRASE)
    vault.write_person(path, "ada", {"name": "Ada"})
    with pytest.raises(ContributionError, match=r"contributor id '\.\./ada'"):
        vault.write_person(path, "../ada", {"name": "Ada"})

    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "damaged.bin").write_bytes(damaged)
    with pytest.raises(IntegrityError, match=r"damaged\.bin: wrong passphrase"):
        vault.read_vault(tmp_path / "damaged.bin")
    monkeypatch.setenv(vault.ENVIRONMENT, "guess")
    with pytest.raises(IntegrityError, match="wrong passphrase in TRIBUTE_VAULT_PASSPHRASE, or the file was changed"):
        vault.read_vault(path)
