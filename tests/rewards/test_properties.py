"""Theorem: every property that the rewards promise is a Hypothesis test which names it, on a thousand examples."""

import importlib
from pathlib import Path

import pytest

PROPERTIES = (
    "sum of lines = pool, per currency",
    "floor(quota) ≤ amount ≤ ceil(quota)",
    "permuting inputs gives identical bytes",
    "null contributor → 0, and removing it changes nobody",
    "own weight up → own pay not down",
    "scores × c changes nothing",
    "replication inside a cluster changes nothing",
    "a split into m names whose parts are all positive gains ≤ m units (κ=0), loses with κ>0",
    "hiding harmful rows under another name never beats leaving them out",
    "all rows negative on all queries → 0 and nobody else lower",
    "opening + accrued ± adjusted − paid = closing",
    "reversal leaves closed hashes intact",
    "same idempotency key twice → one effect; same key, other body → error",
    "rerun byte-identical",
    "withdrawing never raises own pay",
    "the threshold moves timing only",
    "equal scores ±1 unit",
    "pool up → −1 unit at most",
    "one query moves a payout by ≤ w_q·pool/ΣV",
    "evidence sums to the score within 1e-9",
)


def proofs(sentence):
    """The tests of this folder that say so in their docstring."""
    for path in sorted(Path(__file__).parent.rglob("test_*.py")):
        name = ".".join(path.relative_to(Path(__file__).parents[2]).with_suffix("").parts)
        module = importlib.import_module(name)
        for name, test in vars(module).items():
            if name.startswith("test_") and test.__module__ == module.__name__ and sentence in _said(test):
                yield test


def _said(test):
    return " ".join((test.__doc__ or "").split()).casefold()


@pytest.mark.parametrize("sentence", PROPERTIES)
def test_a_property_is_proved_on_a_thousand_examples(sentence):
    """Named in its docstring, drawn by Hypothesis, 1,000 times or more."""
    examples = [
        test._hypothesis_internal_use_settings.max_examples
        for test in proofs(sentence.casefold())
        if getattr(test, "is_hypothesis_test", False)
    ]

    assert max(examples, default=0) >= 1000
