"""A packed row has the loss and the gradient that it has alone: no token of another row reaches it."""

import numpy as np
import pytest
import torch

from tests.finetuning.helpers import tiny
from tribute.attribution.credit.inrun import in_run_credit
from tribute.errors import TrainingError
from tribute.finetuning.encoding.packing import batches, pack
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.recording.trace import flatten
from tribute.finetuning.training.training import train

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def packing(llama):
    """All linear layers with dropout, in packs of four rows or so, recorded at every step."""
    lora = {"target_modules": "all-linear", "dropout": 0.2}
    return tiny.llama_config(llama, lora=lora, packing=True, tokens_at_once=96, trace_states=64, learning_rate=3e-3)


@pytest.fixture(params=["sdpa", "eager"])
def ready(request, dialogues, packing, tmp_path):
    """Model and rows, with adapters that do something, by either kind of attention."""
    ready = prepare(dialogues, packing, tmp_path, 0)
    ready.model.network.set_attn_implementation(request.param)
    torch.manual_seed(1)
    with torch.no_grad():
        for value in ready.model.trainable().values():
            value.normal_(std=0.2)
    return ready


def gradient(model, losses):
    found = torch.autograd.grad(losses.sum(), list(model.trainable().values()))
    return flatten(dict(enumerate(found)))


def test_losses_and_gradients_are_those_of_padded_rows(ready):
    """Each row's, to the precision of float32, with dropout as well."""
    model, rows, chosen = ready.model, ready.train, [7, 0, 12, 3]

    packed, padded = model.row_losses(pack(rows, chosen, 5)), model.row_losses(rows.collate(chosen, 5))

    assert len(set(rows.lengths()[chosen])) > 1
    assert torch.allclose(packed, padded, rtol=1e-4, atol=1e-5)
    for place in range(len(chosen)):
        alone = gradient(model, model.row_losses(rows.collate([chosen[place]], 5)))
        within = gradient(model, model.row_losses(pack(rows, chosen, 5))[place])
        assert float((within - alone).norm() / alone.norm()) < 1e-4


def test_other_rows_do_not_reach_a_packed_row(ready):
    """Whatever stands beside it."""
    model, rows = ready.model, ready.train

    with torch.no_grad():
        losses = [model.row_losses(pack(rows, beside, 5))[1] for beside in ([7, 0, 12], [20, 0, 3])]

    assert losses[0] == pytest.approx(float(losses[1]), rel=1e-5)


def test_packs_hold_what_they_may(dialogues, packing, tmp_path):
    """Every row once, without padding, and no more tokens than the budget."""
    rows = prepare(dialogues, packing, tmp_path, 0).train
    made = list(batches(rows, range(20), 0, are_packed=True))

    assert sum(batch["input_ids"].numel() for batch in made) == rows.lengths()[:20].sum()
    assert all(batch["input_ids"].numel() <= 96 for batch in made)
    assert sum(int(batch["row"][0, -1]) + 1 for batch in made) == 20
    assert len(made) < 10


def test_a_packed_training_is_walked_and_credited(dialogues, packing, tmp_path):
    """It takes the way of a padded one but for rounding, and its credits sum to the fall of the loss."""
    trainings = []
    for name, is_packed in (("packed", True), ("padded", False)):
        config = packing.model_copy(update={"packing": is_packed})
        ready = prepare(dialogues, config, tmp_path / name, 0)
        trainings.append((ready, train(ready.model, ready.train, config, 0, tmp_path / name / "own")))
    (ready, packed), (_, padded) = trainings

    first, last = (packed.trace.states[place].theta for place in (0, -1))
    assert float((last - padded.trace.states[-1].theta).norm() / (last - first).norm()) < 1e-3
    weights = np.full(len(ready.evaluation), 1 / len(ready.evaluation))
    credit = in_run_credit(ready.model, ready.train, ready.evaluation, weights, packed.trace)
    assert credit.drift < 0.005
    assert credit.scores.sum() == pytest.approx(credit.losses[0] - credit.losses[-1], rel=0.01)


def test_packing_is_refused_where_it_would_leak(dataset, config, dialogues, packing, tmp_path, monkeypatch):
    """For labels, and for a base that does not look at positions."""
    with pytest.raises(TrainingError, match=r"finetuning\.packing is for causal-lm: a label is of a whole text"):
        prepare(dataset, config.model_copy(update={"packing": True}), tmp_path, 0)

    monkeypatch.setattr("transformers.masking_utils.find_packed_sequence_indices", lambda positions: None)
    with pytest.raises(TrainingError, match="the base lets packed rows see each other; set it to false"):
        prepare(dialogues, packing, tmp_path, 0)
