"""Theorem: a file or a folder is there whole or not at all, whatever breaks off its making."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tribute import files
from tribute.files import json_bytes, locked, making, replacing, write_atomically, write_json


def names(folder: Path) -> list[str]:
    """What lies in a folder, hidden names included."""
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_when_it_is_full(tmp_path: Path):
    """Until the body ends, nothing stands under the name; then the folder, and nothing beside it."""
    with making(tmp_path / "run") as folder:
        (folder / "a").write_text("a")
        before = names(tmp_path)

    assert before == [".making-run"]
    assert names(tmp_path) == ["run"]
    assert (tmp_path / "run" / "a").read_text() == "a"


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path):
    """An error in the body removes what it made, and what a killed process left under the name before."""
    (tmp_path / ".making-run").mkdir()
    (tmp_path / ".making-run" / "stale").touch()

    def fail() -> None:
        with making(tmp_path / "run") as folder:
            assert names(folder) == []
            (folder / "a").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert names(tmp_path) == []


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_files_of_a_folder_get_the_mode_that_the_umask_gives(tmp_path: Path, umask: int):
    """A library that writes for its owner alone (safetensors) does not decide who may read an artifact."""
    before = os.umask(umask)
    try:
        with making(tmp_path / "run") as folder:
            (folder / "inner").mkdir()
            for file in (folder / "plain", folder / "inner" / "private"):
                file.touch()
            (folder / "inner" / "private").chmod(0o600)
    finally:
        os.umask(before)

    files = (tmp_path / "run" / "plain", tmp_path / "run" / "inner" / "private")
    assert [file.stat().st_mode & 0o777 for file in files] == [0o666 & ~umask] * 2


def test_a_lock_leaves_no_file_and_lets_one_in_at_a_time(tmp_path: Path):
    """Whoever waited for a lock whose file was removed takes the new one: no two bodies run together."""
    path, inside, most = tmp_path / "locks" / "key", [], []

    def body(_: int) -> None:
        with locked(path):
            inside.append(1)
            time.sleep(0.001)
            most.append(len(inside))
            inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(body, range(80)))

    assert most == [1] * 80
    assert names(path.parent) == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_folder_is_replaced_or_stays(tmp_path: Path, fails: bool):
    """With `replace` the new folder takes the old one's place; where the body fails, the old one stays."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").touch()
    try:
        with making(tmp_path / "run", replace=True) as folder:
            (folder / "new").touch()
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass

    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["old" if fails else "new"]


def test_a_folder_is_not_replaced_unasked(tmp_path: Path):
    """A folder that holds files is an error, and stays as it was."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").touch()
    with pytest.raises(OSError, match="not empty"), making(tmp_path / "run") as folder:
        (folder / "new").touch()

    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["old"]


def test_a_file_that_fails_stays_as_it_was(tmp_path: Path):
    """An error while the new file is written keeps the old one and leaves nothing beside it."""
    file = tmp_path / "table.npy"
    file.write_text("old")

    def fail() -> None:
        with replacing(file) as beside:
            assert beside.suffix == ".npy"
            beside.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert names(tmp_path) == ["table.npy"]
    assert file.read_text() == "old"


def test_a_power_cut_finds_the_bytes_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The file is synced before it gets its name, and the folder after."""
    file, synced = tmp_path / "file", []
    fsync = files.sync_one
    monkeypatch.setattr(files, "sync_one", lambda path: (fsync(path), synced.append((path.name, file.exists()))))
    write_atomically(file, b"content")

    assert file.read_bytes() == b"content"
    assert synced == [(f".{os.getpid()}-file", False), (tmp_path.name, True)]


@pytest.mark.parametrize(("indent", "sort_keys"), [(1, False), (2, True)])
def test_json_is_for_people_and_programs(tmp_path: Path, indent: int, sort_keys: bool):
    """UTF-8 as it is written, indented, in the order asked for, with a line break at the end."""
    value = {"name": "Łódź", "amount": "1.00"}
    write_json(tmp_path / "value.json", value, indent=indent, sort_keys=sort_keys)
    text = (tmp_path / "value.json").read_text(encoding="utf-8")

    assert text.encode() == json_bytes(value, indent=indent, sort_keys=sort_keys)
    assert json.loads(text) == value
    assert list(json.loads(text)) == (sorted(value) if sort_keys else list(value))
    assert "Łódź" in text
    assert text.endswith(f"\n{'}'}\n")
    assert text.splitlines()[1].startswith(" " * indent + '"')
