"""Theorem: an erasure reaches the bucket that machines share, also what only the bucket has."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.s3 import served_bucket
from tests.helpers.terminal import tribute
from tribute.artifacts import Store, read_erased, shared_artifacts
from tribute.contributions.dataset import read_rows
from tribute.contributions.registry import Registry
from tribute.workspace import Workspace


def test_an_erasure_reaches_the_bucket(spare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The tables that other machines fetch from then on are without the rows; ids and hashes stay as they were."""
    home = Workspace.open(spare)
    registry = Registry.open(home)
    [contribution] = [each for each in registry.snapshot().contributions("tiny") if each.contributor_id == "ada"]
    with served_bucket(monkeypatch, "shared") as url:
        monkeypatch.setenv("TRIBUTE_ARTIFACTS", url)
        remote = shared_artifacts()
        ids = {}
        for kind in ("dataset", "adapter", "probe"):
            for artifact in list(home.store.all(kind)):
                assert remote.put(artifact) == artifact.id
                ids[artifact.id] = kind
                # Another machine made it: only the bucket has it.
                shutil.rmtree(artifact.path)

        erased = tribute("erase", contribution.id, "--by", "ada", "--why", "no more", "--yes", "-w", spare, "--json")
        other = Store(tmp_path / "other", remote)
        fetched = {id_: other.get(kind, id_) for id_, kind in ids.items()}

    assert erased.code == 0, erased.err
    [dataset] = [artifact for artifact in fetched.values() if artifact.kind == "dataset"]
    rows = read_rows(dataset, "train")
    gone = rows["contribution_id"] == contribution.id
    assert gone.any()
    assert set(rows[gone]["text"]) == {""}
    assert (rows[~gone]["text"] != "").all()
    assert rows["content_sha256"].notna().all()
    [probe] = [artifact for artifact in fetched.values() if artifact.kind == "probe"]
    for artifact in (dataset, probe):
        assert list(read_erased(artifact.path).contributions) == [contribution.id]
