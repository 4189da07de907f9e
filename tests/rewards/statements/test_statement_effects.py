"""What a statement says of leaving somebody out: measured where it was, else predicted, else nothing."""

import pandas as pd
import pytest

from tribute.artifacts import Store
from tribute.attribution.combine import ATTRIBUTION
from tribute.attribution.effects.predicted_artifact import INFLUENCE
from tribute.errors import IntegrityError
from tribute.rewards.period.draft import REWARDS
from tribute.rewards.statements.document import Effect
from tribute.rewards.statements.statements import effects


def a_period(root, predicted, measured):
    """A period paid by an attribution that read these predictions [contributor → nats], one a seed."""
    store = Store(root)

    def table(name, rows):
        return lambda folder: pd.DataFrame(rows).to_parquet(folder / name, index=False)

    made = {}
    for seed, one in enumerate(predicted):
        name = "left_out.parquet" if one else "influence.parquet"
        rows = {"contributor_id": list(one), "effect": list(one.values())}
        made[f"influence-{seed}"] = store.make(INFLUENCE, {}, {"seed": seed}, table(name, rows)).id
    attribution = store.make(ATTRIBUTION, made, {}, table("effects.parquet", measured))
    return store, store.make(REWARDS, {"attribution": attribution.id}, {}, lambda folder: None)


MEASURED = {"contributor_id": ["ada", "bob"], "effect": [0.4, -0.1], "effect_se": [0.05, float("nan")]}


def test_measured_goes_before_predicted(tmp_path):
    """Predictions are the mean over the trainings that made one; one seed has no standard error."""
    found = effects(*a_period(tmp_path, [{"ada": 0.3, "cyd": 0.2}, {"ada": 0.5, "cyd": 0.4}], MEASURED))

    assert found == {
        "ada": Effect(0.4, 0.05, measured=True),
        "bob": Effect(-0.1, None, measured=True),
        "cyd": Effect(pytest.approx(0.3), None, measured=False),
    }


def test_a_period_from_before_there_were_predictions(tmp_path):
    """Says what was measured, and nothing of the others."""
    assert set(effects(*a_period(tmp_path, [{}], MEASURED))) == {"ada", "bob"}


@pytest.mark.parametrize(("kind", "name"), [("influence", "left_out.parquet"), ("attribution", "effects.parquet")])
def test_a_table_that_is_not_as_it_was_written_is_refused(tmp_path, kind, name):
    """What a contributor is told was measured or predicted by this very file."""
    store, period = a_period(tmp_path, [{"ada": 0.3}], MEASURED)
    file = next(store.all(kind)).file(name)
    table = pd.read_parquet(file)
    table.assign(effect=9.0).to_parquet(file, index=False)

    with pytest.raises(IntegrityError, match=f"{name}: sha256 .* restore the file"):
        effects(store, period)
