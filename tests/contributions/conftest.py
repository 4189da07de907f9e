"""What the tests of this column share."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tribute.contributions.intake.submissions import Submission
from tribute.contributions.registry.registry import Registry
from tribute.contributions.releases.release import release_version
from tribute.contributions.schema import DatasetSchema
from tribute.workspace import Workspace

DATA = Path(os.environ.get("TRIBUTE_DATA", Path(__file__).parents[3] / "shared" / "data"))
CASES = Path(__file__).parents[1] / "cases"
"""Small files as people have them."""
SCHEMA = DatasetSchema(
    name="docs", task="sequence-classification", labels=("plotting", "statistics"), max_characters=100
)


def write_rows(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return path


@pytest.fixture
def hand_in(tmp_path: Path) -> Callable[..., Submission]:
    """Make a submission of rows (text, label) by a contributor."""

    def make(contributor: str, *rows: tuple[str, str], licence: str = "MIT") -> Submission:
        file = write_rows(tmp_path / f"{len(list(tmp_path.glob('*.jsonl')))}.jsonl", rows)
        return Submission(file, contributor, "docs", licence)

    return make


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workspace")


@pytest.fixture
def registry(workspace: Workspace) -> Registry:
    """An empty registry in which `docs` is declared."""
    registry = Registry.create(workspace)
    registry.declare(SCHEMA)
    return registry


@pytest.fixture(scope="session")
def released_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one version: two contributors, the second with a copy of the first's row.

    Made once, since DVC takes its time; tests work on copies.
    """
    folder = tmp_path_factory.mktemp("released")
    workspace = Workspace.create(folder / "workspace")
    registry = Registry.create(workspace)
    registry.declare(SCHEMA)
    ada = write_rows(folder / "ada.jsonl", [("Draw a line", "plotting"), ("Draw a circle", "plotting")])
    bob = write_rows(folder / "bob.jsonl", [("draw  a LINE", "plotting"), ("Take the mean", "statistics")])
    registry.contribute([Submission(ada, "ada", "docs", "MIT"), Submission(bob, "bob", "docs", "MIT")])
    registry.seal_evaluation("docs", write_rows(folder / "evaluation.jsonl", [("Plot some bars", "plotting")]))
    release_version(registry, "docs@v1.0.0")
    return workspace.root


@pytest.fixture
def released(released_workspace: Path, tmp_path: Path) -> Registry:
    """A copy of the registry with one version."""
    shutil.copytree(released_workspace, tmp_path / "released")
    return Registry.open(Workspace.open(tmp_path / "released"))


@pytest.fixture
def published() -> Callable[[str], Path]:
    """The folder of a published dataset, or a skip where this machine has none."""

    def find(kind: str) -> Path:
        if not (DATA / kind).is_dir():
            pytest.skip(f"{DATA / kind} is absent; set TRIBUTE_DATA to the folder of the published datasets")
        return DATA / kind

    return find
