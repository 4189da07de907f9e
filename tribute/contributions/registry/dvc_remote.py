"""Data in DVC's cache and remote, of whatever kind DVC reaches (folder, SSH, S3): the one place that meets DVC.

Another kind of remote is an extra in pyproject.toml and no code here. Small pointer files name the data in git. Knows
nothing of datasets or transactions. Reads go to DVC's cache, never to the working tree.
"""

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tribute.contributions.registry.git import Git
from tribute.contributions.registry.surroundings import git_environment, remotes_only
from tribute.errors import IntegrityError, RegistryError
from tribute.strict import parse_yaml

POINTER = ".dvc"
"""The ending of a pointer file: `data.jsonl.dvc` names the content of `data.jsonl`."""


class DataStore(Git):
    """A git working tree whose data lies in DVC's cache and remote.

    DVC's remote is the folder `remote` unless the repository's config says otherwise.
    """

    def __init__(self, root: Path, remote: Path) -> None:
        super().__init__(root)
        self.remote = remote
        self._pointers: dict[tuple[str, str], bytes] = {}

    def dvc(self, *arguments: str) -> None:
        """Run DVC, waiting for its lock. Raises RegistryError."""
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]
        self._run(command, f"dvc {arguments[0]}", self._environment())

    def add(self, files: Mapping[str, Path]) -> None:
        """Put data under DVC: path in the tree → file with its content. One command for all of them.

        Only inside a transaction. Where others read the registry, the remote has the data before git names it.
        """
        keys = {path: (path, content_md5(file)) for path, file in files.items()}
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
            if path.exists() and content_md5(path) == md5:
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
            if content_md5(making) != md5:
                return False
            making.replace(cached)
        except FileNotFoundError:
            return False
        finally:
            making.unlink(missing_ok=True)
        return True

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in git_environment(self.root).items() if not name.startswith("DVC_")}
        site = self.root / ".dvc" / "tmp" / "site"
        return kept | _persons_configs() | {"DVC_NO_ANALYTICS": "true", "DVC_SITE_CACHE_DIR": str(site)}


@cache
def _persons_configs() -> dict[str, str]:
    """DVC's variables for folders with copies of a person's settings that hold their remotes alone."""
    from dvc import dirs

    folders = {"DVC_SYSTEM_CONFIG_DIR": dirs.system_config_dir(), "DVC_GLOBAL_CONFIG_DIR": dirs.global_config_dir()}
    copies = Path(tempfile.mkdtemp(prefix="tribute-dvc-"))
    atexit.register(shutil.rmtree, copies, ignore_errors=True)
    for variable, folder in folders.items():
        (copies / variable).mkdir()
        original = Path(folder) / "config"
        if original.is_file():
            (copies / variable / "config").write_text(remotes_only(original.read_text(encoding="utf-8")))
    return {variable: str(copies / variable) for variable in folders}


def pointer_md5(content: bytes, name: str) -> str:
    """The md5 in a `.dvc` file. Raises IntegrityError."""
    try:
        return str(parse_yaml(content)["outs"][0]["md5"])
    except (yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        raise IntegrityError(f"{name}: not a DVC pointer; restore the file") from error


def content_md5(path: Path) -> str:
    """DVC's name for a file's bytes: 32 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
