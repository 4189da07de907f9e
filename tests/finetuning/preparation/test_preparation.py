"""What a training reads decides its key, and the cache beside it changes nothing but the time."""

import pytest
import torch

from tests.finetuning.helpers import tiny
from tribute.errors import TrainingError
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.preparation.preparation import prepare, training_inputs
from tribute.finetuning.preparation.task_types import CausalLm, SequenceClassification, task_type


def test_the_lower_layers_are_computed_once_a_dataset(dataset, config, tmp_path):
    """A second preparation reads them back and gives the same losses; so does another seed's."""
    first = prepare(dataset, config, tmp_path, 0)
    (file,) = tmp_path.iterdir()
    made = file.stat().st_mtime_ns

    second = prepare(dataset, config, tmp_path, 1)

    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [made]
    assert torch.equal(first.train.flat(), second.train.flat())
    assert (evaluate(first.model, first.evaluation).losses == evaluate(second.model, second.evaluation).losses).all()


def test_other_layers_have_a_cache_of_their_own(dataset, config, tmp_path):
    """States below layer 1 are of no use to a network that starts at layer 2."""
    prepare(dataset, config, tmp_path)

    prepare(dataset, config.model_copy(update={"lora": config.lora.model_copy(update={"layers": (2,)})}), tmp_path)

    assert len(list(tmp_path.iterdir())) == 2


def test_contributors_stand_beside_their_rows(dataset, config, tmp_path):
    """One name for each training row, in the rows' order."""
    ready = prepare(dataset, config, tmp_path)

    assert [row.partition("-")[0] for row in ready.train.row_ids] == ready.contributors
    assert len(ready.train) == 48


def test_a_seed_brings_an_adapter(dataset, config, tmp_path):
    """Without one the model is the base."""
    assert prepare(dataset, config, tmp_path).model.trainable() == {}
    assert prepare(dataset, config, tmp_path, 0).model.trainable()


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        ({"epochs": 3}, True),
        ({"learning_rate": 1e-3}, True),
        ({"trace_states": 9}, True),
        ({"seeds": [5, 6]}, False),
        ({"timeout_minutes": 1}, False),
    ],
)
def test_only_what_decides_the_result_is_in_the_key(dataset, config, bert, change, matters):
    """Which other seeds there are, and how long one is patient, is not."""
    changed = training_inputs(dataset, tiny.bert_config(bert, **change))

    assert (changed != training_inputs(dataset, config)) == matters


def test_the_task_is_the_datasets(dataset, dialogues):
    """Both kinds exist."""
    assert (type(task_type(dataset)), type(task_type(dialogues))) == (SequenceClassification, CausalLm)


def test_one_label_cannot_be_told_from_another(dataset, config, tmp_path):
    """Nor do the baselines know what to do with it."""
    with pytest.raises(TrainingError, match="all training rows have one label"):
        prepare(dataset, config, tmp_path, alter=lambda frame: frame[frame["target"] == frame["target"].iloc[0]])
