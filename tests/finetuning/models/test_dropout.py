"""Dropout's masks are those of a seed, a step and a row, whatever stands beside the row; each is a fair coin."""

import pytest
import torch
from peft.tuners.lora import LoraLayer
from torch import nn

from tests.finetuning.helpers import tiny
from tribute.errors import TrainingError
from tribute.finetuning.encoding.token_keys import token_keys
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.dropout import RowDropout, TokensInPass
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.training.training import train

pytestmark = pytest.mark.numeric

ROWS = [[5, 9, 2, 7], [5, 9, 2], [1, 1, 3, 8, 4]]
WIDTH = 400


def masks(rows, step=3, seed=0, name="layer", probability=0.3, width=None):
    tokens = TokensInPass()
    longest = width or max(map(len, rows))
    with tokens.of(token_keys(rows, step, longest)):
        return RowDropout(probability, seed, name, tokens)(torch.ones(len(rows), longest, WIDTH))


def test_a_rows_mask_is_its_own():
    """Alone, beside longer rows and in another order, it is the same."""
    together, alone = masks(ROWS), masks([ROWS[1]])

    assert torch.equal(together[1, :3], alone[0])
    assert torch.equal(masks([ROWS[2], ROWS[0]])[1, :4], together[0, :4])


@pytest.mark.parametrize("change", [{"step": 4}, {"seed": 1}, {"name": "other"}, {"rows": [[5, 9, 2, 8]]}])
def test_another_step_seed_layer_or_row_drops_other_features(change):
    """Two masks agree as often as chance has it."""
    first, second = masks([ROWS[0]]), masks(**({"rows": [ROWS[0]]} | change))

    agree = ((first > 0) == (second > 0)).float().mean()
    assert agree == pytest.approx(0.7**2 + 0.3**2, abs=0.05)


def test_the_dropped_part_is_the_probability():
    """Over rows, tokens and features alike; what is kept is scaled up, so that the mean stays."""
    kept = masks([[number, 7, 7, number] for number in range(200)], probability=0.1)

    assert sorted({round(value, 6) for value in kept.unique().tolist()}) == [0, round(1 / 0.9, 6)]
    for dims in ((1, 2), (0, 2), (0, 1)):
        rates = (kept == 0).float().mean(dims)
        assert float(rates.mean()) == pytest.approx(0.1, abs=0.003)
        # No row, token or feature is off by more than chance: six standard deviations.
        terms = kept.numel() / len(rates)
        assert float((rates - 0.1).abs().max()) < 6 * (0.1 * 0.9 / terms) ** 0.5


def test_neighbours_are_independent():
    """Tokens and features side by side agree as often as chance has it."""
    dropped = (masks([[number] * 8 for number in range(100)], probability=0.5) == 0).float()

    for one, other in ((dropped[:, 1:], dropped[:, :-1]), (dropped[..., 1:], dropped[..., :-1])):
        assert float((one == other).float().mean()) == pytest.approx(0.5, abs=0.01)


def test_layers_that_mix_rows_are_refused():
    """In one line that names layer and setting."""
    tokens = TokensInPass()
    layer = RowDropout(0.1, 0, "experts.3", tokens)

    with (
        tokens.of(token_keys(ROWS, 0, 5)),
        pytest.raises(TrainingError, match=r"lora\.dropout: experts\.3 does not see tokens row by row; take"),
    ):
        layer(torch.ones(15, 8))


@pytest.fixture(scope="module")
def dropping(llama):
    """LoRA with dropout on both layers."""
    return tiny.llama_config(llama, lora={"target_modules": ["q_proj", "down_proj"], "dropout": 0.2})


def run(dataset, config, scratch, **options):
    ready = prepare(dataset, config, scratch, 0)
    return ready, train(ready.model, ready.train, config, 0, scratch / "own", **options)


def test_dropout_is_in_training_steps_alone(dialogues, dropping, tmp_path):
    """Without a step there is none: evaluations of the model in training mode are those of evaluation mode."""
    ready = prepare(dialogues, dropping, tmp_path, 0)
    with torch.no_grad():
        for value in ready.model.trainable().values():
            value.normal_(std=0.3)
    with_step, without = (ready.model.row_losses(ready.train.collate([0, 1], step)) for step in (0, None))
    expected = evaluate(ready.model.eval(), ready.evaluation).losses

    assert not torch.allclose(with_step, without, rtol=1e-3)
    assert (evaluate(ready.model.train(), ready.evaluation).losses == expected).all()


def test_micro_batches_and_checkpointing_drop_the_same(dialogues, dropping, tmp_path):
    """The losses of all steps stay the same but for rounding, or to the byte."""
    small = dropping.model_copy(update={"tokens_at_once": 64})
    again = small.model_copy(update={"gradient_checkpointing": True})
    curves = [
        run(dialogues, config, tmp_path / str(place))[1].curve for place, config in enumerate([dropping, small, again])
    ]

    whole, parts, checkpointed = ([point["loss"] for point in curve] for curve in curves)
    assert parts == pytest.approx(whole, rel=1e-3)
    assert checkpointed == parts


def test_dropout_changes_the_training(dialogues, dropping, llama, tmp_path):
    """By more than rounding, and by the seed of the adapter."""
    plain = tiny.llama_config(llama, lora={"target_modules": ["q_proj", "down_proj"]})
    _, dropped = run(dialogues, dropping, tmp_path / "a")
    _, kept = run(dialogues, plain, tmp_path / "b")

    assert torch.equal(dropped.trace.states[0].theta, kept.trace.states[0].theta)
    way = (kept.trace.states[-1].theta - kept.trace.states[0].theta).norm()
    assert (dropped.trace.states[-1].theta - kept.trace.states[-1].theta).norm() > 0.05 * way


def test_the_exported_adapter_says_its_dropout(dialogues, dropping, tmp_path):
    """PEFT's config has the probability, and its dropout stands in no trained layer."""
    ready = prepare(dialogues, dropping, tmp_path, 0)

    assert ready.model.network.peft_config["default"].lora_dropout == 0.2
    layers = [module for module in ready.model.network.modules() if isinstance(module, LoraLayer)]
    assert layers
    assert not any(isinstance(module, nn.Dropout) for layer in layers for module in layer.lora_dropout.modules())
