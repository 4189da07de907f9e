"""Theorem: the allocation follows from the artifacts that the manifest names; what does not is found."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from tests.rewards.helpers.forging import edit, rehash
from tribute.artifacts import Store, read_artifact
from tribute.errors import IntegrityError, RegistryError
from tribute.rewards import tables
from tribute.rewards.verification.recompute import verify_deep


@pytest.fixture
def store(world):
    return Store(world.dataset.path.parents[2])


def test_a_good_period_is_allocated_again_to_the_unit(paid, store):
    """From shares, evidence, card and policy."""
    checks = verify_deep(paid.path, store)

    assert len(checks) == 2
    assert checks[1].startswith("10 lines are allocated again, to the unit, from ")


def test_several_currencies_and_tokens_too(world, store, tmp_path):
    """Whatever rule pays in whatever currency."""
    several = world.pay(tmp_path / "w", fees=[("10", "ETH"), ("7000", "JPY")])

    assert verify_deep(several.path, store)[1].startswith("20 lines are allocated again")


def test_a_score_that_nobody_measured_is_found(folder, store):
    """Consistent in itself, score, weight and amount alike, but not what the attribution says."""

    def lucky(rows):
        rows[5]["score_se"], rows[6]["score_se"] = rows[6]["score_se"], rows[5]["score_se"]

    edit(folder, "allocation", lucky)

    with pytest.raises(IntegrityError, match=r"allocation\.csv: not what shares, evidence and policy allocate"):
        verify_deep(folder, store)


def test_other_evidence_is_found(folder, store):
    """Evidence that sums to the scores, but is not the attribution's."""
    table = tables.read_evidence(folder / "evidence.parquet")
    queries = table["query"].to_pylist()
    swapped = table.set_column(table.column_names.index("query"), "query", [queries[::-1]])
    tables.write_evidence(folder / "evidence.parquet", swapped)
    rehash(folder)

    with pytest.raises(IntegrityError, match=r"evidence\.parquet: not the scores of attribution"):
        verify_deep(folder, store)


def test_another_card_is_found(folder, store):
    """A card that passes where the attribution's did not."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps(card | {"validation": "full"}), encoding="utf-8")
    rehash(folder)

    with pytest.raises(IntegrityError, match=r"card\.json: not the card of attribution"):
        verify_deep(folder, store)


def test_without_the_artifacts_it_says_so(paid, tmp_path):
    """A copy in another workspace has nothing to recompute from."""
    with pytest.raises(RegistryError, match="there is no dataset artifact"):
        verify_deep(paid.path, Store(tmp_path))


def test_a_damaged_artifact_is_named(paid, store, tmp_path):
    """One bit in the shares is found before anything is recomputed."""
    copy = Store(tmp_path)
    shutil.copytree(store.root, copy.root)
    attribution = copy.get("attribution", read_artifact(paid.path).inputs["attribution"])
    path = attribution.file("shares.parquet")
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)

    with pytest.raises(IntegrityError, match=r"shares\.parquet: sha256"):
        verify_deep(paid.path, copy)
