"""Theorem: whoever waits for long work sees that it goes on: in a terminal, in a log, and only for its own work."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest

from tests.helpers.terminal import in_process_of_its_own
from tribute import progress
from tribute.cli import _terminal
from tribute.cli._terminal import LOG_SECONDS
from tribute.progress import Listener, listening, reporter, timed

LINE = re.compile(r"\s*(\d+):(\d\d)  (.+) (\d+)/(\d+)")


def noted(reports: list[tuple[str, int, int]]) -> Listener:
    """A listener that keeps what it hears."""
    return lambda *report: reports.append(report)


def test_two_flows_in_one_process_do_not_mix():
    """Each hears its own work alone, though both work at the same time."""
    heard: dict[str, list[tuple[str, int, int]]] = {"a": [], "b": []}
    both = threading.Barrier(2)

    def flow(name: str) -> None:
        with listening(noted(heard[name])):
            both.wait()
            reporter(name)(1, 2)
            both.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(flow, heard))

    assert heard == {"a": [("a", 1, 2)], "b": [("b", 1, 2)]}


def test_a_thread_reports_to_who_started_it():
    """In a copy of the context, and also where the reporter alone is handed over."""
    reports: list[tuple[str, int, int]] = []
    with listening(noted(reports)), ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, lambda: reporter("copied")(1, 1)).result()
        pool.submit(reporter("handed over"), 1, 1).result()

    assert reports == [("copied", 1, 1), ("handed over", 1, 1)]


def test_who_listens_no_more_hears_nothing():
    """With the body the listening ends, and one listener inside another leaves the other in place."""
    outer, inner = [], []
    with listening(noted(outer)):
        with listening(noted(inner)):
            reporter("walk")(1, 3)
        reporter("walk")(2, 3)
    reporter("walk")(3, 3)

    assert (outer, inner) == ([("walk", 1, 3), ("walk", 2, 3)], [("walk", 1, 3)])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that stand still until a test moves them."""
    now = [0.0]
    monkeypatch.setattr(_terminal.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_few_lines(clock: list[float], capsys: pytest.CaptureFixture[str]):
    """Where a task begins and ends, and in between one per ten seconds, though it reports a thousand times."""
    with _terminal.progress():
        report = reporter("train")
        for done in range(1001):
            clock[0] += 0.0625
            report(done, 1000)
    lines = capsys.readouterr().err.splitlines()

    assert lines[0].endswith("train 0/1000")
    assert lines[-1].endswith("train 1000/1000")
    assert len(lines) == 2 + int(1000 * 0.0625 / LOG_SECONDS)


def test_a_task_that_begins_again_is_told_again(clock: list[float], capsys: pytest.CaptureFixture[str]):
    """The second month trains a seed of the same name; two tasks at a time do not hide each other."""
    with _terminal.progress():
        for what, done in (("a", 0), ("b", 0), ("a", 2), ("a", 2), ("b", 1), ("a", 0), ("a", 2), ("b", 2)):
            reporter(what)(done, 2)
    shown = [LINE.fullmatch(line) for line in capsys.readouterr().err.splitlines()]

    assert [(line[3], line[4]) for line in shown if line] == [
        *(("a", "0"), ("b", "0"), ("a", "2"), ("a", "0"), ("a", "2"), ("b", "2")),
    ]


def test_a_redirected_command_says_how_far_it_is(spare: Path, tiny: Path):
    """Piped, `tribute finetune` prints plain lines while it trains: no bars, no colours, no carriage returns."""
    ended = in_process_of_its_own("finetune", tiny / "config.yaml", "--set", "finetuning.seeds=[0, 7]", "-w", spare)
    lines = [LINE.fullmatch(line) for line in ended.err.splitlines()]

    assert ended.code == 0, ended.err
    assert all(lines), ended.err
    assert "fine-tune, seed 7" in {line[3] for line in lines if line}
    assert "\r" not in ended.err


PARTS = {"read": "reading", "fine-tune": "learning", "baselines": "learning", "pay": "paying"}


def test_parts_sum_to_the_whole(monkeypatch: pytest.MonkeyPatch):
    """A part ends with its last report, whatever reports in between; one without a report is left out."""
    now = iter([0.0, 3.0, 3.0, 5.0, 5.0, 9.0, 9.0, 8.0, 8.0, 12.5])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))

    with timed(PARTS, "the rest") as seconds:
        reporter("read")(0, 1)
        reporter("read")(1, 1)
        reporter("fine-tune, seed 0")(1, 1)
        reporter("baselines: all")(1, 1)

    assert seconds == {"start": 3.0, "reading": 2.0, "learning": 3.0, "the rest": 4.5}


def test_nothing_reported():
    """Where all was there already, everything is the rest."""
    with timed(PARTS, "the rest") as seconds:
        pass

    assert list(seconds) == ["the rest"]
