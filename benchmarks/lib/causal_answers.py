"""Which rows moved one answer of a causal model: predicted losses against retraining. See causal.py."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from lib.causal_trials import Trial
from tribute.attribution.answers.damping import DAMPINGS, linear_datamodelling_score, pick_damping
from tribute.attribution.gradients.curvature import fit, midpoints
from tribute.attribution.gradients.row_gradients import row_gradients_of
from tribute.attribution.retraining import designs

REMOVED, REMOVALS, PICKED_ON = 0.2, 48, 8
"""The part of all rows that a retraining leaves out, retrainings, and on how many of them the damping is picked."""


def answer_lines(trial: Trial) -> Iterator[str]:
    """LDS per answer, by the same seed's retrainings and by another's."""
    scores, owned = scores_by_damping(trial), [removals(trial, seed) for seed in (0, 1)]
    left_out = np.stack([~run.kept for run in designs.removals(len(trial.world.owner), REMOVED, REMOVALS, 0)])
    predicted = {damping: left_out @ score for damping, score in scores.items()}
    picked = pick_damping({damping: losses[:PICKED_ON] for damping, losses in predicted.items()}, owned[0][:PICKED_ON])
    shown = predicted[picked.damping][PICKED_ON:]
    same, fresh = (linear_datamodelling_score(shown, measured[PICKED_ON:]) for measured in owned)
    ceiling = linear_datamodelling_score(owned[1][PICKED_ON:], owned[0][PICKED_ON:])
    yield (
        f"Per answer, without replay: over {REMOVALS - PICKED_ON} retrainings without a random fifth of the rows, "
        f"predicted and measured losses of an answer have a rank correlation (LDS) of {same:.2f} on average, "
        f"{fresh:.2f} against another seed's retrainings; that seed's against the first's: {ceiling:.2f}. Damping "
        f"{picked.damping:.3g}, picked on {PICKED_ON} other retrainings."
    )


def scores_by_damping(trial: Trial) -> Mapping[float, np.ndarray]:
    """What each row's absence would add to each answer's loss, up to a slope, [rows, answers]."""

    def make() -> Mapping[str, Any]:
        world = trial.world
        model, training = world.trained(0)
        trace = training.trace
        curvature = fit(model, world.train, midpoints(trace), trace.metric, 0)
        rows = torch.zeros(len(world.train), len(curvature.metric))
        for chunk, gradients in row_gradients_of(model, world.train, range(len(world.train)), midpoints(trace)):
            rows[chunk] = gradients
        answers = torch.zeros(len(world.sample), len(curvature.metric))
        last = [trace.states[-1].theta]
        for chunk, gradients in row_gradients_of(model, world.sample, range(len(world.sample)), last):
            answers[chunk] = gradients
        return {
            f"scores_{place}": (rows @ curvature.precondition(answers, damping).T).numpy()
            for place, damping in enumerate(DAMPINGS)
        }

    kept = trial.stored.arrays(trial.key, "answers", [], make)
    return {damping: kept[f"scores_{place}"].astype(float) for place, damping in enumerate(DAMPINGS)}


def removals(trial: Trial, seed: int) -> np.ndarray:
    """Losses of all answers after each retraining, nats [retrainings, answers]; the same rows for every seed."""

    def make() -> Mapping[str, Any]:
        world = trial.world
        kept = np.stack([run.kept for run in designs.removals(len(world.owner), REMOVED, REMOVALS, seed)])
        return {"losses": world.losses(kept, seed, world.sample)}

    return trial.stored.arrays(trial.key, "removals", [REMOVALS, seed], make)["losses"]
