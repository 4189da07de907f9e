"""The tiny bases and dataset versions of the finetuning tests: attribution reads what that column leaves."""

import pytest

from tests.finetuning.conftest import bert, causal_config, config, dataset, dialogues, llama, root, single_thread
from tests.finetuning.helpers import tiny
from tribute.artifacts import Artifact

__all__ = ["bert", "causal_config", "config", "dataset", "dialogues", "llama", "root", "single_thread"]


@pytest.fixture(scope="session")
def adapter(root, dataset, config) -> Artifact:
    """Seed 0's adapter and trace; read only."""
    return tiny.make_adapter(root, dataset, config, 0)
