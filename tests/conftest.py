"""What every test may rely on: reproducible examples, and where the datasets lie if they are here."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from tests.helpers.terminal import tribute
from tests.helpers.tiny import write_world

settings.register_profile("house", derandomize=True, deadline=None)
settings.load_profile("house")

DATA = Path(os.environ.get("TRIBUTE_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of published datasets; the test is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent; set TRIBUTE_DATA to the folder of published datasets")
    return DATA


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that a tiny run needs; read only."""
    return write_world(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def finished(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the plain commands made a whole run of the tiny config; read only."""
    workspace = tmp_path_factory.mktemp("finished") / "workspace"
    config = tiny / "config.yaml"
    for command in (
        ("init", workspace),
        ("release", "--config", config, "-w", workspace),
        ("finetune", config, "-w", workspace),
        ("attribute", config, "-w", workspace),
        ("reward", config, "-w", workspace),
    ):
        ended = tribute(*command)
        assert ended.code == 0, ended.err
    return workspace


@pytest.fixture
def spare(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished workspace that a test may change."""
    return shutil.copytree(finished, tmp_path / "workspace", symlinks=True)


@pytest.fixture
def untrained(finished: Path, tmp_path: Path) -> Path:
    """A workspace with a released version and nothing learned from it."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    shutil.copyfile(finished / "tribute.json", workspace / "tribute.json")
    for name in ("registry", "remote"):
        shutil.copytree(finished / name, workspace / name, symlinks=True)
    return workspace
