"""A task tells what it found from what it made, and repeats only what may pass by itself."""

from dataclasses import replace
from pathlib import Path

import pytest
from prefect.states import exception_to_failed_state

from tasks import contributions, finetuning
from tasks.outcome import _is_passing, ended, get
from tests.helpers.tiny import TAG
from tribute.errors import ConfigError, KilledError, RegistryError, StoppedError
from tribute.workspace import Workspace


def test_found_and_made(finished: Path):
    """Both states are completed and carry the id; one of them is named Cached."""
    (artifact,) = Workspace.open(finished).store.all("dataset")
    found, made = ended(artifact), ended(replace(artifact, found=False))

    assert (found.name, made.name) == ("Cached", "Completed")
    assert found.is_completed()
    assert made.is_completed()
    assert found.data == made.data == artifact.id


def test_a_task_without_the_engine(finished: Path):
    """The task's body is a plain function from paths and ids to a state."""
    state = contributions.materialise.fn(str(finished), TAG)

    assert get(str(finished), "dataset", state.data)[0].id == state.data


def test_get_names_what_is_missing(finished: Path):
    """An id that no artifact has is named."""
    with pytest.raises(RegistryError, match="there is no adapter artifact 0000000000"):
        get(str(finished), "adapter", "0000000000")


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (KilledError("by the kernel"), True),
        (StoppedError("by a person"), False),
        (ConfigError("a slip"), False),
        (MemoryError(), False),
        (FileNotFoundError(), False),
    ],
)
def test_only_passing_trouble_is_tried_again(error: Exception, again: bool):
    """Sockets may recover, and a killed training goes on; a slip in a config, a missing file, a full GPU will not."""
    import asyncio

    state = asyncio.run(exception_to_failed_state(error))

    assert _is_passing(None, None, state) is again


def test_no_task_keeps_results():
    """The store knows what was made; a second truth in Prefect could be stale."""
    assert finetuning.train.persist_result is False
    assert finetuning.train.cache_policy.compute_key(None, {}, {}) is None
