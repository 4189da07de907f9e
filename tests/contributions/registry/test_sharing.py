"""Several stewards write at once, each in a clone: nothing is lost, nothing doubled. Remotes are where one says."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contributions.conftest import SCHEMA, write_rows
from tests.helpers.s3 import served_bucket
from tests.helpers.terminal import in_process_of_its_own
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.verify import verify_registry
from tribute.contributions.releases.release import release_version
from tribute.contributions.rights.withdrawal import erase
from tribute.errors import IntegrityError, RegistryError
from tribute.workspace import Workspace

WRITERS, EACH = (8, 25) if os.environ.get("TRIBUTE_NIGHTLY") else (3, 2)


@pytest.fixture
def shared(tmp_path: Path) -> tuple[Registry, Path]:
    """A registry that is shared through a bare git repository, and that repository."""
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", origin], check=True)
    registry = Registry.create(Workspace.create(tmp_path / "first"), origin=str(origin))
    registry.declare(SCHEMA)
    return registry, origin


def submission(folder: Path, name: str, number: int) -> Submission:
    file = write_rows(folder / f"{name}-{number}.jsonl", [(f"Draw line {number} of {name}", "plotting")])
    return Submission(file, name, "docs", "MIT")


def test_another_clone_sees_and_adds(shared, tmp_path: Path):
    """What one records the other finds, data included, and both releases are the same."""
    registry, origin = shared
    (mine,) = registry.contribute([submission(tmp_path, "ada", 1)])
    other = Registry.clone(Workspace.create(tmp_path / "second"), str(origin))

    (theirs,) = other.contribute([submission(tmp_path, "bob", 1)])
    registry.sync()

    assert [one.id for one in registry.snapshot().contributions("docs")] == [mine.id, theirs.id]
    assert [row.row.text for row in other.rows(other.snapshot(), "docs")] == [
        "Draw line 1 of ada",
        "Draw line 1 of bob",
    ]
    assert verify_registry(registry.repository).head == verify_registry(other.repository).head


def test_a_release_reaches_everybody(shared, tmp_path: Path):
    """The tag comes with the commit; the same version cannot be released twice."""
    registry, origin = shared
    registry.contribute([submission(tmp_path, "ada", 1)])
    registry.seal_evaluation("docs", write_rows(tmp_path / "e.jsonl", [("Take the mean", "statistics")]))
    other = Registry.clone(Workspace.create(tmp_path / "second"), str(origin))
    release_version(registry, "docs@v1.0.0")

    other.sync()

    assert other.version("docs@v1.0.0").commit == registry.version("docs@v1.0.0").commit
    assert verify_registry(other.repository).signed == 1
    with pytest.raises(RegistryError, match="is released already"):
        release_version(other, "docs@v1.0.0")


def test_an_erasure_reaches_everybody(shared, tmp_path: Path):
    """After a sync the other clone's cache does not hold the bytes either."""
    registry, origin = shared
    (one,) = registry.contribute([submission(tmp_path, "ada", 1)])
    second = Workspace.create(tmp_path / "second")
    other = Registry.clone(second, str(origin))
    assert other.repository.object(one.md5).exists()

    erase(registry, one.id, "steward", "asked for")
    ended = in_process_of_its_own("sync", "-w", second.root)

    assert ended.code == 0, ended.err
    with pytest.raises(IntegrityError, match="missing or damaged"):
        other.repository.object(one.md5)


def test_writers_at_once(shared, tmp_path: Path):
    """Every contribution of every writer is recorded exactly once, and all clones agree in the end."""
    registry, origin = shared
    clones = [Registry.clone(Workspace.create(tmp_path / f"w{number}"), str(origin)) for number in range(WRITERS)]

    def write(number: int) -> None:
        for turn in range(EACH):
            clones[number].contribute([submission(tmp_path, f"writer-{'abcdefgh'[number] * 2}", turn)])

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    for clone in clones:
        clone.sync()
    registry.sync()
    subjects = [entry.subject for entry in registry.entries() if entry.event == "contribute"]

    assert len(subjects) == len(set(subjects)) == WRITERS * EACH
    assert {verify_registry(clone.repository).head for clone in clones} == {verify_registry(registry.repository).head}


def test_an_origin_that_is_gone(shared, tmp_path: Path):
    """Without the origin nothing is recorded; when it is back, the same command records it."""
    registry, origin = shared
    origin.rename(tmp_path / "away")
    before = len(registry.entries())

    with pytest.raises(RegistryError, match="git fetch failed"):
        registry.contribute([submission(tmp_path, "ada", 1)])
    assert len(registry.entries()) == before
    (tmp_path / "away").rename(origin)
    registry.contribute([submission(tmp_path, "ada", 1)])
    assert len(registry.entries()) == before + 1


def test_a_remote_that_cannot_be_written(shared, tmp_path: Path):
    """Where the data cannot be pushed, git names none of it."""
    registry, _ = shared
    shutil.rmtree(registry.repository.remote)
    registry.repository.remote.write_text("a file where the folder was")

    with pytest.raises(RegistryError, match="dvc push failed"):
        registry.contribute([submission(tmp_path, "ada", 1)])

    assert registry.snapshot().contributions("docs") == []
    assert registry.repository.changed() == []


def test_a_clock_that_runs_backwards(registry: Registry, hand_in, monkeypatch: pytest.MonkeyPatch):
    """A machine whose clock is behind the last entry records nothing until the clock is set."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    with pytest.raises(RegistryError, match=r"clock of this machine is \d+ s behind the registry's last entry"):
        registry.contribute([hand_in("ada", ("Draw a line", "plotting"))])

    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert len(registry.contribute([hand_in("ada", ("Draw a line", "plotting"))])) == 1


def release_and_erase(registry: Registry, tmp_path: Path) -> None:
    """All that a remote is used for: pushing, reading back without the cache, erasing."""
    registry.declare(SCHEMA)
    (ada,) = registry.contribute([submission(tmp_path, "ada", 1)])
    registry.contribute([submission(tmp_path, "bob", 1)])
    registry.seal_evaluation("docs", write_rows(tmp_path / "e.jsonl", [("Take the mean", "statistics")]))
    release_version(registry, "docs@v1.0.0")
    shutil.rmtree(registry.repository.root / ".dvc" / "cache")

    assert verify_registry(registry.repository).pointers == 4
    erase(registry, ada.id, "steward", "asked for")
    shutil.rmtree(registry.repository.root / ".dvc" / "cache")
    assert verify_registry(registry.repository).erased == 1
    with pytest.raises(IntegrityError, match="missing or damaged"):
        registry.repository.object(ada.md5)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a bucket at a server that speaks S3."""
    pytest.importorskip("dvc_s3")
    with served_bucket(monkeypatch, "registry") as url:
        yield f"{url}/data"


def test_s3(bucket: str, tmp_path: Path):
    """A bucket serves as remote."""
    release_and_erase(Registry.create(Workspace.create(tmp_path / "w"), remote=bucket), tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The URL of a folder behind OpenSSH's server on loopback."""
    pytest.importorskip("dvc_ssh")
    sshd = os.environ.get("SSHD") or shutil.which("sshd") or "/usr/sbin/sshd"
    if not Path(sshd).exists():
        pytest.skip("sshd is not installed")
    host_key, user_key = tmp_path / "host", tmp_path / "user"
    for key in (host_key, user_key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {user_key}.pub\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nPidFile none\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([sshd, "-D", "-e", "-f", config], stderr=subprocess.PIPE)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"ssh://127.0.0.1:{port}{tmp_path / 'data'}"
    process.terminate()
    process.wait()


def test_ssh(server: str, tmp_path: Path):
    """A folder on a machine that is reached by SSH serves as remote."""
    registry = Registry.create(Workspace.create(tmp_path / "w"), remote=server)
    settings = [sys.executable, "-m", "dvc", "remote", "modify", "--local", "storage"]
    subprocess.run([*settings, "keyfile", tmp_path / "user"], cwd=registry.repository.root, check=True)

    release_and_erase(registry, tmp_path)
