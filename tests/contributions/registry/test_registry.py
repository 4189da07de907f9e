"""What is handed in is recorded once and whole, or not at all; what is released never changes.

Real git and DVC throughout.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contributions.conftest import SCHEMA, write_rows
from tribute.artifacts import file_digests
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.repository import Repository
from tribute.contributions.registry.verify import verify_registry
from tribute.contributions.releases.release import release_version
from tribute.contributions.schema import DatasetSchema
from tribute.errors import ContributionError, RegistryError
from tribute.workspace import Workspace

LINE, MEAN = ("Draw a line", "plotting"), ("Take the mean", "statistics")


def state(registry: Registry) -> dict[str, str]:
    """Every file of the tree that is not git's or DVC's own."""
    files = file_digests(registry.repository.root)
    return {path: digest for path, digest in files.items() if not path.startswith((".git/", ".dvc/"))}


def commits(registry: Registry) -> int:
    return len(registry.repository.git("log", "--format=%H").split())


def test_open_needs_a_registry(workspace: Workspace):
    """A workspace without a registry says how to get one."""
    with pytest.raises(RegistryError, match="is not a registry; run `tribute init"):
        Registry.open(workspace)


def test_the_same_file_twice_is_one_contribution(registry: Registry, hand_in):
    """Handing in again finds what is recorded, in one batch, in a later one, and after opening anew."""
    ada = hand_in("ada", LINE)

    first, second = registry.contribute([ada, ada])
    before = commits(registry)
    third = registry.contribute([ada])[0]

    assert first == second == third
    assert first.rows == 1
    assert commits(registry) == before
    assert len(registry.snapshot().contributions("docs")) == 1


def test_one_bad_file_and_none_is_recorded(registry: Registry, hand_in):
    """Good files beside a bad one are not recorded either; the tree is as it was."""
    before, history = state(registry), commits(registry)

    with pytest.raises(ContributionError, match=r"\.jsonl:2: unknown label 'cooking'"):
        registry.contribute([hand_in("ada", LINE), hand_in("bob", LINE, ("Boil an egg", "cooking"))])

    assert (state(registry), commits(registry)) == (before, history)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"contributor_id": "a/b"}, ContributionError, "contributor id 'a/b': expected 1 to 40"),
        ({"contributor_id": "a.b"}, ContributionError, r"contributor id 'a\.b': expected 1 to 40"),
        ({"licence": "free"}, ContributionError, "unknown licence 'free'"),
        ({"dataset": "news"}, RegistryError, "no dataset 'news'; declared are: docs"),
    ],
)
def test_bad_submissions(registry: Registry, hand_in, change, error, message):
    """Each fault of a submission has its message."""
    with pytest.raises(error, match=message):
        registry.contribute([replace(hand_in("ada", LINE), **change)])


def test_an_exception_half_way_leaves_nothing(registry: Registry, hand_in, monkeypatch: pytest.MonkeyPatch):
    """Where the commit fails, data, pointers and ledger are gone; the next attempt records all of it."""
    ada, before, history = hand_in("ada", LINE), state(registry), commits(registry)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Repository, "commit", fail)
        with pytest.raises(OSError, match="No space left"):
            registry.contribute([ada])
    after = state(registry), commits(registry)
    registry.contribute([ada])

    assert after == (before, history)
    assert verify_registry(registry.repository).entries == 2


def test_a_file_that_changes_under_our_hands(registry: Registry, hand_in, monkeypatch: pytest.MonkeyPatch):
    """The rows that were checked are the rows that are recorded, whatever becomes of the file meanwhile."""
    ada, transact = hand_in("ada", LINE), Repository.transact

    def change_then_transact(self: Repository, *arguments):
        ada.file.write_text("other rows")
        return transact(self, *arguments)

    monkeypatch.setattr(Repository, "transact", change_then_transact)
    (recorded,) = registry.contribute([ada])

    assert registry.rows(registry.snapshot(), "docs")[0].row.text == LINE[0]
    assert recorded.rows == verify_registry(registry.repository).pointers == 1


def test_a_killed_writer_is_undone_by_the_next(registry: Registry, hand_in, monkeypatch: pytest.MonkeyPatch):
    """What a writer leaves that could not even clean up is no part of the registry, and soon gone."""
    ada, bob = hand_in("ada", LINE), hand_in("bob", MEAN)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Repository, "commit", die)
        broken.setattr(Repository, "_roll_back", lambda _: None)
        with pytest.raises(KeyboardInterrupt):
            registry.contribute([ada])
    (registry.repository.root / ".git" / "index.lock").touch()
    seen = registry.snapshot().contributions("docs")
    registry.contribute([bob])

    assert seen == []
    assert [one.contributor_id for one in registry.snapshot().contributions("docs")] == ["bob"]
    assert verify_registry(registry.repository).pointers == 1


def test_a_release_that_was_cut_before_its_tag_is_finished(released: Registry):
    """A release recorded without its tag gets the tag when it is asked for again, on the same commit."""
    version = released.version("docs@v1.0.0")
    released.repository.git("tag", "--delete", "docs@v1.0.0")

    again = release_version(released, "docs@v1.0.0")

    assert again.commit == version.commit


def test_a_release_that_was_killed_before_its_tag_verifies(
    registry: Registry, hand_in, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whoever takes the lock next finishes the release; asking for it again is no error."""
    registry.contribute([hand_in("ada", LINE)])
    registry.seal_evaluation("docs", write_rows(tmp_path / "evaluation.jsonl", [MEAN]))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Repository, "tag", die)
        broken.setattr(Repository, "_roll_back", lambda _: None)
        with pytest.raises(KeyboardInterrupt):
            release_version(registry, "docs@v1.0.0")
    version = release_version(registry, "docs@v1.0.0")

    assert version.rows == 1
    assert verify_registry(registry.repository).tags == 1


def test_versions(released: Registry):
    """A version counts what was handed in and what of it is not used."""
    (version,) = released.versions()

    assert (version.tag, version.dataset, version.version) == ("docs@v1.0.0", "docs", "v1.0.0")
    assert (version.contributions, version.contributors, version.rows, version.excluded) == (2, 2, 4, 1)
    with pytest.raises(RegistryError, match=r"there is no version docs@v9\.0\.0; released versions: docs@v1\.0\.0"):
        released.version("docs@v9.0.0")
    with pytest.raises(RegistryError, match=r"version docs@v1\.0\.0 is released already"):
        release_version(released, "docs@v1.0.0")
    with pytest.raises(RegistryError, match="'docs' is no dataset version; expected NAME@vX"):
        released.version("docs")


def test_a_release_does_not_move(released: Registry, hand_in):
    """What comes later is in the next version only."""
    name = released.snapshot("docs@v1.0.0").dvc_md5("docs")

    released.contribute([hand_in("cy", ("Draw a square", "plotting"))])

    assert released.snapshot("docs@v1.0.0").dvc_md5("docs") == name
    assert released.snapshot().dvc_md5("docs") != name


def test_release_needs_rows_and_an_evaluation(registry: Registry, hand_in):
    """A version of nothing, or one that nothing could be measured with, is refused and leaves nothing."""
    before = state(registry)
    with pytest.raises(RegistryError, match="docs has no contributions"):
        release_version(registry, "docs@v1.0.0")
    assert state(registry) == before

    registry.contribute([hand_in("ada", LINE)])
    with pytest.raises(RegistryError, match="docs has no evaluation rows; seal a file of them"):
        release_version(registry, "docs@v1.0.0")
    assert registry.versions() == []


def test_a_schema_is_declared_once(registry: Registry):
    """The same schema again changes nothing; another one is refused."""
    before = commits(registry)

    registry.declare(SCHEMA)

    assert commits(registry) == before
    with pytest.raises(RegistryError, match="docs is declared already with another schema"):
        registry.declare(DatasetSchema(name="docs", task="causal-lm"))


def test_dvc_agrees(released: Registry):
    """DVC itself finds nothing missing or changed, and reads the same bytes at the tag."""
    from dvc.api import DVCFileSystem

    root = released.repository.root
    dvc = [sys.executable, "-m", "dvc", "status"]
    status = subprocess.run(dvc, cwd=root, capture_output=True, text=True, check=True)
    cloud = subprocess.run([*dvc, "--cloud"], cwd=root, capture_output=True, text=True, check=True)
    (ada, _) = released.snapshot("docs@v1.0.0").contributions("docs")
    read = DVCFileSystem(str(root), rev="docs@v1.0.0").cat(f"contributions/{ada.id}/data.jsonl")

    assert "up to date" in status.stdout
    assert "in sync" in cloud.stdout
    assert read == released.repository.object(ada.md5).read_bytes()


def test_the_remote_stands_in_for_a_lost_cache(released: Registry):
    """With the cache's object damaged, the pushed copy is read."""
    (ada, _) = released.snapshot().contributions("docs")
    cached = released.repository.object(ada.md5)
    cached.chmod(0o644)
    cached.write_bytes(b"damaged")

    assert released.repository.remote in released.repository.object(ada.md5).parents
