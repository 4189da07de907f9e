"""Objects below an S3 address; the one place that meets s3fs, and where its faults become one line.

Credentials come from where boto finds them (AWS_*, a profile, the machine's role), never from the address.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from tribute.errors import StorageAwayError, StorageError

VARIABLE = "TRIBUTE_ARTIFACTS"
SCHEME = "s3://"
LIMITS = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 3}}
"""Seconds for a connection and for an answer, and how often boto asks."""
EXISTS, CONFLICTS = ("PreconditionFailed", "412"), ("ConditionalRequestConflict", "409")
"""What S3 answers where an object exists, and where another machine writes it just now."""


class Bucket:
    """The objects below an address such as `s3://bucket/prefix`; names are relative to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._root = url.removeprefix(SCHEME)

    def check(self) -> None:
        """Raise StorageError unless objects can be written here, and only where there are none."""
        name = f"locks/check-{uuid4().hex}"
        self.create(name, b"tribute")
        overwritten = self.create(name, b"tribute")
        self.remove(name)
        if overwritten:
            raise StorageError(
                f"{VARIABLE}: the server of {self.url} ignores `If-None-Match: *`, so two machines could make one "
                "artifact twice; use a store with conditional writes"
            )

    def create(self, name: str, content: bytes) -> bool:
        """Write an object where there is none; False where there is one."""
        while True:
            try:
                with self._speaking() as files:
                    files.pipe_file(f"{self._root}/{name}", content, mode="create")
            except FileExistsError:
                return False
            except _ConflictError:
                time.sleep(0.1)
                continue
            return True

    def write(self, name: str, content: bytes) -> None:
        """Write an object, in place of the one that is there."""
        with self._speaking() as files:
            files.pipe_file(f"{self._root}/{name}", content)

    def read(self, name: str) -> bytes | None:
        """An object's content; None where there is none."""
        with self._speaking() as files:
            try:
                return bytes(files.cat_file(f"{self._root}/{name}"))
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                return None

    def names(self, prefix: str) -> list[str]:
        """The names of all objects that begin with `prefix`, in order."""
        wanted = f"{self._root}/{prefix}"
        folder, _, start = wanted.rpartition("/")
        with self._speaking() as files:
            listed = files.find(folder, prefix=start)
        # Where the listing is empty s3fs asks for the folder itself, which another machine may have made meanwhile.
        return sorted(name.removeprefix(f"{self._root}/") for name in listed if name.startswith(wanted))

    def upload(self, file: Path, name: str) -> None:
        """Write a file as an object."""
        with self._speaking() as files:
            files.put_file(str(file), f"{self._root}/{name}")

    def download(self, name: str, file: Path) -> None:
        """Write an object to a file, whose folder is made."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._speaking() as files:
            files.get_file(f"{self._root}/{name}", str(file))

    def remove(self, *names: str) -> None:
        """Remove objects, one after the other."""
        with self._speaking() as files:
            for name in names:
                files.rm_file(f"{self._root}/{name}")

    @property
    def _files(self) -> Any:
        """One for all buckets and threads of a process: s3fs keeps it, and makes another one after a fork."""
        from s3fs import S3FileSystem

        # Other machines write as well, so listings are asked for each time.
        return S3FileSystem(config_kwargs=LIMITS, use_listings_cache=False)

    @contextmanager
    def _speaking(self) -> Iterator[Any]:
        """The file system; what it cannot do is one line without anything of the credentials."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

        try:
            yield self._files
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise StorageError(
                f"{VARIABLE}: no credentials for {self.url} were found; set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, on every machine that runs tasks"
            ) from error
        except (BotoCoreError, ClientError, OSError) as error:
            raise self._told(error, _code(error)) from error

    def _told(self, error: Exception, code: str) -> Exception:
        if code in EXISTS or isinstance(error, FileExistsError):
            return FileExistsError(code)
        if code in CONFLICTS:
            return _ConflictError(code)
        if isinstance(error, PermissionError):
            return StorageError(
                f"{VARIABLE}: the server of {self.url} refuses the credentials ({code}); they must allow to list, "
                "read, write and delete below it"
            )
        if isinstance(error, FileNotFoundError):
            return StorageError(
                f"{VARIABLE}: {self.url} has no such bucket or object ({code}); create the bucket, or correct the "
                "address"
            )
        return StorageAwayError(
            f"{VARIABLE}: the server of {self.url} does not answer as it should ({code}); look at AWS_ENDPOINT_URL and "
            "at the network, then run again: what was made is kept"
        )


class _ConflictError(Exception):
    """Another machine writes the same object just now."""


def shared_bucket() -> Bucket | None:
    """The bucket of TRIBUTE_ARTIFACTS; None where it is not set. Raises StorageError for another address."""
    url = os.environ.get(VARIABLE, "").strip().rstrip("/")
    return _bucket(url) if url else None


@cache
def _bucket(url: str) -> Bucket:
    place = url.removeprefix(SCHEME)
    if not url.startswith(SCHEME) or place.startswith("/") or not place or set("@:?#") & set(place):
        # Not shown: it may hold a password.
        raise StorageError(
            f"{VARIABLE}: found another address than a bucket's; expected s3://BUCKET/PREFIX, with the credentials in "
            "AWS_* and the server in AWS_ENDPOINT_URL"
        )
    if find_spec("s3fs") is None:
        raise StorageError(f"{VARIABLE}: s3fs is not installed; run `pip install 'tribute[s3]'`, or unset {VARIABLE}")
    return Bucket(url)


def _code(error: BaseException) -> str:
    """What S3 calls the fault, or the error's name: a message may quote more than one wants to show."""
    answer = getattr(error.__cause__ or error, "response", None)
    return str(answer["Error"].get("Code")) if isinstance(answer, dict) and "Error" in answer else type(error).__name__
