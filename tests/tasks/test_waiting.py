"""Whoever prepares a server that just starts waits for it, and says so; for what waiting cannot mend, nobody waits."""

import time

import pytest

from tasks import server
from tribute.errors import WorkspaceError


def test_a_server_that_starts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """It is looked for until it answers; one line says what is waited for."""
    answers = [server.SilentServerError("nobody answers"), server.SilentServerError("nobody answers"), None]
    monkeypatch.setattr(server, "check_server", lambda: _give(answers.pop(0)))
    monkeypatch.setattr(time, "sleep", lambda _: None)

    server.wait_for_server(60)

    assert answers == []
    assert capsys.readouterr().err == "nobody answers; waiting 60 s for it\n"


@pytest.mark.parametrize(
    ("error", "seconds"), [(WorkspaceError("no settings"), 60), (server.SilentServerError("nobody answers"), 0)]
)
def test_no_further_wait(error: WorkspaceError, seconds: float, monkeypatch: pytest.MonkeyPatch):
    """Settings that cannot be read stay so, and patience ends."""
    monkeypatch.setattr(server, "check_server", lambda: _give(error))
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))

    with pytest.raises(WorkspaceError, match=str(error)):
        server.wait_for_server(seconds)


def _give(error: WorkspaceError | None) -> None:
    if error is not None:
        raise error
