"""Theorem: a published policy is what its publisher signed, word for word, and never changes."""

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.rewards.helpers.people import CLOSERS, POLICY, House, make_house
from tribute.artifacts import write_manifest
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.verify import verify_registry
from tribute.errors import IntegrityError, RegistryError, RewardError
from tribute.rewards import close
from tribute.rewards.ledger import ledger
from tribute.rewards.period.draft import REWARDS
from tribute.rewards.policy import published as publication
from tribute.rewards.policy.policy import load_policy


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A registry with one policy; read only."""
    return make_house(tmp_path_factory.mktemp("house") / "workspace")


@pytest.fixture
def house(published: House, tmp_path) -> House:
    return House(shutil.copytree(published.root, tmp_path / "workspace"), published.world)


def entries(house):
    return Registry.open(house.workspace).entries()


def publish(house, text, name="anna", **options):
    house.policy.write_text(text, encoding="utf-8")
    return publication.publish(house.workspace, house.policy, name, house.key(name), **options)


def test_a_published_policy_lies_in_the_registry(house):
    """Word for word, with its sha256 in the ledger, and the registry verifies."""
    content = POLICY.encode()

    entry = entries(house)[-1]

    tree = Registry.open(house.workspace).snapshot().tree
    assert tree["policies/tiny/v1.0.0.yaml"] == content
    assert (entry.event, entry.subject) == ("publish", "tiny/v1.0.0")
    assert entry.details == {"by": "anna", "sha256": hashlib.sha256(content).hexdigest()}
    assert verify_registry(Registry.open(house.workspace).repository).entries == len(entries(house))


def test_publishing_again_changes_nothing_and_another_content_is_refused(house):
    """A version is published once."""
    before = entries(house)

    publish(house, POLICY)
    with pytest.raises(RewardError, match=r"tiny v1\.0\.0 is published with other content; raise the version of"):
        publish(house, POLICY + "# one word more\n")

    assert entries(house) == before


def test_a_rehearsal_publishes_nothing(house):
    """--dry-run checks and records nothing."""
    before = entries(house)

    publish(house, POLICY.replace("v1.0.0", "v1.1.0"), rehearse=True)

    assert entries(house) == before


def test_a_policy_without_a_date_is_not_published(house):
    """Periods have to know from which day it holds."""
    with pytest.raises(RewardError, match="effective_from is missing"):
        publish(house, POLICY.replace("effective_from: 2026-01-01\n", "").replace("v1.0.0", "v1.1.0"))


def test_only_the_latest_key_of_the_publisher_signs(house):
    """Somebody else's key publishes nothing."""
    with pytest.raises(RegistryError, match="the key given is not the latest of anna"):
        publication.publish(house.workspace, house.policy, "anna", house.key("ben"))


@pytest.mark.parametrize(
    ("file", "change", "error", "said"),
    [
        ("v1.0.0.sig.json", b"{}", IntegrityError, "missing or damaged in the registry"),
        ("v1.0.0.sig.json", None, IntegrityError, "signed with a key that ben never had"),
        ("v1.0.0.yaml", b"id: tiny\n", RewardError, "another policy than the published tiny v1.0.0"),
    ],
)
def test_a_forged_publication_is_found(house, monkeypatch, file, change, error, said):
    """A signature that is missing or another's, and words that nobody signed, are refused."""
    path = f"policies/tiny/{file}"
    tree = dict(Registry.open(house.workspace).snapshot().tree)
    tree[path] = change or tree[path].replace(b'"by": "anna"', b'"by": "ben"')
    monkeypatch.setattr(publication, "_tree", lambda _: tree)
    policy = load_policy(house.policy)

    with pytest.raises(error, match=said):
        publication.refuse_unpublished(house.workspace, policy, hashlib.sha256(POLICY.encode()).hexdigest())


def test_a_changed_byte_in_the_registry_is_found(house):
    """`verify registry` covers policies like everything else that is written there."""
    path = Path(house.workspace.registry) / "policies" / "tiny" / "v1.0.0.yaml"
    path.write_bytes(path.read_bytes().replace(b"v1.0.0", b"v1.0.1"))

    with pytest.raises(IntegrityError, match=r"policies/tiny/v1\.0\.0\.yaml"):
        verify_registry(Registry.open(house.workspace).repository)


def test_only_a_closer_publishes_the_next_version(house):
    """Whoever closes says who closes next; a stranger with a registered key cannot name themselves, ever."""
    usurped = POLICY.replace("v1.0.0", "v1.1.0").replace("[anna, ben]", "[rolf, ruth]")

    with pytest.raises(RewardError, match=r"published by rolf, expected a closer of v1\.0\.0 \(anna, ben\)"):
        publish(house, usurped, "rolf")
    publish(house, usurped, "ben")
    with pytest.raises(RewardError, match=r"published by anna, expected a closer of v1\.1\.0 \(rolf, ruth\)"):
        publish(house, POLICY.replace("v1.0.0", "v1.10.0"))


def test_versions_only_rise(house):
    """Or a closer of an old version could name those of a later one; v1.10.0 is higher than v1.9.0."""
    publish(house, POLICY.replace("v1.0.0", "v1.9.0"))
    publish(house, POLICY.replace("v1.0.0", "v1.10.0"))

    with pytest.raises(RewardError, match=r"higher version of tiny than v1\.9\.1 is published; raise the version of"):
        publish(house, POLICY.replace("v1.0.0", "v1.9.1"))


def test_a_publication_by_a_stranger_closes_nothing(house, monkeypatch):
    """Even one that came into the registry past `publish`: what it was signed by is looked at again."""
    with monkeypatch.context() as patched:
        patched.setattr(publication, "_check_closer", lambda *_: None)
        publish(house, POLICY.replace("v1.0.0", "v1.1.0").replace("[anna, ben]", "[rolf, ruth]"), "rolf")
    house.pay("2026-11")

    not_closed(house, r"tiny v1\.1\.0 is published by rolf, expected a closer of v1\.0\.0")


@pytest.mark.parametrize(
    "change", [{"closers": ("rolf", "ruth")}, {"reviewers": ()}, {"threshold": {"EUR": "0.01"}}, {"kappa": "0"}]
)
def test_only_the_published_settings_close(house, change):
    """A manifest that names the published sha256 beside another setting is refused."""
    policy = load_policy(house.policy).model_copy(update=change)

    with pytest.raises(IntegrityError, match=r"names the published tiny v1\.0\.0 and holds other settings"):
        publication.refuse_unpublished(house.workspace, policy, hashlib.sha256(POLICY.encode()).hexdigest())


def test_two_strangers_close_nothing(house):
    """A draft by a forged policy that names them, under the published sha256, is refused."""
    published = house.policy.read_bytes()
    forged = drafted(house, POLICY.replace("[anna, ben]", "[rolf, ruth]").replace('"10.00"', '"0.01"'))
    inputs = dict(forged.inputs) | {"policy": hashlib.sha256(published).hexdigest()}
    (forged.path / "manifest.json").unlink()
    write_manifest(forged.path, REWARDS, inputs, forged.identity["config"], {})

    with pytest.raises(IntegrityError, match="holds other settings; make the period again with the published file"):
        close.close(house.workspace, "2026-11", "rolf", house.key("rolf"), "2026-12-01")


def drafted(house, text):
    house.policy.write_text(text, encoding="utf-8")
    return house.pay("2026-11")


def not_closed(house, said):
    with pytest.raises(RewardError, match=said):
        close.close(house.workspace, "2026-11", "anna", house.key("anna"), "2026-12-01")
    assert ledger.load(house.workspace).postings == []


def test_only_the_published_policy_closes(house):
    """A policy that isn't published, or is published with other content, closes nothing."""
    drafted(house, POLICY.replace("v1.0.0", "v1.0.1"))
    not_closed(house, "policy tiny v1.0.1 is not published; `tribute policy publish FILE --key FILE --as ID`")

    drafted(house, POLICY.replace('kappa: "1"', "") + 'kappa: "0"\n')
    not_closed(house, "the period was made by another policy than the published tiny v1.0.0")


def test_a_policy_without_two_closers_closes_nothing(house):
    """Four eyes are the policy's to name."""
    drafted(house, POLICY.replace("v1.0.0", "v2.0.0").replace(f"[{', '.join(CLOSERS)}]", "[anna]"))
    publication.publish(house.workspace, house.policy, "anna", house.key("anna"))

    not_closed(house, "policy tiny v2.0.0 names 1 closers, closing takes 2; publish a version that does")
