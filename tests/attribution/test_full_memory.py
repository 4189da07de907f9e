"""A GPU whose memory is full ends every job with one line, wherever it is met: loading, training, walking."""

from unittest.mock import patch

import pytest
import torch

from tests.attribution.helpers.runs import folders_in, run_of
from tests.finetuning.helpers.tiny import ignore
from tribute.attribution.credit.inrun_artifact import control_job, credit_job
from tribute.attribution.credit.stand_in_artifact import stand_in_job
from tribute.attribution.effects.predicted_artifact import influence_job
from tribute.errors import DeviceMemoryError
from tribute.finetuning.adapters.adapters import adapter_job, retraining_job
from tribute.finetuning.children import run_child

JOBS = {job.__name__: job for job in (credit_job, control_job, influence_job)}
LOADING, MOVING = "tribute.finetuning.preparation.preparation.build_model", "torch.nn.Module.to"
TRAINING = "tribute.finetuning.training.trainer.batches"
WALKING, READING = "tribute.attribution.gradients.capture.flatten", "tribute.attribution.credit.probe.Probe.losses"


def full_at(place, job, *arguments):
    """Runs in a child: a job in which `place` asks for more than there is."""
    message = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has 79.15 GiB."
    with patch(place, side_effect=torch.OutOfMemoryError(message)):
        job(*arguments)


def check(place, job, *arguments):
    with pytest.raises(DeviceMemoryError) as raised:
        run_child(full_at, place, job, *arguments, title="work", timeout_seconds=100, progress=ignore)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("the GPU's memory is full; lower finetuning.tokens_at_once")
    assert str(raised.value).endswith("(CUDA out of memory. Tried to allocate 20.00 GiB)")


@pytest.mark.parametrize("place", [LOADING, MOVING, TRAINING])
def test_a_training_ends_with_one_line(dataset, config, tmp_path, place):
    """And so does a retraining; neither leaves anything in its folder."""
    (result := tmp_path / "result").mkdir()
    folders = folders_in(tmp_path, result)

    check(place, adapter_job, dataset, config, 0, folders)
    check(place, retraining_job, dataset, config, 0, ["ada-1:0"], folders)

    assert not list(result.iterdir())


@pytest.mark.parametrize(
    ("name", "place"),
    [
        *((name, place) for name in JOBS for place in (LOADING, WALKING)),
        ("control_job", TRAINING),
    ],
)
def test_a_walk_ends_with_one_line(dataset, adapter, config, tmp_path, name, place):
    """In-run credit, planted controls, predicted effects: nothing half-written."""
    (result := tmp_path / "result").mkdir()

    check(place, JOBS[name], run_of(tmp_path, dataset, [adapter], config), 0, folders_in(tmp_path, result))

    assert not list(result.iterdir())


@pytest.mark.parametrize("place", [LOADING, READING])
def test_a_stand_in_ends_with_one_line(dataset, adapter, config, tmp_path, place):
    """While the base is loaded, or while it reads the rows."""
    (result := tmp_path / "result").mkdir()
    run = run_of(tmp_path, dataset, [adapter], config)

    check(place, stand_in_job, run, None, folders_in(tmp_path, result))

    assert not list(result.iterdir())
