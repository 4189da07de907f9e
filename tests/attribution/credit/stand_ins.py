"""Stand-ins of a small world: 0 and 1 teach the same two labels, 2 all alone the third, and 3 has wrong labels."""

import numpy as np

from tribute.attribution.credit.memory import Memory
from tribute.attribution.credit.probe import Probe

EVEN = np.full(60, 1 / 60)
OWNER = np.repeat([0, 1, 2, 3], 20)


def probe() -> Probe:
    """Three labels in eight dimensions; the start knows their directions only in part."""
    train, targets, evaluation, answers, head = _world()
    return Probe(train, targets, evaluation, answers, head, scale=5.0)


def memory() -> Memory:
    """The same world as tokens: a row's one token is its label, predicted from its embedding."""
    train, targets, evaluation, answers, head = _world()
    logits = 5.0 * evaluation @ head.T
    before = np.exp(logits - np.log(np.exp(logits).sum(1, keepdims=True)))[np.arange(60), answers]
    rows = (np.arange(80), np.arange(60))
    return Memory.of((3 * train, 3 * evaluation), (targets, answers), rows, before, 80)


def _world() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    centres = np.linalg.qr(chance.normal(size=(8, 3)))[0].T

    def embedded(targets: np.ndarray) -> np.ndarray:
        points = centres[targets] + chance.normal(0, 0.4, (len(targets), 8))
        return np.asarray((points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32))

    true = np.array([*[0, 1] * 20, *[2] * 20, *[0, 1, 2, 1] * 5])
    targets = np.array([*true[:60], *(true[60:] + 1) % 3])
    answers = np.arange(60) % 3
    head = (centres + chance.normal(0, 0.5, centres.shape)).astype(np.float32)
    return embedded(true), targets, embedded(answers), answers, head
