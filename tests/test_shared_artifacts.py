"""Theorem: machines that share a bucket and no disk have the same artifacts, and make each of them once."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.s3 import forget_connections, served_bucket
from tribute.artifacts import Artifact, Kind, Store, lease, shared_artifacts, verify_artifact
from tribute.artifacts.bucket import SCHEME, Bucket
from tribute.errors import IntegrityError, RegistryError, StorageAwayError, StorageError, TributeError

KIND = Kind("toy", "tribute.digests")
INPUTS, CONFIG = {"rows": "a" * 64}, {"size": 3}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket that TRIBUTE_ARTIFACTS names."""
    with served_bucket(monkeypatch, "shared") as url:
        monkeypatch.setenv("TRIBUTE_ARTIFACTS", f"{url}/team")
        yield f"{url}/team"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that are looked at often."""
    for name, seconds in {"POLL": 0.05, "BEAT": 0.1, "LEASE": 1.0}.items():
        monkeypatch.setattr(lease, name, seconds)


class Builder:
    """Builds a toy of two files, and counts how often."""

    def __init__(self, text: str = "same", seconds: float = 0.0) -> None:
        self.text, self.seconds, self.built = text, seconds, 0

    def __call__(self, folder: Path) -> None:
        self.built += 1
        time.sleep(self.seconds)
        (folder / "deep").mkdir()
        (folder / "deep" / "a.txt").write_text(self.text)
        (folder / "b.bin").write_bytes(bytes(range(256)))


def machine(folder: Path) -> Store:
    """The store of a machine with an empty disk."""
    folder.mkdir(exist_ok=True)
    return Store(folder, shared_artifacts())


def made(store: Store, builder: Builder) -> Artifact:
    return store.make(KIND, INPUTS, CONFIG, builder)


def test_another_machine_finds_what_was_made(bucket: str, tmp_path: Path):
    """By its ingredients and by its id; files, id and provenance are the same, and nothing is built."""
    first, builder = made(machine(tmp_path / "one"), Builder()), Builder()

    found = made(machine(tmp_path / "two"), builder)
    by_id = machine(tmp_path / "three").get("toy", first.id[:12])

    assert builder.built == 0
    assert not first.found
    assert found.found
    for other in (found, by_id):
        assert (other.id, other.provenance) == (first.id, first.provenance)
        assert verify_artifact(other.path).file("deep/a.txt").read_text() == "same"
    assert machine(tmp_path / "four").find(KIND, INPUTS, {"size": 4}) is None
    with pytest.raises(RegistryError, match="no toy artifact"):
        machine(tmp_path / "four").get("toy", "0" * 12)


def test_provenance_reaches_the_others(bucket: str, tmp_path: Path):
    """A run of MLflow that was noted after the artifact was made is in what others fetch."""
    store = machine(tmp_path / "one")

    store.add_provenance(made(store, Builder()), {"mlflow_run_id": "r1"})

    assert made(machine(tmp_path / "two"), Builder()).provenance["mlflow_run_id"] == "r1"


def test_what_was_made_before_the_bucket_is_put_there(bucket: str, tmp_path: Path):
    """Asked for again, an artifact of a single machine reaches the bucket; a note keeps it from asking each time."""
    alone = Store(tmp_path / "one")
    first = alone.make(KIND, INPUTS, CONFIG, Builder())

    made(machine(tmp_path / "one"), Builder())

    assert machine(tmp_path / "two").get("toy", first.id).id == first.id
    assert len(list((tmp_path / "one" / "scratch" / "shared").rglob(first.path.name))) == 1


def test_machines_at_a_time_make_it_once(bucket: str, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of four that ask together one builds; the others wait and fetch."""
    # A machine that is busy for a second keeps its lock.
    monkeypatch.setattr(lease, "LEASE", 60.0)
    builder, ids = Builder(seconds=0.5), []

    def ask(number: int) -> None:
        ids.append(made(machine(tmp_path / str(number)), builder).id)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert builder.built == 1
    assert len(set(ids)) == 1
    assert len(ids) == 4
    assert Bucket(bucket).names("locks/") == []


def test_a_folder_is_no_name(bucket: str, monkeypatch: pytest.MonkeyPatch):
    """s3fs returns the folder itself where its first object appears while it is listed."""
    s3fs = pytest.importorskip("s3fs")
    listed = Bucket(bucket)
    folder = f"{bucket.removeprefix(SCHEME)}/locks/key"
    monkeypatch.setattr(s3fs.S3FileSystem, "find", lambda *_, **__: [folder])

    assert listed.names("locks/key/") == []
    assert listed.names("locks/k") == ["locks/key"]


def test_a_dead_holder_is_replaced(bucket: str, quick: None, tmp_path: Path):
    """Its lock stands unchanged for a lease; a living one's changes, and is waited for."""
    Bucket(bucket).create(f"locks/{made(Store(tmp_path / 'key'), Builder()).path.name}/000000001", b"dead machine")
    started = time.monotonic()

    made(machine(tmp_path / "one"), builder := Builder())

    assert builder.built == 1
    assert time.monotonic() - started >= lease.LEASE


def test_a_lock_is_given_back_when_the_work_fails(bucket: str, quick: None, tmp_path: Path):
    """The next machine starts at once."""

    def fails(_folder: Path) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        machine(tmp_path / "one").make(KIND, INPUTS, CONFIG, fails)
    started = time.monotonic()
    made(machine(tmp_path / "two"), Builder())

    assert time.monotonic() - started < lease.LEASE


def test_the_first_manifest_decides(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine that was taken for dead and still ends takes the artifact of the other one."""
    late, fast = machine(tmp_path / "late"), machine(tmp_path / "fast")
    rival = Builder("rival")

    def overtaken(folder: Path) -> None:
        Builder("late")(folder)
        with monkeypatch.context() as patch:
            patch.setattr(lease, "LEASE", 0.0)
            made(fast, rival)

    monkeypatch.setattr(lease, "POLL", 0.05)
    artifact = late.make(KIND, INPUTS, CONFIG, overtaken)

    assert rival.built == 1
    assert artifact.file("deep/a.txt").read_text() == "rival"
    assert verify_artifact(artifact.path).id == fast.get("toy", artifact.id).id


def test_two_results_from_the_same_are_told(bucket: str, tmp_path: Path):
    """What a machine made before it shared, and another made otherwise, is not passed over."""
    Store(tmp_path / "one").make(KIND, INPUTS, CONFIG, Builder("other"))
    made(machine(tmp_path / "two"), Builder())

    with pytest.raises(IntegrityError, match="made from the same; delete the folder"):
        made(machine(tmp_path / "one"), Builder())


def test_a_changed_object_is_not_used(bucket: str, tmp_path: Path):
    """What was fetched is compared with the manifest; nothing is left of it."""
    first = made(machine(tmp_path / "one"), Builder())
    Bucket(bucket).write(f"toy/{first.path.name}/{first.id}/deep/a.txt", b"changed")

    with pytest.raises(IntegrityError, match=r"deep/a\.txt: sha256"):
        made(machine(tmp_path / "two"), Builder())
    assert not (tmp_path / "two" / "artifacts" / "toy" / first.path.name).exists()


def test_a_usable_bucket_passes(bucket: str):
    """The check leaves nothing behind."""
    shared = shared_artifacts()

    assert shared is not None
    shared.bucket.check()
    assert shared.bucket.names("") == []


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"TRIBUTE_ARTIFACTS": "s3://nowhere/x"}, StorageError, r"no such bucket or object \(NoSuchBucket\)"),
        ({"TRIBUTE_ARTIFACTS": "https://user:s3cret@host/x"}, StorageError, "expected s3://BUCKET/PREFIX"),
        ({"TRIBUTE_ARTIFACTS": "s3://key:s3cret@shared/x"}, StorageError, "expected s3://BUCKET/PREFIX"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, StorageAwayError, "does not answer"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, StorageError, "no credentials"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    settings: dict[str, str | None],
    error: type[TributeError],
    message: str,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    """Before a run, without anything secret; what may pass is told apart from what will not."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in settings.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    forget_connections()

    with pytest.raises(error, match=message) as raised:
        shared_artifacts().bucket.check()

    assert "\n" not in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert isinstance(raised.value, ConnectionError) == (error is StorageAwayError)


def test_refused_credentials_are_one_line(bucket: str):
    """The code of S3 says why."""
    from moto.core import set_initial_no_auth_action_count

    @set_initial_no_auth_action_count(0)
    def check() -> None:
        shared_artifacts().bucket.check()

    with pytest.raises(StorageError, match=r"refuses the credentials \(\w+\)"):
        check()
