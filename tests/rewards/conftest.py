"""What the tests of this column share: the small world, and periods that it was paid for."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.rewards.helpers.cards import UNMEASURED
from tests.rewards.helpers.world import World, make_world
from tribute.artifacts import Artifact

if TYPE_CHECKING:
    from tests.rewards.helpers.people import House


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The synthetic world; read only."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def paid(world: World, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The world's period, written once; read only."""
    return world.pay(tmp_path_factory.mktemp("paid") / "workspace")


@pytest.fixture(scope="session")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The period of a world whose card was not measured, so that tokens pay; read only."""
    return make_world(tmp_path_factory.mktemp("world"), card=UNMEASURED).pay(tmp_path_factory.mktemp("fallen") / "w")


@pytest.fixture
def folder(paid: Artifact, tmp_path: Path) -> Path:
    """A copy of the period paid by credit that a test may spoil."""
    return shutil.copytree(paid.path, tmp_path / "2026-11")


@pytest.fixture
def fallen_folder(fallen: Artifact, tmp_path: Path) -> Path:
    """A copy of the period paid by tokens that a test may spoil."""
    return shutil.copytree(fallen.path, tmp_path / "2026-11")


@pytest.fixture(scope="session")
def november(tmp_path_factory: pytest.TempPathFactory) -> "House":
    """A workspace in which November 2026 is closed; read only."""
    from tests.rewards.helpers.people import make_house

    house = make_house(tmp_path_factory.mktemp("november") / "workspace")
    house.close("2026-11")
    return house


@pytest.fixture(scope="session")
def two_closed(tmp_path_factory: pytest.TempPathFactory) -> "House":
    """A workspace in which November and December are closed, and December pays November's people; read only."""
    from tests.rewards.helpers.people import make_house

    house = make_house(tmp_path_factory.mktemp("two") / "workspace")
    for period in ("2026-11", "2026-12"):
        house.close(period)
    return house


@pytest.fixture
def closed_house(two_closed: "House", tmp_path: Path) -> "House":
    """A copy of it that a test may change."""
    from tests.rewards.helpers.people import House

    return House(shutil.copytree(two_closed.root, tmp_path / "workspace"), two_closed.world)


@pytest.fixture
def writable_house(closed_house: "House") -> "House":
    """The same with closed files that may be written over, as somebody who forges would."""
    for path in closed_house.workspace.rewards.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    return closed_house


@pytest.fixture(scope="session")
def make() -> Callable[..., World]:
    """`make_world`, for tests that need another world."""
    return make_world
