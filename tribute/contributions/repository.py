"""The one place that meets git and DVC: a repository of small files in git and of data in DVC's cache.

Knows nothing of datasets. Reads go to commits and to DVC's cache, never to the working tree, so a reader
sees a finished state whatever a writer is doing.
"""

import fcntl
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import yaml

from tribute.errors import IntegrityError, RegistryError

POINTER = ".dvc"
FOLDERS = ("contributions", "datasets", "evaluation")
DATA = ("data.jsonl", "exclusions.parquet")
IDENTITY = ("user.name=Tribute", "user.email=tribute@localhost")
# A person's own git settings must not reach into the registry: no signing, hooks or changed line ends.
SETTINGS = ("commit.gpgsign=false", "tag.gpgsign=false", "core.hooksPath=/dev/null", "core.autocrlf=false")
DVC_CONFIG = """[core]
    remote = local
    analytics = false
    check_update = false
['remote "local"']
    url = ../../{remote}
"""
COMMAND_SECONDS = 900.0
LOCK_SECONDS = 120.0


@dataclass(frozen=True)
class Tag:
    """An annotated tag; `annotated` is False for a plain one, which nothing of ours makes."""

    name: str
    commit: str
    time: str
    annotated: bool


class Repository:
    """A git and DVC repository at `root`; `remote` is the folder that DVC pushes to."""

    def __init__(self, root: Path, remote: Path) -> None:
        self.root = root
        self.remote = remote
        self._marker = root / ".git" / "tribute-transaction"

    @classmethod
    def create(cls, root: Path, remote: Path, ledger: str) -> "Repository":
        """Make the repository with an empty ledger file. A folder appears whole or not at all."""
        making = root.with_name(f".{root.name}.{os.getpid()}")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        try:
            new = cls(making, remote)
            new.git("init", "--initial-branch=main")
            new.dvc("init")
            (making / ".dvc" / "config").write_text(DVC_CONFIG.format(remote=remote.name), encoding="utf-8")
            (making / ".gitignore").write_text("".join(f"{name}\n" for name in DATA), encoding="utf-8")
            (making / ledger).touch()
            new.commit("Begin the registry")
            making.rename(root)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return cls(root, remote)

    def git(self, *arguments: str) -> bytes:
        """Run git; its standard output. Raises RegistryError."""
        options = [part for setting in (*IDENTITY, *SETTINGS) for part in ("-c", setting)]
        return self._run(["git", *options, *arguments], f"git {arguments[0]}")

    def dvc(self, *arguments: str) -> None:
        """Run DVC, waiting for its lock. Raises RegistryError."""
        self._run([sys.executable, "-m", "dvc", "--wait-for-lock", *arguments], f"dvc {arguments[0]}")

    def commit(self, message: str) -> None:
        """Commit everything in the tree, if anything changed."""
        if self.changed():
            self.git("add", "--all")
            self.git("commit", "--message", message)

    def track(self, files: Sequence[Path]) -> None:
        """Put data files under DVC: each gets a pointer beside it. One command for all of them."""
        if files:
            self.dvc("add", *(str(path.relative_to(self.root)) for path in files))

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

    def push(self) -> None:
        """Copy what any pointer in the tree names to the remote."""
        self.dvc("push")

    @contextmanager
    def transaction(self, message: str, tag: str | None = None) -> Iterator[None]:
        """Write files in the body; they are committed (and tagged) at its end, or gone after an exception.

        One writer at a time. What a killed writer left is undone first, or finished if it was committed.
        """
        with self.lock():
            self._marker.write_text("\n".join([message, tag or ""]), encoding="utf-8")
            try:
                yield
                self.commit(message)
                self._end()
            except BaseException:
                # Where even this fails (a full disk), the marker stays and the next writer undoes it.
                with suppress(RegistryError, OSError):
                    self._roll_back()
                raise

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other writers out; entering undoes what a killed one left half-done."""
        with (self.root / ".git" / "tribute-lock").open("w") as file:
            _acquire(file, self.root)
            if self._marker.exists():
                self._roll_back()
            yield

    def _roll_back(self) -> None:
        for lock in (self.root / ".git").rglob("*.lock"):
            lock.unlink()
        self.git("reset", "--hard", "HEAD")
        # Copies of data in the tree go too: the cache has the bytes, `dvc checkout` brings copies back.
        self.git("clean", "-fdx", "--", *FOLDERS)
        self._end()

    def _end(self) -> None:
        """Tag the commit of the transaction that the marker speaks of, if there is one, and forget it."""
        message, _, tag = self._marker.read_text(encoding="utf-8").partition("\n")
        if tag and tag not in {one.name for one in self.tags()}:
            self.tag(tag, message)
        self._marker.unlink()

    def tree(self, revision: str = "HEAD") -> dict[str, bytes]:
        """Path → content of every file that git holds at a revision."""
        archive = self.git("archive", "--format=tar", revision)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            return {member.name: file.read() for member in tar.getmembers() if (file := tar.extractfile(member))}

    def tag(self, name: str, message: str) -> None:
        """An annotated tag on the commit that has exactly this message; none where no commit has it."""
        commits = self.git("log", "--format=%H", "--grep", f"^{re.escape(message)}$").decode().split()
        if commits:
            self.git("tag", "--annotate", name, "--message", message, commits[0])

    def tags(self) -> list[Tag]:
        """All tags, in the order of their names."""
        fields = "%(refname:short)%00%(*objectname)%00%(taggerdate:iso-strict)%00%(objecttype)"
        lines = self.git("for-each-ref", f"--format={fields}", "refs/tags").decode().splitlines()
        parts = [line.split("\0") for line in lines]
        return [Tag(name, commit, when, kind == "tag") for name, commit, when, kind in parts]

    def changed(self) -> list[str]:
        """Paths in the tree that differ from the last commit."""
        lines = self.git("status", "--porcelain", "--untracked-files=all").decode().splitlines()
        return [line[3:] for line in lines]

    def object(self, md5: str) -> Path:
        """The file with these bytes, from DVC's cache or else the remote. Raises IntegrityError."""
        places = [base / "files" / "md5" / md5[:2] / md5[2:] for base in (self.root / ".dvc/cache", self.remote)]
        for path in places:
            if path.exists() and _md5(path) == md5:
                return path
        raise IntegrityError(
            f"{places[0]}: the data with md5 {md5} is missing or damaged there and in {self.remote}; restore either"
        )

    def _run(self, command: list[str], name: str) -> bytes:
        try:
            done = subprocess.run(
                command, cwd=self.root, env=self._environment(), capture_output=True, timeout=COMMAND_SECONDS
            )
        except FileNotFoundError as error:
            raise RegistryError("git is not installed or not on the PATH; install it") from error
        except subprocess.TimeoutExpired as error:
            raise RegistryError(f"{name} took more than {COMMAND_SECONDS:.0f} s in {self.root}; try again") from error
        if done.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise RegistryError(f"{name} failed in {self.root}: {said[0] if said else done.returncode}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        # Inside a git hook GIT_DIR and its like would point every command at another repository.
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        site = self.root / ".dvc" / "tmp" / "site"
        return kept | {"DVC_NO_ANALYTICS": "true", "DVC_SITE_CACHE_DIR": str(site), "LC_ALL": "C.UTF-8"}


def pointer_md5(content: bytes, name: str) -> str:
    """The md5 in a `.dvc` file. Raises IntegrityError."""
    try:
        return str(yaml.safe_load(content)["outs"][0]["md5"])
    except (yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        raise IntegrityError(f"{name}: not a DVC pointer; restore the file") from error


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _acquire(file: IO[str], root: Path) -> None:
    give_up = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > give_up:
                raise RegistryError(f"{root} is being written by another process; try again later") from error
            time.sleep(0.05)
