"""Theorem: an answer of Prefect's server that is lost on its way changes no result of a flow."""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.terminal import tribute
from tribute.config import load_config


@pytest.fixture
def forgetful(engine: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every first answer to a flow's new state is lost, and the client asks again; what was asked twice."""
    from prefect.client.orchestration import SyncPrefectClient

    asked_twice: list[str] = []
    request = SyncPrefectClient.request

    def ask_twice(client: Any, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        if path == "/flow_runs/{id}/set_state":
            request(client, method, path, *args, **kwargs)
            asked_twice.append(kwargs["json"]["state"]["type"])
        return request(client, method, path, *args, **kwargs)

    monkeypatch.setattr(SyncPrefectClient, "request", ask_twice)
    return asked_twice


def test_a_flow_returns_what_it_made(forgetful: list[str], tiny: Path, tmp_path: Path):
    """The server refuses the second request as a duplicate, and its answer holds no data."""
    from flows.contributions import contributions

    config = load_config(tiny / "config.yaml")
    assert tribute("init", tmp_path / "workspace").code == 0

    dataset = contributions(str(tmp_path / "workspace"), config)

    assert isinstance(dataset, str)
    assert forgetful.count("COMPLETED") == 1
