"""The optimiser is Adam where gradients are large, and smooth where they vanish."""

import pytest
import torch

from tribute.finetuning.optimizers.adam import Adam, RootAdam

pytestmark = pytest.mark.numeric


def steps(optimizer, parameter, gradients):
    """The parameter after each step."""
    way = []
    for gradient in gradients:
        parameter.grad = gradient
        optimizer.step()
        way.append(parameter.detach().clone())
    return torch.stack(way)


def parameter():
    return torch.nn.Parameter(torch.ones(3))


@pytest.fixture
def gradients():
    """Ten gradients of size about 1."""
    return torch.randn(10, 3, generator=torch.Generator().manual_seed(0))


def test_it_is_torchs_adam_where_gradients_are_far_above_eps(gradients):
    """Then it does not matter where eps stands."""
    own, torchs = parameter(), parameter()

    found = steps(RootAdam([own], 0.1, Adam()), own, gradients)

    assert torch.allclose(found, steps(torch.optim.Adam([torchs], 0.1), torchs, gradients), rtol=1e-4)


def test_far_below_eps_a_step_is_proportional_to_the_gradient():
    """No kink at 0: half the gradient, half the step, where torch's Adam takes whole steps of either sign."""
    adam = Adam()
    weak = [torch.tensor([0.1, -0.05, 0.0]) * adam.eps]
    own = parameter()

    found = steps(RootAdam([own], 1.0, adam), own, weak)[0] - 1

    assert torch.allclose(found, torch.tensor([-0.1, 0.05, 0.0]), rtol=1e-2)


def test_a_parameter_without_a_gradient_stays(gradients):
    """Nor does it get a state."""
    used, unused = parameter(), parameter()
    optimizer = RootAdam([used, unused], 0.1, Adam())

    steps(optimizer, used, gradients)

    assert torch.equal(unused, torch.ones(3))
    assert unused not in optimizer.state


def test_a_saved_state_goes_on_where_it_stopped(gradients):
    """As transformers.Trainer resumes it: the moments and the number of steps come back."""
    whole, first = parameter(), parameter()
    expected = steps(RootAdam([whole], 0.1, Adam()), whole, gradients)
    before = RootAdam([first], 0.1, Adam())
    steps(before, first, gradients[:5])
    second = torch.nn.Parameter(first.detach().clone())
    after = RootAdam([second], 0.3, Adam())

    after.load_state_dict(before.state_dict())

    assert torch.equal(steps(after, second, gradients[5:]), expected[5:])
