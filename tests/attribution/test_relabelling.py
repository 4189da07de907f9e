"""Rows are the players, end to end: trained and credited anew under other names, the table is the same."""

import numpy as np
import pandas as pd
import pytest

from tests.attribution.helpers.runs import measurements, run_of
from tests.finetuning.helpers import tiny
from tribute.attribution.combine import scores_table
from tribute.attribution.credit.stand_in_artifact import slices_of
from tribute.attribution.measurement import measure
from tribute.attribution.plan import INRUN, STAND_IN

pytestmark = pytest.mark.numeric

RELABELLED = {
    "merged": {"ada": "ada", "bob": "ada", "cyd": "cyd", "dan": "cyd"},
    "exchanged": {"ada": "dan", "bob": "cyd", "cyd": "bob", "dan": "ada"},
    "one": dict.fromkeys(("ada", "bob", "cyd", "dan"), "z"),
}


def evidence(root, config, names=None):
    """Two seeds trained and measured in child processes on the tiny dataset, under other names if there are any."""
    dataset = tiny.make_dataset(root, names=names) if names else tiny.make_dataset(root)
    adapters = [tiny.make_adapter(root, dataset, config, seed) for seed in (0, 1)]
    run = run_of(root, dataset, adapters, config)
    credits = [measure(run, INRUN, seed) for seed in (0, 1)]
    return measurements(dataset, adapters, credits=credits, probes=[measure(run, STAND_IN, None)])


def content(found):
    """Which text is in which row of the table."""
    frame = pd.read_parquet(found.dataset.file("train.parquet")).set_index("row_id")
    return frame.loc[list(found.rows.row_ids), "content_sha256"].tolist()


@pytest.fixture(scope="module")
def honest(tmp_path_factory, bert):
    """As the rows were handed in."""
    return evidence(tmp_path_factory.mktemp("honest"), tiny.bert_config(bert))


@pytest.mark.parametrize("names", RELABELLED.values(), ids=RELABELLED)
def test_the_table_of_row_and_seed_is_the_same_under_any_names(honest, names, tmp_path, bert):
    """Every row, seed and fold, and the figures of the old names summed from it, to 1e-9."""
    other = evidence(tmp_path, tiny.bert_config(bert), names)

    assert content(other) == content(honest)
    assert np.abs(other.table.credit - honest.table.credit).max() < 1e-9
    assert np.abs(other.table.folds - honest.table.folds).max() < 1e-9
    again, before = other.by_row.named(honest.rows.owner), honest.estimate()
    for figure in ("credit", "known", "scatter"):
        assert getattr(again, figure) == pytest.approx(getattr(before, figure), abs=1e-9)


def test_credit_by_query_sums_to_credit_and_is_what_both_witnesses_say(honest):
    """In-run credit of each query and the stand-in's, each by what it counts; the rest of a row's credit evenly."""
    scores = scores_table(honest).pivot(index="row_id", columns="query", values="credit").loc[list(honest.rows.row_ids)]
    walked = [pd.read_parquet(credit.file("scores.parquet")) for credit in honest.credits]
    in_run = [table.pivot(index="row_id", columns="query", values="credit").loc[scores.index] for table in walked]
    scaled = np.stack([table * walk.scale for table, walk in zip(in_run, honest.in_run, strict=True)])
    own = np.average(scaled, axis=0, weights=[walk.weight for walk in honest.in_run])
    stood = slices_of(honest.probes[0].path, list(scores.index))[list(scores.columns)].to_numpy()
    said = honest.table.per_in_run * own + honest.table.per_stand_in * stood

    assert scores.sum(axis=1).to_numpy() == pytest.approx(honest.by_row.credit, abs=1e-9)
    assert apart(scores.to_numpy()) == pytest.approx(apart(said), abs=1e-9)
    assert np.abs(apart(honest.table.per_stand_in * stood)).max() > 1e-4


def apart(values):
    """By how much each query differs from the row's mean."""
    return values - values.mean(axis=1, keepdims=True)
