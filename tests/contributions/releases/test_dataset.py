"""Two registries with the same history give the same dataset, byte for byte, whenever they were made."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.contributions.conftest import SCHEMA, write_rows
from tribute.artifacts import Artifact, verify_artifact
from tribute.contributions.dataset import read_description, read_rows
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.registry.paths import directory_md5
from tribute.contributions.registry.registry import Registry
from tribute.contributions.releases.dataset import build_dataset
from tribute.contributions.releases.release import release_version
from tribute.contributions.releases.tables import EXCLUSIONS, ROWS
from tribute.workspace import Workspace

ADA = [("Draw a line", "plotting"), ("Draw a circle", "plotting")]
BOB = [("draw  a LINE", "plotting"), ("Take the mean", "statistics"), ("Plot some bars!", "plotting")]


def make(folder: Path) -> Artifact:
    """A workspace with a version in which one row of bob's is a copy and one nearly evaluation."""
    workspace = Workspace.create(folder / "workspace")
    registry = Registry.create(workspace)
    registry.declare(SCHEMA)
    submissions = [
        Submission(write_rows(folder / f"{id_}.jsonl", rows), id_, "docs", "MIT", id_.title(), "1.0", "https://a.b")
        for id_, rows in (("ada", ADA), ("bob", BOB))
    ]
    registry.contribute(submissions)
    evaluation = write_rows(folder / "evaluation.jsonl", [("Plot some bars", "plotting")])
    registry.seal_evaluation("docs", evaluation)
    release_version(registry, "docs@v1.0.0")
    return build_dataset(registry, "docs@v1.0.0", workspace.store)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return make(tmp_path_factory.mktemp("one"))


def test_same_history_same_bytes(artifact: Artifact, tmp_path: Path):
    """Made elsewhere and later, the artifact has the same id and the same files."""
    other = make(tmp_path)

    assert other.path != artifact.path
    assert other.id == artifact.id
    assert verify_artifact(other.path).identity == artifact.identity


def test_it_is_found_again(artifact: Artifact):
    """A second time nothing is made."""
    workspace = Workspace.open(artifact.path.parents[2])
    made = artifact.file("train.parquet").stat().st_mtime_ns

    again = build_dataset(Registry.open(workspace), "docs@v1.0.0", workspace.store)

    assert again.path == artifact.path
    assert again.file("train.parquet").stat().st_mtime_ns == made


def test_training_rows_are_those_not_excluded(artifact: Artifact):
    """Rows stand in the order of the ledger, then of lines, without the excluded."""
    rows = read_rows(artifact, "train")

    assert tuple(rows.columns) == ROWS
    assert rows["text"].tolist() == ["Draw a line", "Draw a circle", "Take the mean"]
    assert rows["contributor_id"].tolist() == ["ada", "ada", "bob"]
    assert rows["row_id"][2] == f"{rows['contribution_id'][2]}:2"


def test_evaluation_rows_belong_to_nobody(artifact: Artifact):
    """Evaluation rows have ids of their own and no contributor."""
    rows = read_rows(artifact, "evaluation")

    assert rows[["row_id", "contributor_id", "target", "slice"]].values.tolist() == [
        ["evaluation:1", "", "plotting", "plotting"]
    ]


def test_exclusions_say_why(artifact: Artifact):
    """Every excluded row is listed with its reason and the row it gave way to."""
    table = pq.read_table(artifact.file("exclusions.parquet"))

    assert tuple(table.column_names) == EXCLUSIONS
    assert table.column("reason").to_pylist() == ["duplicate", "near_evaluation"]
    assert table.column("canonical_contributor_id").to_pylist() == ["ada", ""]


def test_description(artifact: Artifact):
    """`dataset.json` says who handed in what, and names the data as DVC does."""
    description = read_description(artifact)

    assert description["labels"] == ["plotting", "statistics"]
    assert description["licences"] == ["MIT"]
    assert description["contributors"]["bob"] == {
        "name": "Bob",
        "version": "1.0",
        "licence": "MIT",
        "home_page": "https://a.b",
        "rows_submitted": 3,
    }
    assert len(description["dvc_md5"]) == 36


def test_directory_md5_is_dvcs(tmp_path: Path):
    """The name of a directory is the one that DVC gives it."""
    from dvc.repo import Repo

    (tmp_path / "data" / "inner").mkdir(parents=True)
    (tmp_path / "data" / "b.txt").write_text("b")
    (tmp_path / "data" / "inner" / "a.txt").write_text("a")
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        (stage,) = repo.add([str(tmp_path / "data")])
        expected = stage.outs[0].hash_info.value

    files = {"b.txt": "92eb5ffee6ae2fec3ad71c777531578f", "inner/a.txt": "0cc175b9c0f1b6a831c399e269772661"}
    assert directory_md5(files) == expected


def test_rows_that_were_sealed_before_are_named(tmp_path: Path):
    """Of the second version's evaluation those that the first one had; the first's own tables know of none."""
    first = make(tmp_path)
    workspace = Workspace.open(tmp_path / "workspace")
    registry = Registry.open(workspace)
    rows = [("Colour an axis", "plotting"), ("plot SOME bars", "plotting"), ("Take a sample", "statistics")]
    registry.seal_evaluation("docs", write_rows(tmp_path / "second.jsonl", rows))
    release_version(registry, "docs@v1.0.1")

    second = build_dataset(registry, "docs@v1.0.1", workspace.store)

    assert read_description(second)["sealed_before"] == ["evaluation:2"]
    assert "sealed_before" not in read_description(first)
