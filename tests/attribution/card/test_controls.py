"""Planted controls: the rest stays, what is spoilt is spoilt, copies are caught."""

import numpy as np
import pandas as pd
import pytest

from tribute.attribution.card import controls
from tribute.attribution.credit import planted_rows
from tribute.attribution.retraining.jobs import TrainedRows
from tribute.attribution.shares.estimate import Estimate
from tribute.contributions.rows import content_sha256

TOPICS = ("algebra", "drawing", "networks")


@pytest.fixture
def frame():
    """120 rows of two contributors."""
    rows = [(f"c:{n}", f"owner{n % 2}", f"words about thing {n}", TOPICS[n % 3]) for n in range(120)]
    table = pd.DataFrame(rows, columns=["row_id", "contributor_id", "text", "target"])
    table["content_sha256"] = [content_sha256(*pair) for pair in zip(table["text"], table["target"], strict=True)]
    return table.assign(slice=table["target"])


def certain(credit):
    """An estimate of just these credits."""
    return Estimate(credit, 0 * credit, 0 * credit, 1)


def test_controls_take_rows_from_their_owners_and_leave_the_others(frame):
    """Same rows in the same order; only the planted ones differ."""
    planted = planted_rows.planted(frame)
    spoilt = planted["contributor_id"].str.startswith(planted_rows.PREFIX)

    assert planted["row_id"].equals(frame["row_id"])
    assert spoilt.sum() == 3 * planted_rows.FEWEST
    assert planted[~spoilt].equals(frame[~spoilt])


def test_spoilt_rows_are_wrong(frame):
    """Most targets are another's, words are turned round, heaps are long."""
    planted = planted_rows.planted(frame).set_index("contributor_id")
    before = frame.set_index("row_id")

    shuffled = planted.loc[planted_rows.PREFIX + "shuffled"]
    assert (shuffled["target"].to_numpy() != before.loc[shuffled["row_id"], "target"].to_numpy()).mean() > 0.5
    assert planted.loc[planted_rows.PREFIX + "irrelevant", "text"].str.contains("sdrow tuoba gniht").all()
    assert (planted.loc[planted_rows.PREFIX + "outliers", "text"].str.count("words about") == planted_rows.HEAP).all()


def test_planting_does_not_change_the_table_it_was_given(frame):
    """The dataset stays what it was."""
    before = frame.copy()

    planted_rows.planted(frame)

    assert frame.equals(before)


def test_disguised_copies_are_excluded(frame):
    """All of them, by the same screening that a release uses."""
    assert controls.excluded_duplicates(frame) == {"rows": 6, "excluded": 6}


def rows_of(owners):
    """A population with a row for each of `owners`."""
    return TrainedRows.of([f"c:{place}" for place in range(len(owners))], owners)


def test_splitting_into_ten_names_changes_nothing():
    """But for rounding, where every part helps."""
    rows = rows_of(["ada"] * 60 + ["bo"] * 20)
    credit = np.linspace(0.5, 1.0, 80)

    found = controls.split_figures(rows, lambda named: certain(named.sums(credit)))

    assert found == {"names": 10, "change": pytest.approx(0, abs=1e-12), "share_change": pytest.approx(0, abs=1e-12)}


def test_a_split_shows_what_clipping_hides():
    """Of ada's rows every tenth harms: under ten names one of them is clipped, and the other nine keep their credit."""
    rows = rows_of(["ada"] * 60 + ["bo"] * 20)
    credit = np.array([-1.0 if place % 10 == 0 else 1.0 for place in range(60)] + [1.0] * 20)

    found = controls.split_figures(rows, lambda named: certain(named.sums(credit)))

    assert found["change"] == pytest.approx(0, abs=1e-12)
    assert found["share_change"] == pytest.approx(54 / 74 - 48 / 68)


def test_a_split_shows_an_estimate_that_hangs_on_names():
    """Here it pays every name alike."""
    rows = rows_of(["ada"] * 60 + ["bo"] * 20)

    found = controls.split_figures(rows, lambda named: certain(np.full(len(named.names), 1 / len(named.names))))

    assert found["change"] == pytest.approx(10 / 11 - 1 / 2)
