"""Tiny bases, saved once; dataset versions and trainings are made from them in a second."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.finetuning.helpers import tiny
from tribute.artifacts import Artifact
from tribute.config import FinetuningConfig


@pytest.fixture(scope="session", autouse=True)
def single_thread() -> Iterator[None]:
    """As in the child processes: one thread, so that sums keep their order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny BERT; read only."""
    return tiny.write_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Llama; read only."""
    return tiny.write_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace's folder, shared by the session's artifacts."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="session")
def dataset(root: Path) -> Artifact:
    """Sentences and their topics; read only."""
    return tiny.make_dataset(root)


@pytest.fixture(scope="session")
def dialogues(root: Path) -> Artifact:
    """Prompts and responses; read only."""
    return tiny.make_dataset(root, task="causal-lm")


@pytest.fixture(scope="session")
def config(bert: Path) -> FinetuningConfig:
    """How the sentences are learned."""
    return tiny.bert_config(bert)


@pytest.fixture(scope="session")
def causal_config(llama: Path) -> FinetuningConfig:
    """How the dialogues are learned."""
    return tiny.llama_config(llama)
