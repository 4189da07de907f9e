"""Theorem: same inputs, same bytes, same id; a folder appears whole or not at all; one changed byte is found."""

import json
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute import files
from tribute.artifacts import Artifact, Kind, Store, artifact_key, manifest, read_artifact, verify_artifact
from tribute.digests import canonical_digest
from tribute.errors import IntegrityError, RegistryError

values = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)

ADAPTER, CREDIT = Kind("adapter", "tribute.errors"), Kind("credit", "tribute.errors")
EDITED = Kind("adapter", "tribute.money")


def make(store: Store, content: str = "made", **config: object) -> Artifact:
    """An artifact with one file."""

    def build(folder: Path) -> dict[str, str]:
        (folder / "part").mkdir()
        (folder / "part" / "file.txt").write_text(content)
        return {"mlflow_run_id": os.urandom(4).hex()}

    return store.make(ADAPTER, {"dataset": "0" * 64}, config, build)


def test_made_once(tmp_path: Path):
    """The second time it is found, without a call of `build`."""
    first, second = make(Store(tmp_path)), make(Store(tmp_path), "never written")

    assert (first.found, second.found) == (False, True)
    assert first == second
    assert second.file("part/file.txt").read_text() == "made"


def test_the_id_is_that_of_inputs_and_outputs(tmp_path: Path):
    """Two stores give one id to the same content, whatever the provenance; other content has another."""
    one, two, other = (make(Store(tmp_path / name), name[:3]) for name in ("same-1", "same-2", "other"))

    assert one.id == two.id != other.id
    assert one.provenance != two.provenance
    assert one.id == canonical_digest(one.identity)


CHANGES = [{"kind": CREDIT}, {"kind": EDITED}, {"inputs": {"dataset": "1"}}, {"config": {"seed": 1}}]


@pytest.mark.parametrize("change", CHANGES)
def test_the_key_holds_everything_that_decides(change: dict):
    """Another kind, code, input or setting is another folder."""
    ingredients = {"kind": ADAPTER, "inputs": {"dataset": "0"}, "config": {"seed": 0}}

    assert artifact_key(**ingredients) != artifact_key(**(ingredients | change))


def test_changed_code_makes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A changed library never serves what an older one made."""
    make(Store(tmp_path))
    monkeypatch.setattr(manifest, "code_digest", lambda module: "another version")

    assert not make(Store(tmp_path)).found


def test_a_failure_leaves_nothing(tmp_path: Path):
    """When `build` raises, no folder stays, and the next attempt makes it."""

    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        Store(tmp_path).make(ADAPTER, {"dataset": "0" * 64}, {}, fail)

    assert list((tmp_path / "artifacts" / "adapter").iterdir()) == []
    assert not make(Store(tmp_path)).found


def test_what_a_killed_process_left_is_swept(tmp_path: Path):
    """What lies half-made of the same artifact was left by a killed process: whoever makes it holds its lock."""
    store = Store(tmp_path)
    made = make(store)
    half = made.path.rename(made.path.with_name(f".making-{made.path.name}"))
    (half / "half").write_text("half")

    again = make(store)

    assert again.id == made.id
    assert not half.exists()


def test_a_folder_without_its_manifest_is_named_before_anything_is_made(tmp_path: Path):
    """The work would be lost: a folder that is there cannot be renamed over."""
    folder = make(Store(tmp_path)).path
    (folder / "manifest.json").unlink()

    with pytest.raises(IntegrityError, match=f"{folder}: a folder without its manifest.json; restore .*or delete"):
        Store(tmp_path).make(ADAPTER, {"dataset": "0" * 64}, {}, lambda _: pytest.fail("it was built"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: content["identity"]["files"].clear(), "the identity does not have the id"),
        (lambda content: content.update(identity=None), "the identity does not have the id"),
        (lambda content: content.pop("id"), "no readable manifest"),
    ],
)
def test_an_edited_manifest_is_not_read(tmp_path: Path, edit, message: str):
    """Whoever leaves a file out of it leaves the file unchecked."""
    manifest = make(Store(tmp_path)).file("manifest.json")
    content = json.loads(manifest.read_text())
    edit(content)
    manifest.write_text(json.dumps(content))

    with pytest.raises(IntegrityError, match=message):
        make(Store(tmp_path))


@pytest.mark.parametrize("content", ["[]", '{"id": "0", "identity": {"config": NaN}, "provenance": {}}'])
def test_a_manifest_that_no_one_here_wrote_is_not_read(tmp_path: Path, content: str):
    """But JSON, or nearly so."""
    manifest = make(Store(tmp_path)).file("manifest.json")
    manifest.write_text(content)

    with pytest.raises(IntegrityError, match=re.escape(f"{manifest}: no readable manifest")):
        read_artifact(manifest.parent)


def test_an_artifact_under_anothers_name_is_not_found(tmp_path: Path):
    """Intact as it is, it was made from something else."""
    one, other = (make(Store(tmp_path), seed=seed) for seed in (0, 1))
    shutil.rmtree(one.path)
    shutil.copytree(other.path, one.path)

    with pytest.raises(IntegrityError, match=f"of another artifact than .* delete {one.path} and run again"):
        make(Store(tmp_path), seed=0)


def test_two_at_once(tmp_path: Path):
    """Of two that make the same, the one that comes second waits and takes the first one's folder."""
    builds: list[Path] = []

    def slow(folder: Path) -> None:
        builds.append(folder)
        time.sleep(0.2)
        (folder / "file.txt").write_text("made")

    def one(_: int) -> Artifact:
        return Store(tmp_path).make(ADAPTER, {"dataset": "0" * 64}, {}, slow)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(one, range(2))

    assert first == second
    assert len(builds) == 1
    assert sorted([first.found, second.found]) == [False, True]


def test_get_by_prefix(tmp_path: Path):
    """An id may be cut to 8 digits, not to fewer."""
    store = Store(tmp_path)
    made = make(store)

    assert store.get("adapter", made.id[:8]) == made
    for wrong in (made.id[:7], "f" * 64):
        with pytest.raises(RegistryError, match=f"there is no adapter artifact {wrong}"):
            store.get("adapter", wrong)


def test_every_byte_counts(tmp_path: Path):
    """One changed byte, in a file or in the manifest, is found and its file named."""
    path = make(Store(tmp_path)).path
    for file in (path / "part" / "file.txt", path / "manifest.json"):
        good = file.read_bytes()
        for place in range(0, len(good), 7):
            file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            with pytest.raises(IntegrityError, match=file.name):
                verify_artifact(path)
        file.write_bytes(good)

    assert verify_artifact(path).id == read_artifact(path).id


@pytest.mark.parametrize(("name", "message"), [("part/file.txt", "missing"), (None, "not in the manifest")])
def test_files_that_went_or_came(tmp_path: Path, name: str | None, message: str):
    """A file that is missing and one that is not listed are named."""
    path = make(Store(tmp_path)).path
    if name is None:
        (path / "more.txt").touch()
    else:
        (path / name).unlink()

    with pytest.raises(IntegrityError, match=message):
        verify_artifact(path)


@pytest.mark.parametrize("name", ["link", "part/link", "folder"])
def test_a_link_or_an_empty_folder_is_found(tmp_path: Path, name: str):
    """A link could lead to other bytes tomorrow, and an empty folder is no part of what was made."""
    path = make(Store(tmp_path)).path
    if name == "folder":
        (path / name).mkdir()
    else:
        (path / name).symlink_to(tmp_path)

    with pytest.raises(IntegrityError, match=f"{name}: a link, an empty folder or no file"):
        verify_artifact(path)


def test_a_listed_file_that_became_a_link_is_found(tmp_path: Path):
    """The same bytes through a link are not the file."""
    file = make(Store(tmp_path)).path / "part" / "file.txt"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(IntegrityError, match=r"file\.txt: a link"):
        verify_artifact(file.parents[1])


def test_a_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """When writing fails the old content stands, and nothing lies beside it."""
    path = tmp_path / "run.json"
    files.write_atomically(path, b"old")

    def fail(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        files.write_atomically(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@given(values)
def test_the_digest_is_of_the_value(value: object):
    """A JSON value has the same digest after it was written and read, in whatever order its keys come."""
    again = json.loads(json.dumps(value, sort_keys=True))

    assert canonical_digest(again) == canonical_digest(value)
