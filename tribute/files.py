"""Files and folders that are there whole or not at all; locks, and what survives a power cut."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside, fsync, rename: a reader sees the old file or the new one, never half of one, power cut or not."""
    with replacing(path) as beside:
        beside.write_bytes(content)
        sync_one(beside)
    sync_one(path.parent)


def write_json(path: Path, value: Any, *, indent: int = 2, sort_keys: bool = False) -> None:
    """Write a JSON value atomically."""
    write_atomically(path, json_bytes(value, indent=indent, sort_keys=sort_keys))


def json_bytes(value: Any, *, indent: int = 2, sort_keys: bool = False) -> bytes:
    """A JSON value for people and programs: indented UTF-8 with a line break at its end."""
    return (json.dumps(value, indent=indent, sort_keys=sort_keys, ensure_ascii=False) + "\n").encode()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` for the body to write a file to, which then takes the place of `path`.

    Where the body fails, `path` stays as it is. Nothing is synced: for what can be made again.
    """
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def making(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """An empty folder `.making-<name>` for the body to fill, which is then synced and renamed to `folder`.

    Where the body fails, nothing is left. What lies there before was left by a killed process and is removed, so two
    at a time need a lock of their own. Every file gets the mode that the umask gives new files, also where the library
    that wrote it lets its owner alone read it (safetensors does). With `replace` an earlier folder goes last: a folder
    that holds files cannot be renamed over, so there is an instant at which only `.replaced-<name>` stands.
    """
    beside = folder.with_name(f".making-{folder.name}")
    old = folder.with_name(f".replaced-{folder.name}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        _share(beside)
        sync(beside)
        if replace and folder.exists():
            folder.rename(old)
        beside.rename(folder)
        sync_one(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep every other process and thread that locks this file out while the body runs; death unlocks.

    The file is removed afterwards; whoever waited for it then finds that it is no longer the one at `path`. Without
    `wait` raises BlockingIOError where another one holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(path, file.fileno()):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _share(folder: Path) -> None:
    """Give all files below a new folder its own rights to read and write, which are those of the umask."""
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def sync(folder: Path) -> None:
    """Make every file below a folder, and the folder itself, survive a power cut."""
    for path in (*folder.rglob("*"), folder):
        sync_one(path)


def sync_one(path: Path) -> None:
    """Make the bytes of a file, or the names in a folder, survive a power cut: a rename needs its folder synced."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
