"""Steps between states that are too far apart to walk back are trained forward again, to the same credits."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.finetuning.helpers import tiny
from tribute.attribution.credit.inrun import in_run_credit
from tribute.attribution.effects.replay import replay_scores
from tribute.attribution.gradients.evaluation import evaluation_gradient
from tribute.errors import AttributionError
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.recording.trace import LONGEST_GAP, assign
from tribute.finetuning.training.training import train

pytestmark = pytest.mark.numeric

LONG = {
    "epochs": 20,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "trace_states": 5,
    "optimizer": {"clip": 1.5, "weight_decay": 0.1},
}
"""120 steps, some of them clipped."""


@pytest.fixture(scope="module")
def both(dialogues, llama, tmp_path_factory):
    """The same training, with dropout, recorded as by default and in segments: model and rows, and either trace."""
    lora = {"target_modules": ["q_proj", "v_proj"], "dropout": 0.1}
    traces = []
    for name, in_segments in (("walked", False), ("segments", True)):
        scratch = tmp_path_factory.mktemp(name)
        config = tiny.llama_config(llama, lora=lora, trace_segments=in_segments, **LONG)
        ready = prepare(dialogues, config, scratch, 0)
        traces.append(train(ready.model, ready.train, config, 0, scratch / "own").trace)
    return ready, *traces


def gaps(trace):
    return [end.step - start.step for start, end in pairwise(trace.states)]


def test_a_trace_in_segments_has_fewer_states(both):
    """No gap is filled, so some are longer than a walk may be."""
    _, walked, segments = both

    assert 0 < min(segments.clips) < 1
    assert max(gaps(walked)) <= LONGEST_GAP < max(gaps(segments))
    assert len(segments.states) < len(walked.states)
    assert (segments.states[-1].theta == walked.states[-1].theta).all()


def test_segments_give_the_same_credits(both):
    """Of every row, and they sum to the fall of the loss."""
    ready, walked, segments = both
    weights = np.full(len(ready.evaluation), 1 / len(ready.evaluation))

    expected, found = (
        in_run_credit(ready.model, ready.train, ready.evaluation, weights, trace) for trace in (walked, segments)
    )

    assert found.drift < 0.005
    fall = found.losses[0] - found.losses[-1]
    assert found.scores.sum() + found.weight_decay == pytest.approx(fall, rel=0.03)
    assert np.corrcoef(found.scores.sum(1), expected.scores.sum(1))[0, 1] > 0.98


def test_replay_walks_segments(both):
    """The derivatives are those along the recorded states."""
    ready, walked, segments = both
    assign(ready.model.trainable(), walked.states[-1].theta)
    gradient = evaluation_gradient(ready.model, ready.evaluation)[None]

    expected, found = (replay_scores(ready.model, ready.train, trace, gradient) for trace in (walked, segments))

    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()


def test_segments_of_another_training_are_refused(both):
    """Training forward with other rates misses the recorded end."""
    ready, _, segments = both
    weights = np.full(len(ready.evaluation), 1 / len(ready.evaluation))
    changed = replace(segments, learning_rates=segments.learning_rates * 1.1)

    with pytest.raises(AttributionError, match=r"walking the trace from step \d+ misses the recorded state of step"):
        in_run_credit(ready.model, ready.train, ready.evaluation, weights, changed)
