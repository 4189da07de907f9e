"""Theorem: credit pays only where every check that the policy asks for was measured and passed."""

import copy
import json
from types import SimpleNamespace

import pytest

from tests.rewards.helpers.cards import CARD, UNMEASURED
from tribute.cli import _payout
from tribute.errors import IntegrityError
from tribute.rewards.allocation.gate import fallback_note, judge, read_verdict
from tribute.rewards.policy.policy import Gate
from tribute.workspace import Workspace

NOTHING = Gate(leave_one_out_margin=None, duplicate_excluded=None, shuffled_below_zero=None, seed_split=None)


def card_with(path, value):
    """The good card with one figure changed."""
    card = copy.deepcopy(CARD)
    *parents, key = path.split(".")
    node = card
    for parent in parents:
        node = node[parent]
    node[key] = value
    return card


def check_of(card, name, gate=None):
    return next(check for check in judge(card, gate or Gate()).checks if check.name == name)


def test_a_good_card_passes_check_by_check():
    """What was found and what was needed stand beside each other in words."""
    verdict = judge(CARD, Gate())

    assert verdict.passed
    assert verdict.rule == "credit"
    assert [(check.name, check.found, check.needed) for check in verdict.checks] == [
        ("leave-one-out rank", "0.900", "0.850 or more (seed against seed 0.950, less 0.1)"),
        ("planted duplicates", "12 of 12 rows excluded", "every row excluded"),
        ("planted shuffled labels", "−0.031 nats (−0.050 to −0.012)", "the whole interval below 0"),
        ("two halves of the seeds", "0.121", "0.3 or less"),
    ]


@pytest.mark.parametrize(
    ("path", "value", "passed"),
    [
        ("leave_one_out.spearman", 0.85, True),
        ("leave_one_out.spearman", 0.849, False),
        ("leave_one_out.spearman", -1.0, False),
        ("leave_one_out.spearman", None, False),
        ("leave_one_out.ceiling", None, False),
        ("leave_one_out.ceiling", 1.0, True),
        ("leave_one_out.ceiling", 0.05, True),
        ("leave_one_out", None, False),
        ("controls.duplicate.excluded", 11, False),
        ("controls.duplicate.excluded", None, False),
        ("controls.duplicate", {"rows": 0, "excluded": 0}, False),
        ("controls.duplicate", None, False),
        ("controls.shuffled.high", -1e-9, True),
        ("controls.shuffled.high", 0.0, False),
        ("controls.shuffled.high", 0.001, False),
        ("controls.shuffled.high", None, False),
        ("controls.shuffled", None, False),
        ("controls", None, False),
        ("seed_split", 0.3, True),
        ("seed_split", 0.301, False),
        ("seed_split", None, False),
    ],
)
def test_each_check_has_its_threshold(path, value, passed):
    """On the threshold passes, beyond it fails, and so does what was not measured; then tokens pay."""
    verdict = judge(card_with(path, value), Gate())

    assert verdict.passed == passed
    assert verdict.rule == ("credit" if passed else "tokens")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("leave_one_out.spearman", "leave-one-out rank"),
        ("controls.duplicate", "planted duplicates"),
        ("controls.shuffled", "planted shuffled labels"),
        ("seed_split", "two halves of the seeds"),
    ],
)
def test_what_was_not_measured_says_so(path, name):
    """A figure that is not there is written as such, never left out."""
    check = check_of(card_with(path, None), name)

    assert (check.found, check.passed) == ("not measured", False)


def test_a_ceiling_that_was_not_measured_is_named():
    """A rank alone proves nothing, and the check says what was missing."""
    check = check_of(card_with("leave_one_out.ceiling", None), "leave-one-out rank")

    assert check.found == "0.900"
    assert check.needed == "no more than 0.1 below seed against seed, which was not measured"


def test_what_is_printed_is_what_was_compared():
    """A figure is rounded before it is compared, so no statement calls 0.300 more than 0.3."""
    passed = check_of(card_with("seed_split", 0.30049), "two halves of the seeds")
    failed = check_of(card_with("seed_split", 0.30051), "two halves of the seeds")

    assert (passed.found, passed.passed) == ("0.300", True)
    assert (failed.found, failed.passed) == ("0.301", False)


@pytest.mark.parametrize("setting", ["leave_one_out_margin", "duplicate_excluded", "shuffled_below_zero", "seed_split"])
def test_null_skips_a_check(setting):
    """A check that the policy sets to null is neither asked nor shown; the others still are."""
    everything = judge(UNMEASURED | {"seed_split": None}, Gate())
    rest = judge(UNMEASURED | {"seed_split": None}, Gate(**{setting: None}))

    assert len(everything.checks) == 4
    assert len(rest.checks) == 3
    assert not rest.passed


def test_a_gate_without_a_check_always_passes():
    """A policy may ask for nothing; the verdict then says that it did."""
    verdict = judge(UNMEASURED, NOTHING)

    assert verdict.passed
    assert verdict.sentence == "This period is paid by credit: the policy asks for no check of the measurement."


def test_another_margin_moves_the_threshold():
    """The policy's own numbers decide."""
    card = card_with("leave_one_out.spearman", 0.9)

    assert not check_of(card, "leave-one-out rank", Gate(leave_one_out_margin="0.04")).passed
    assert check_of(card, "leave-one-out rank", Gate(leave_one_out_margin="0.05")).passed


def test_the_verdict_is_read_back_as_it_was_written(paid, fallen):
    """The folder's verdict is what was judged, with its figures."""
    assert read_verdict(paid.path) == judge(CARD, Gate())
    assert read_verdict(fallen.path) == judge(UNMEASURED, Gate())


def test_the_note_says_what_failed_and_is_silent_else(paid, fallen):
    """Commands add nothing where credit paid, and name the failed checks where it did not."""
    assert fallback_note(paid.path) == ""
    assert fallback_note(fallen.path) == (
        ", paid by training tokens (the attribution card fails: leave-one-out rank, planted duplicates, "
        "planted shuffled labels)"
    )


def test_the_command_says_in_its_line_by_what_was_paid(paid, fallen, monkeypatch):
    """`tribute reward` names the fall-back where there was one."""
    monkeypatch.setattr("tribute.pipeline.runs.runs.read_run", lambda *_: {"cached": [], "seconds": {}, "rewards": "r"})
    config = SimpleNamespace(rewards=SimpleNamespace(period="2026-11", total="1000.00 EUR"))

    said = [_payout.payout(Workspace.open(one.path.parents[1]), config, "docs-1").lines[-1] for one in (paid, fallen)]

    assert said[0].startswith("run docs-1, report: ")
    assert said[1].startswith("run docs-1, paid by training tokens (the attribution card fails: leave-one-out rank")


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"checks": [{"name": "x"}]})])
def test_a_verdict_that_cannot_be_read_is_named(tmp_path, content):
    """A damaged file is an error of the folder, not a crash."""
    (tmp_path / "gate.json").write_text(content)

    with pytest.raises(IntegrityError, match=r"gate\.json: cannot be read"):
        read_verdict(tmp_path)
