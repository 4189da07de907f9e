"""The one place that meets DVC: a repository of small files in git and of data in DVC's cache and remote.

Knows nothing of datasets. Reads go to commits and to DVC's cache, never to the working tree, so a reader
sees a finished state whatever a writer is doing.
"""

import fcntl
import hashlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import yaml

from tribute.contributions.registry.git import MAIN, SHARED, Git
from tribute.errors import IntegrityError, RegistryError

POINTER = ".dvc"
FOLDERS = ("contributions", "contributors", "datasets", "evaluation", "policies")
DATA = ("data.jsonl", "exclusions.parquet")
DVC_CONFIG = """[core]
    remote = storage
    analytics = false
    check_update = false
['remote "storage"']
    url = {url}
"""
STAGING = "tribute-staging"
LOCK_SECONDS = 120.0
ATTEMPTS = 200
"""Each failed one means that another writer succeeded."""
CLOCK_SECONDS = 60
"""By so much the clocks of two writers may differ."""

Result = TypeVar("Result")


class Repository(Git):
    """A git and DVC repository at `root`; DVC's remote is the folder beside it unless its config says otherwise."""

    def __init__(self, root: Path, remote: Path) -> None:
        super().__init__(root)
        self.remote = remote
        self._marker = root / ".git" / "tribute-transaction"
        self._pointers: dict[tuple[str, str], bytes] = {}
        self.rehearsing = False
        """Transactions run and check all they would write, and then leave nothing."""

    @classmethod
    def create(cls, root: Path, remote: Path, ledger: str, url: str = "", origin: str = "") -> "Repository":
        """Make the repository with an empty ledger file. A folder appears whole or not at all."""
        making = root.with_name(f".{root.name}.{os.getpid()}")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        try:
            new = cls(making, remote)
            new.git("init", f"--initial-branch={MAIN}")
            new.dvc("init")
            config = DVC_CONFIG.format(url=url or f"../../{remote.name}")
            (making / ".dvc" / "config").write_text(config, encoding="utf-8")
            (making / ".gitignore").write_text("".join(f"{name}\n" for name in DATA), encoding="utf-8")
            (making / ledger).touch()
            (making / ".git" / STAGING).mkdir()
            new.commit("Begin the registry")
            if origin:
                new.git("remote", "add", "origin", origin)
                new.git("push", "--quiet", "origin", MAIN)
                new.fetch()
            making.rename(root)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return cls(root, remote)

    @classmethod
    def clone(cls, root: Path, remote: Path, origin: str) -> "Repository":
        """A clone of a shared repository, whole or not at all."""
        making = root.with_name(f".{root.name}.{os.getpid()}")
        making.mkdir(parents=True)
        try:
            new = cls(making, remote)
            new.git("clone", "--quiet", "--branch", MAIN, origin, ".")
            making.rename(root)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return cls(root, remote)

    def dvc(self, *arguments: str) -> None:
        """Run DVC, waiting for its lock. Raises RegistryError."""
        self._run([sys.executable, "-m", "dvc", "--wait-for-lock", *arguments], f"dvc {arguments[0]}")

    def transact(self, message: str, body: Callable[[], Result], tag: str | None = None) -> Result:
        """Run `body`, which writes files of the tree; they are committed (and tagged) or gone after an exception.

        One writer at a time in this clone. With an origin the commit is pushed, and where another clone pushed
        one in between, `body` runs again on top of it: it must read the registry anew each time. What a killed
        writer left is undone first, or finished if it was committed.
        """
        with self.lock():
            for attempt in range(ATTEMPTS):
                self._bring_up_to_date()
                result, done = self._attempt(message, body, tag)
                if done:
                    return result
                time.sleep(random.uniform(0, min(2.0, 0.05 * 2**attempt)))
        raise RegistryError(f"{self.root}: other writers were faster {ATTEMPTS} times; try again later")

    def _attempt(self, message: str, body: Callable[[], Result], tag: str | None) -> tuple[Result, bool]:
        self._marker.write_text("\n".join([message, "" if self.rehearsing else tag or ""]), encoding="utf-8")
        try:
            result = body()
            if self.rehearsing:
                self._roll_back()
                return result, True
            before = self.git("rev-parse", "HEAD")
            self.commit(message)
            if self.is_shared() and self.git("rev-parse", "HEAD") != before:
                if tag:
                    self.tag(tag, message)
                if not self.publish([tag] if tag else []):
                    self._roll_back()
                    return result, False
            self._end()
        except BaseException:
            # Where even this fails (a full disk), the marker stays and the next writer undoes it.
            with suppress(RegistryError, OSError):
                self._roll_back()
            raise
        return result, True

    def _bring_up_to_date(self) -> None:
        if self.is_shared():
            self.sync()
        ahead = self.head_time() - time.time()
        if ahead > CLOCK_SECONDS:
            raise RegistryError(
                f"the clock of this machine is {ahead:.0f} s behind the registry's last entry; "
                "set the clock, then run the command again"
            )

    def sync(self) -> None:
        """See what other clones pushed; without an origin there is nothing to see."""
        if self.is_shared():
            self.fetch()
            self.git("reset", "--quiet", "--hard", SHARED)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other writers out; entering undoes what a killed one left half-done."""
        with (self.root / ".git" / "tribute-lock").open("w") as file:
            _acquire(file, self.root)
            # A killed writer's git or DVC goes on for a while: its lock holds until that has ended, too.
            self._held = (file.fileno(),)
            try:
                if self._marker.exists():
                    self._roll_back()
                yield
            finally:
                self._held = ()

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder on the same disk for what is not recorded yet."""
        folder = self.root / ".git" / STAGING
        folder.mkdir(exist_ok=True)
        for left in folder.iterdir():
            if not _is_alive(int(left.name.partition("-")[0])):
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f"{os.getpid()}-") as own:
            yield Path(own)

    def _roll_back(self) -> None:
        for lock in (self.root / ".git").rglob("*.lock"):
            lock.unlink()
        if self.is_shared():
            self.git("reset", "--quiet", "--hard", SHARED)
            self._drop_tag()
        else:
            self.git("reset", "--quiet", "--hard", "HEAD")
        # Copies of data in the tree go too: the cache has the bytes, `dvc checkout` brings copies back.
        self.git("clean", "-fdxq", "--", *FOLDERS)
        self._end()

    def _drop_tag(self) -> None:
        """Of a transaction that never reached the origin, or reached it unseen: the next fetch brings it back."""
        tag = self._marker.read_text(encoding="utf-8").partition("\n")[2]
        if tag in {one.name for one in self.tags()}:
            self.git("tag", "--delete", tag)

    def _end(self) -> None:
        """Tag the commit of the transaction that the marker speaks of, if there is one, and forget it."""
        message, _, tag = self._marker.read_text(encoding="utf-8").partition("\n")
        if tag and not self.is_shared() and tag not in {one.name for one in self.tags()}:
            self.tag(tag, message)
        self._marker.unlink()

    def add(self, files: Mapping[str, Path]) -> None:
        """Put data under DVC: path in the tree → file with its content. One command for all of them.

        Only inside a transaction. Where others read the registry, the remote has the data before git names it.
        """
        keys = {path: (path, _md5(file)) for path, file in files.items()}
        new = [path for path, key in keys.items() if key not in self._pointers]
        for path in new:
            self.copy(files[path], path)
        if new:
            self.dvc("add", *new)
            if self.is_shared():
                self.dvc("push", *(path + POINTER for path in new))
        for path, key in keys.items():
            if path in new:
                self._pointers[key] = (self.root / (path + POINTER)).read_bytes()
            else:
                self.write(path + POINTER, self._pointers[key])

    def write(self, path: str, content: bytes) -> None:
        """Write a file of the tree; only inside a transaction, which undoes it after an exception."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def copy(self, file: Path, path: str) -> Path:
        """Copy a file into the tree; the same holds."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # What is there from an earlier time may be write-protected by DVC.
        target.unlink(missing_ok=True)
        shutil.copyfile(file, target)
        return target

    def remove(self, path: str) -> None:
        """Remove a file of the tree, a data file's pointer together with the copy beside it; the same holds."""
        (self.root / path).unlink()
        (self.root / path.removesuffix(POINTER)).unlink(missing_ok=True)

    def push(self) -> None:
        """Copy what any pointer in the tree names to the remote."""
        self.dvc("push")

    def object(self, md5: str) -> Path:
        """The file with these bytes, from DVC's cache or else the remote. Raises IntegrityError."""
        cached, local = (base / "files" / "md5" / md5[:2] / md5[2:] for base in (self._cache, self.remote))
        for path in (cached, local):
            if path.exists() and _md5(path) == md5:
                return path
        if self._fetched(md5, cached):
            return cached
        raise IntegrityError(
            f"{cached}: the data with md5 {md5} is missing or damaged there and in {self.storage()}; restore either"
        )

    def storage(self) -> str:
        """Where DVC's remote is: a folder's path or a URL."""
        with self._remote() as odb:
            return str(odb.fs.unstrip_protocol(odb.path)).removeprefix("file://")

    def forget(self, md5s: Iterable[str]) -> None:
        """Remove these bytes from cache and remote, for good. Raises RegistryError where the remote refuses."""
        with self._remote() as odb:
            for md5 in md5s:
                path = odb.oid_to_path(md5)
                try:
                    if odb.fs.exists(path):
                        odb.fs.remove(path)
                except OSError as error:
                    raise RegistryError(f"{path} cannot be removed from the remote ({error}); try again") from error
                cached = self._cache / "files" / "md5" / md5[:2] / md5[2:]
                cached.unlink(missing_ok=True)

    @property
    def _cache(self) -> Path:
        return self.root / ".dvc" / "cache"

    @contextmanager
    def _remote(self) -> Iterator[Any]:
        """DVC's own view of the remote: local, SSH and S3 alike."""
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        os.environ.setdefault("DVC_NO_ANALYTICS", "true")
        try:
            with Repo(str(self.root)) as repo:
                yield repo.cloud.get_remote_odb()
        except DvcException as error:
            raise RegistryError(f"{self.root}: the remote cannot be used ({error}); see .dvc/config") from error

    def _fetched(self, md5: str, cached: Path) -> bool:
        """Copy the bytes from the remote into the cache; False where it does not have them."""
        making = cached.with_name(f".{cached.name}.{os.getpid()}")
        making.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._remote() as odb:
                odb.fs.get_file(odb.oid_to_path(md5), str(making))
            if _md5(making) != md5:
                return False
            making.replace(cached)
        except FileNotFoundError:
            return False
        finally:
            making.unlink(missing_ok=True)
        return True

    def _environment(self) -> dict[str, str]:
        site = self.root / ".dvc" / "tmp" / "site"
        return super()._environment() | {"DVC_NO_ANALYTICS": "true", "DVC_SITE_CACHE_DIR": str(site)}


def pointer_md5(content: bytes, name: str) -> str:
    """The md5 in a `.dvc` file. Raises IntegrityError."""
    try:
        return str(yaml.load(content, yaml.CSafeLoader)["outs"][0]["md5"])
    except (yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        raise IntegrityError(f"{name}: not a DVC pointer; restore the file") from error


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _acquire(file: IO[str], root: Path) -> None:
    give_up = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > give_up:
                raise RegistryError(f"{root} is being written by another process; try again later") from error
            time.sleep(0.05)
