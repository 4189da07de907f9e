"""What is taken back is used no more; what is erased is nowhere any more, and the ledger still says that it was."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tests.contributions.conftest import write_rows
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.repository import Repository
from tribute.contributions.registry.verify import verify_registry
from tribute.contributions.releases.eligibility import check_trainable
from tribute.contributions.releases.release import check_release, release_version
from tribute.contributions.rights import keys_and_members
from tribute.contributions.rights.withdrawal import erase, withdraw
from tribute.contributions.terms import Terms
from tribute.errors import ContributionError, IntegrityError, RegistryError
from tribute.keys import load_key, make_key

WHO = ("steward", "asked for")


def holders(registry: Registry, text: str) -> list[str]:
    """Files of the workspace, git's own aside, that hold a text."""
    workspace = registry.repository.root.parent
    files = [path for path in workspace.rglob("*") if path.is_file() and ".git" not in path.parts]
    return [str(path.relative_to(workspace)) for path in files if text.encode() in path.read_bytes()]


def test_withdrawing_keeps_history(released: Registry):
    """From the next version on the rows are out; the old version can still be read; again changes nothing."""
    ada, bob = released.snapshot().contributions("docs")

    gone = withdraw(released, ada.id, *WHO)
    again = withdraw(released, ada.id, *WHO)

    assert (gone.id, gone.seq) == (again.id, again.seq)
    assert [one.id for one in released.snapshot().contributions("docs")] == [bob.id]
    assert len(released.rows(released.snapshot("docs@v1.0.0"), "docs")) == 4
    assert verify_registry(released.repository).erased == 0


def test_a_copy_becomes_the_original(released: Registry):
    """Once the earliest row is withdrawn, the next one of the same content keeps its place."""
    ada, bob = released.snapshot().contributions("docs")
    assert [one.row.row_id for one in check_release(released, "docs@v1.0.1")] == [f"{bob.id}:1"]

    withdraw(released, ada.id, *WHO)

    assert check_release(released, "docs@v2.0.0") == []


def test_handing_in_again(released: Registry, hand_in: Callable):
    """Withdrawn rows may come again, and then stand at the end of the line."""
    ada = released.snapshot().contributions("docs")[0]
    withdraw(released, ada.id, *WHO)

    (again,) = released.contribute([hand_in("ada", ("Draw a line", "plotting"), ("Draw a circle", "plotting"))])

    assert again.id == ada.id
    assert [one.id for one in released.snapshot().contributions("docs")][-1] == ada.id
    assert again.seq > ada.seq


def test_erasing_leaves_no_bytes(released: Registry):
    """Tree, cache and remote hold the rows no more, the tombstone does not tell them, and all of it verifies."""
    ada = released.snapshot().contributions("docs")[0]
    assert len(holders(released, "Draw a circle")) == 3

    erase(released, ada.id, *WHO)
    tombstone = released.entries()[-1]

    assert holders(released, "Draw a circle") == []
    assert (tombstone.event, tombstone.details["rows"], tombstone.details["md5s"]) == ("erase", 2, [ada.md5])
    assert verify_registry(released.repository).erased == 1
    with pytest.raises(IntegrityError, match="missing or damaged"):
        released.repository.object(ada.md5)
    with pytest.raises(RegistryError, match=f"docs@v1.0.0 held contribution {ada.id}, which was erased"):
        check_trainable(released, "docs@v1.0.0", date(2026, 1, 1))


def test_erasing_what_was_withdrawn(released: Registry):
    """A contribution that was withdrawn first can still be erased."""
    ada = released.snapshot().contributions("docs")[0]
    withdraw(released, ada.id, *WHO)

    erase(released, ada.id, *WHO)

    assert holders(released, "Draw a circle") == []
    assert verify_registry(released.repository).erased == 1


def test_erasing_keeps_what_others_have(released: Registry, tmp_path: Path):
    """Bytes that another live contribution consists of stay, until that one is erased, too."""
    ada, _ = released.snapshot().contributions("docs")
    same = write_rows(tmp_path / "same.jsonl", [("Draw a line", "plotting"), ("Draw a circle", "plotting")])
    (cy,) = released.contribute([Submission(same, "cy", "docs", "MIT")])

    kept = erase(released, ada.id, *WHO)
    after_one = len(holders(released, "Draw a circle"))
    erase(released, cy.id, *WHO)

    assert kept.bytes_kept == (cy.id,)
    assert after_one > 0
    assert holders(released, "Draw a circle") == []
    assert verify_registry(released.repository).erased == 2


def test_an_erasure_that_was_cut_is_finished(released: Registry, monkeypatch: pytest.MonkeyPatch):
    """Killed between the ledger and the bytes, the same command removes the bytes."""
    ada = released.snapshot().contributions("docs")[0]

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Repository, "forget", die)
        with pytest.raises(KeyboardInterrupt):
            erase(released, ada.id, *WHO)
    verified = verify_registry(released.repository).erased
    erase(released, ada.id, *WHO)

    assert verified == 1
    assert holders(released, "Draw a circle") == []


@pytest.mark.parametrize("take_back", [withdraw, erase])
def test_nothing_to_take_back(take_back: Callable, released: Registry):
    """What is not there, and nobody without a reason, is refused."""
    with pytest.raises(RegistryError, match="there is no contribution eve-00000000"):
        take_back(released, "eve-00000000", *WHO)
    with pytest.raises(RegistryError, match="say who takes it back and why"):
        take_back(released, "eve-00000000", "steward", "")


@pytest.fixture
def signed(registry: Registry, tmp_path: Path):
    """A contribution that eve signed, her key's file, and the registry."""
    key = tmp_path / "eve.pem"
    keys_and_members.register_key(registry, "eve", make_key(key))
    file = write_rows(tmp_path / "eve.jsonl", [("Draw a line", "plotting")])
    (one,) = registry.contribute([Submission(file, "eve", "docs", "MIT", key=key)])
    return one, key


def test_only_the_key_withdraws(registry: Registry, signed, tmp_path: Path):
    """Without the key, or with another one, a signed contribution stays."""
    one, key = signed
    make_key(tmp_path / "other.pem")

    with pytest.raises(RegistryError, match="is signed: only the key of eve can withdraw it"):
        withdraw(registry, one.id, *WHO)
    with pytest.raises(RegistryError, match=r"other\.pem: not the latest key of eve"):
        withdraw(registry, one.id, *WHO, tmp_path / "other.pem")
    withdraw(registry, one.id, *WHO, key)

    assert registry.snapshot().contributions("docs") == []


def test_rotated_keys_reach_old_contributions(registry: Registry, signed, tmp_path: Path):
    """After a rotation the new key withdraws what the old one signed, and the old one nothing any more."""
    one, key = signed
    keys_and_members.rotate_key(registry, "eve", load_key(key), make_key(tmp_path / "new.pem"))

    with pytest.raises(RegistryError, match=r"eve\.pem: not the latest key of eve"):
        withdraw(registry, one.id, *WHO, key)
    assert verify_registry(registry.repository).entries == 4
    withdraw(registry, one.id, *WHO, tmp_path / "new.pem")
    assert registry.snapshot().contributions("docs") == []


def test_an_organisation_acts_for_its_members(registry: Registry, signed, tmp_path: Path):
    """The key of the organisation that owns a contributor may withdraw for it."""
    one, _ = signed
    keys_and_members.register_key(registry, "acme", make_key(tmp_path / "acme.pem"))
    with pytest.raises(RegistryError, match="not the latest key of eve"):
        withdraw(registry, one.id, *WHO, tmp_path / "acme.pem")

    keys_and_members.set_members(registry, "acme", ["eve"])
    withdraw(registry, one.id, *WHO, tmp_path / "acme.pem")

    assert registry.snapshot().contributions("docs") == []


def test_signing_with_a_strangers_key(registry: Registry, tmp_path: Path):
    """A contribution cannot be signed with a key that is not the contributor's."""
    make_key(tmp_path / "other.pem")
    file = write_rows(tmp_path / "eve.jsonl", [("Draw a line", "plotting")])

    with pytest.raises(RegistryError, match="not the latest key of eve"):
        registry.contribute([Submission(file, "eve", "docs", "MIT", key=tmp_path / "other.pem")])
    assert registry.snapshot().contributions("docs") == []


def test_keys_and_look_alikes(registry: Registry, signed, tmp_path: Path):
    """A second first key, a look-alike's key and a key that others can read are refused."""
    key = make_key(tmp_path / "k.pem")
    keys_and_members.register_key(registry, "ewe", key)
    with pytest.raises(RegistryError, match="eve has a key already"):
        keys_and_members.register_key(registry, "eve", key)
    with pytest.raises(ContributionError, match="contributor id 'evve' looks like 'ewe', which is taken"):
        keys_and_members.register_key(registry, "evve", key)
    (tmp_path / "k.pem").chmod(0o644)
    with pytest.raises(RegistryError, match="others can read this private key"):
        withdraw(registry, signed[0].id, *WHO, tmp_path / "k.pem")


def test_terms_end(registry: Registry, hand_in: Callable, tmp_path: Path):
    """Rows whose terms ended, or never allowed it, are left out of a release; a version with them is refused."""
    file = write_rows(tmp_path / "eve.jsonl", [("Take the mean", "statistics")])
    terms = Terms(consent="I agree.", expires=date(2999, 1, 1))
    research = Terms(consent="I agree to research.", purposes=("research",))
    other = write_rows(tmp_path / "cy.jsonl", [("Take the mode", "statistics")])
    eve, cy = registry.contribute(
        [Submission(file, "eve", "docs", "MIT", terms=terms), Submission(other, "cy", "docs", "MIT", terms=research)]
    )
    registry.seal_evaluation("docs", write_rows(tmp_path / "e.jsonl", [("Plot some bars", "plotting")]))
    release_version(registry, "docs@v1.0.0")

    check_trainable(registry, "docs@v1.0.0", date(2998, 12, 31))
    with pytest.raises(RegistryError, match=f"holds contribution {eve.id}, and its terms expired on 2999-01-01"):
        check_trainable(registry, "docs@v1.0.0", date(2999, 1, 2))
    assert registry.version("docs@v1.0.0").excluded == 1
    assert registry.snapshot().recorded(cy.id).terms["consent_sha256"]
