"""Transactions on a repository of small files in git and of data in DVC: all of one is recorded, or nothing.

Knows nothing of datasets. Reads go to commits, never to the working tree, so a reader sees a finished state
whatever a writer is doing.
"""

import fcntl
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

from tribute.contributions.registry.dvc_remote import DataStore
from tribute.contributions.registry.git import MAIN, SHARED
from tribute.errors import RegistryError

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


class Repository(DataStore):
    """A git and DVC repository at `root`.

    With `dry_run` transactions run and check all that they would write, and then leave nothing.
    """

    def __init__(self, root: Path, remote: Path, *, dry_run: bool = False) -> None:
        super().__init__(root, remote)
        self.dry_run = dry_run
        self._marker = root / ".git" / "tribute-transaction"

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
        self._marker.write_text("\n".join([message, "" if self.dry_run else tag or ""]), encoding="utf-8")
        try:
            result = body()
            if self.dry_run:
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
        if tag in {known.name for known in self.tags()}:
            self.git("tag", "--delete", tag)

    def _end(self) -> None:
        """Tag the commit of the transaction that the marker speaks of, if there is one, and forget it."""
        message, _, tag = self._marker.read_text(encoding="utf-8").partition("\n")
        if tag and not self.is_shared() and tag not in {known.name for known in self.tags()}:
            self.tag(tag, message)
        self._marker.unlink()


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
