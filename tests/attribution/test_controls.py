"""Planted controls: the rest stays, what is spoilt is spoilt, copies are caught."""

import pandas as pd
import pytest

from tribute.attribution import controls
from tribute.contributions.rows import content_sha256

TOPICS = ("algebra", "drawing", "networks")


@pytest.fixture
def frame():
    """120 rows of two contributors."""
    rows = [(f"c:{n}", f"owner{n % 2}", f"words about thing {n}", TOPICS[n % 3]) for n in range(120)]
    table = pd.DataFrame(rows, columns=["row_id", "contributor_id", "text", "target"])
    table["content_sha256"] = [content_sha256(*pair) for pair in zip(table["text"], table["target"], strict=True)]
    return table.assign(slice=table["target"])


def test_controls_take_rows_from_their_owners_and_leave_the_others(frame):
    """Same rows in the same order; only the planted ones differ."""
    planted = controls.planted(frame)
    spoilt = planted["contributor_id"].str.startswith(controls.PREFIX)

    assert planted["row_id"].equals(frame["row_id"])
    assert spoilt.sum() == 3 * controls.FEWEST
    assert planted[~spoilt].equals(frame[~spoilt])


def test_spoilt_rows_are_wrong(frame):
    """Most targets are another's, words are turned round, heaps are long."""
    planted = controls.planted(frame).set_index("contributor_id")
    before = frame.set_index("row_id")

    shuffled = planted.loc[controls.PREFIX + "shuffled"]
    assert (shuffled["target"].to_numpy() != before.loc[shuffled["row_id"], "target"].to_numpy()).mean() > 0.5
    assert planted.loc[controls.PREFIX + "irrelevant", "text"].str.contains("sdrow tuoba gniht").all()
    assert (planted.loc[controls.PREFIX + "outliers", "text"].str.count("words about") == controls.HEAP).all()


def test_planting_does_not_change_the_table_it_was_given(frame):
    """The dataset stays what it was."""
    before = frame.copy()

    controls.planted(frame)

    assert frame.equals(before)


def test_disguised_copies_are_excluded(frame):
    """All of them, by the same screening that a release uses."""
    assert controls.excluded_duplicates(frame) == {"rows": 6, "excluded": 6}


def test_splitting_into_ten_names_changes_nothing(frame):
    """But for rounding."""
    scores = frame[["row_id", "contributor_id"]].assign(query="all", credit=[0.1 * n for n in range(120)])

    assert controls.split_change(scores) == pytest.approx(0, abs=1e-9)
