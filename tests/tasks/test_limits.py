"""Work on a GPU waits for a slot of the server's limit; work on the processor asks nobody."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks import limits
from tribute.config import load_config


@pytest.mark.parametrize(("device", "held"), [("cpu", []), ("cuda", ["gpu"]), ("auto", ["gpu"])])
def test_a_gpu_is_shared(device: str, held: list[str], tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """One piece of work holds one slot."""
    asked: list[str] = []

    @contextmanager
    def hold(name: str) -> Iterator[None]:
        asked.append(name)
        yield

    monkeypatch.setattr(limits, "limited", hold)
    with limits.on_device(load_config(tiny / "config.yaml", [f"finetuning.device={device}"])):
        assert asked == held
    assert limits.LIMITS.keys() >= set(held)
