"""The preconditioner is the inverse of the Gauss–Newton matrix, as far as it claims to be.

The matrix is built explicitly where it is small: GᵀG from the derivative of every prediction by every parameter.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.finetuning.helpers import tiny
from tribute.attribution.gradients import curvature
from tribute.attribution.gradients.curvature import Curvature, fit, midpoints, turn
from tribute.attribution.gradients.row_gradients import row_gradients_of
from tribute.attribution.gradients.sampled_labels import draw
from tribute.errors import IntegrityError
from tribute.finetuning.encoding.encoding import IGNORED
from tribute.finetuning.optimizers.adam import Adam
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.recording.trace import Trace, assign, flatten
from tribute.finetuning.recording.trace_states import State

pytestmark = pytest.mark.numeric

TASKS = ("sequence-classification", "causal-lm")


@pytest.fixture(scope="module", params=TASKS)
def ready(request, tmp_path_factory):
    """A model with some sixty trained parameters away from its start, and a few rows; read only."""
    causal = request.param == "causal-lm"
    dataset = request.getfixturevalue("dialogues" if causal else "dataset")
    base = request.getfixturevalue("llama" if causal else "bert")
    make = tiny.llama_config if causal else tiny.bert_config
    lora = {"r": 1, "target_modules": ["down_proj" if causal else "value"], "layers": [1]}
    made = prepare(dataset, make(base, lora=lora), tmp_path_factory.mktemp("scratch"), 0)
    chance = torch.Generator().manual_seed(1)
    theta = flatten(made.model.trainable())
    assign(made.model.trainable(), theta + 0.3 * torch.randn(theta.shape, generator=chance))
    return replace(made, train=made.train.take(range(8)))


@pytest.fixture(scope="module")
def metric(ready):
    """A metric that is not flat."""
    width = len(flatten(ready.model.trainable()))
    return 0.5 + torch.rand(width, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def fitted(ready, metric):
    """The curvature from enough draws to be near the explicit matrix."""
    patch = pytest.MonkeyPatch()
    patch.setattr(curvature, "SAMPLES", (512, 4096))
    patch.setattr(curvature, "SAMPLES_PER_ROW", 10**6)
    point = flatten(ready.model.trainable())
    found = fit(ready.model, ready.train, [point], metric)
    patch.undo()
    return found


def explicit(ready, metric):
    """Mean over rows of the mean over tokens of Jᵀ (diag p − ppᵀ) J, [parameters, parameters], in the metric."""
    model, theta, step = ready.model, flatten(ready.model.trainable()), 1e-2
    total = torch.zeros(len(theta), len(theta))
    for row in range(len(ready.train)):
        batch = ready.train.collate([row])

        def logs(at, batch=batch, row=row):
            assign(model.trainable(), at)
            with torch.no_grad():
                found = model.log_probabilities(batch)[0]
            labels = ready.train.targets[row]
            wanted = (
                [] if isinstance(labels, int) else [place - 1 for place, one in enumerate(labels) if one != IGNORED]
            )
            return found[wanted] if wanted else found[None]

        chances = logs(theta).exp()
        unit = torch.eye(len(theta)) * step
        slopes = torch.stack([(logs(theta + one) - logs(theta - one)) / (2 * step) for one in unit], dim=-1)
        # For log probabilities l: Jᵀ (diag p − ppᵀ) J of the logits is Σ p ∇l ∇lᵀ.
        total += torch.einsum("tv,tvp,tvq->pq", chances, slopes, slopes) / len(chances) / len(ready.train)
    assign(model.trainable(), theta)
    return metric[:, None] * total * metric


def test_it_inverts_the_explicit_matrix(ready, metric, fitted):
    """Where every coordinate is in the block, nothing but the draws' chance is left of the difference."""
    truth = explicit(ready, metric)
    gradients = torch.randn(20, len(metric), generator=torch.Generator().manual_seed(3))

    found = fitted.precondition(gradients, 1.0)

    offset = torch.eye(len(truth)) * truth.diagonal().mean()
    expected = torch.linalg.solve(truth + offset, (gradients * metric).T).T * metric
    assert len(fitted.strongest) == len(metric)
    assert float(fitted.eigenvalues.sum() / truth.trace()) == pytest.approx(1, abs=0.1)
    assert float((found - expected).norm() / expected.norm()) < 0.1


def test_a_block_of_the_strongest_comes_close(ready, metric, fitted, monkeypatch):
    """With a quarter of the coordinates in the block, the rest as a diagonal, it is nearer than a diagonal alone."""
    monkeypatch.setattr(curvature, "SAMPLES_PER_ROW", 128)
    gradients = torch.randn(20, len(metric), generator=torch.Generator().manual_seed(3))
    expected = fitted.precondition(gradients, 0.1)

    missed = []
    for strongest in (0, len(metric) // 4):
        monkeypatch.setattr(curvature, "STRONGEST", strongest)
        found = fit(ready.model, ready.train, [flatten(ready.model.trainable())], metric).precondition(gradients, 0.1)
        missed.append(float((found - expected).norm() / expected.norm()))

    assert missed[1] < missed[0]
    assert missed[1] < 0.5


def test_a_long_side_keeps_its_coordinates(ready, metric, fitted, monkeypatch):
    """Without its eigenbasis, which would cost too much, the block still holds the whole matrix."""
    monkeypatch.setattr(curvature, "LONGEST_SIDE", 8)
    monkeypatch.setattr(curvature, "SAMPLES_PER_ROW", 512)
    gradients = torch.randn(20, len(metric), generator=torch.Generator().manual_seed(3))

    found = fit(ready.model, ready.train, [flatten(ready.model.trainable())], metric)

    expected = fitted.precondition(gradients, 1.0)
    assert all(len(basis) <= 8 for basis in found.bases.values())
    assert float((found.precondition(gradients, 1.0) - expected).norm() / expected.norm()) < 0.1


def test_any_parameter_is_turned_and_turned_back():
    """Matrices, biases and stacks of matrices; what has no basis stays."""
    shapes = {"a": (3, 4), "b": (5,), "c": (2, 3, 2)}
    chance = torch.Generator().manual_seed(0)
    bases = {
        name: torch.linalg.qr(torch.randn(size, size, generator=chance))[0]
        for name, size in {"a/0": 3, "a/1": 4, "b/0": 5, "c/1": 6}.items()
    }
    gradients = torch.randn(7, 29, generator=chance)

    turned = turn(gradients, shapes, bases)

    assert torch.allclose(turned[:, 12:17], gradients[:, 12:17] @ bases["b/0"], atol=1e-5)
    assert torch.allclose(turn(turned, shapes, bases, back=True), gradients, atol=1e-5)


def test_strong_damping_leaves_the_metric(fitted, metric):
    """(G + λI)⁻¹ g becomes g in the metric, divided by λ."""
    gradients = torch.randn(5, len(metric), generator=torch.Generator().manual_seed(4))

    found = fitted.precondition(gradients, 1e6)

    assert torch.allclose(found * 1e6 * fitted.eigenvalues.mean(), gradients * metric**2, rtol=1e-3, atol=1e-5)


def test_coordinates_give_the_same_product(fitted, metric):
    """Two gradients' coordinates, weighted and multiplied, are their product over the inverse."""
    chance = torch.Generator().manual_seed(5)
    rows, answers = (torch.randn(count, len(metric), generator=chance) for count in (6, 3))

    coordinates = [fitted.coordinates(one, len(metric)) for one in (rows, answers)]

    products = coordinates[0] * fitted.weights(10.0, len(metric)) @ coordinates[1].T
    assert torch.allclose(products, fitted.precondition(rows, 10.0) @ answers.T, rtol=1e-3, atol=1e-3)


def test_the_same_draws_give_the_same_bytes(ready, metric, monkeypatch):
    """A fit depends on rows, parameters and seed alone."""
    monkeypatch.setattr(curvature, "SAMPLES_PER_ROW", 4)
    point = flatten(ready.model.trainable())

    first, again, other = (fit(ready.model, ready.train, [point], metric, seed) for seed in (0, 0, 1))

    assert torch.equal(first.values, again.values)
    assert not torch.equal(first.values, other.values)


def test_labels_are_drawn_as_the_model_predicts(ready):
    """As often as it gives them probability, and only where a label was."""
    rows = ready.train.take([0] * 4000)

    drawn, tokens = draw(ready.model, rows, torch.Generator().manual_seed(0))

    with torch.no_grad():
        chances = ready.model.log_probabilities(ready.train.collate([0]))[0].exp()
    if isinstance(rows.targets[0], int):
        found, place = np.array(drawn.targets), None
    else:
        place = next(place for place, label in enumerate(rows.targets[0]) if label != IGNORED)
        found = np.array([labels[place] for labels in drawn.targets])
        assert all((a == IGNORED) == (b == IGNORED) for a, b in zip(drawn.targets[0], rows.targets[0], strict=True))
        chances = chances[place - 1]
    frequencies = np.bincount(found, minlength=len(chances)) / len(found)
    assert np.abs(frequencies - chances.numpy()).max() < 0.04
    assert float(tokens[0]) == (1 if place is None else len(rows.targets[0]) - place)


def test_gradients_over_points_are_their_mean(ready):
    """And the model is left at the last of them."""
    theta = flatten(ready.model.trainable())
    points = [theta, theta * 0.5]

    alone = []
    for point in points:
        assign(ready.model.trainable(), point)
        alone.append(torch.cat([one.clone() for _, one in row_gradients_of(ready.model, ready.train, [3])]))
    mean = torch.cat([one.clone() for _, one in row_gradients_of(ready.model, ready.train, [3], points)])
    left = flatten(ready.model.trainable())
    assign(ready.model.trainable(), theta)

    assert torch.allclose(mean, (alone[0] + alone[1]) / 2, rtol=1e-5, atol=1e-7)
    assert torch.equal(left, points[1])


def test_midpoints_are_the_nearest_recorded():
    """A quarter and three quarters of the way."""
    states = [State(step, {"theta": torch.full((1,), float(step))}.__getitem__) for step in (0, 9, 28, 71, 100)]
    trace = Trace(0, 8, Adam(), {"w": (1,)}, np.zeros(100), [[]] * 100, states)

    assert [float(point) for point in midpoints(trace)] == [28, 71]


def test_what_is_saved_is_read_again(fitted, tmp_path):
    """Bit by bit, with the layout's order."""
    fitted.save(tmp_path / "curvature.safetensors")

    again = Curvature.load(tmp_path / "curvature.safetensors")

    gradients = torch.randn(3, len(fitted.metric), generator=torch.Generator().manual_seed(6))
    assert list(again.shapes) == list(fitted.shapes)
    assert torch.equal(again.precondition(gradients, 1.0), fitted.precondition(gradients, 1.0))


@pytest.mark.parametrize("damage", ["flip", "cut", "nothing"])
def test_damage_is_named(fitted, tmp_path, damage):
    """A file with other bytes, or none, is one line that says which and what to do."""
    path = tmp_path / "curvature.safetensors"
    if damage != "nothing":
        fitted.save(path)
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.write_bytes(content[:-9] if damage == "cut" else content)

    with pytest.raises(IntegrityError, match=rf"{path}: .*; delete its folder and run the command again") as raised:
        Curvature.load(path)

    assert "\n" not in str(raised.value)
