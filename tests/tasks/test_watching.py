"""Theorem: what shows a training never holds it."""

import logging
from collections.abc import Callable
from threading import Event
from uuid import UUID, uuid4

import pytest

from tasks import watching
from tribute.progress import reporter

STEPS = 50


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The progress that the server was told, at every step of a training that reports."""
    told: list[float] = []
    monkeypatch.setattr(watching, "SECONDS", 0.0)
    monkeypatch.setattr(watching, "get_run_logger", lambda: logging.getLogger("watching"))
    monkeypatch.setattr(watching, "update_progress_artifact", lambda _, progress: told.append(progress))
    return told


def train(create: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    """A training of some steps that shows its progress."""
    monkeypatch.setattr(watching, "create_progress_artifact", create)
    with watching.watched_training("key", "title"):
        report = reporter("train")
        for step in range(STEPS):
            report(step + 1, STEPS)


def test_a_server_that_does_not_answer(moved: list[float], monkeypatch: pytest.MonkeyPatch):
    """The training goes on, and waits for it no longer than the end may."""
    answers, asked = Event(), []

    def wait(*_: object) -> UUID:
        asked.append(1)
        assert answers.wait(60)
        return uuid4()

    monkeypatch.setattr(watching, "WAIT", 0.05)
    train(wait, monkeypatch)
    silent = list(moved)
    answers.set()

    assert (silent, len(asked)) == ([], 1)


def test_a_server_that_is_back(moved: list[float], monkeypatch: pytest.MonkeyPatch):
    """An error ends nothing, and the next update makes the artifact, once; the last says that all is done."""
    errors, made = [ConnectionError()], []

    def create(*_: object) -> UUID:
        if errors:
            raise errors.pop()
        made.append(uuid4())
        return made[-1]

    train(create, monkeypatch)

    assert len(made) == 1
    assert moved == sorted(moved)
    assert moved[-1] == 100
