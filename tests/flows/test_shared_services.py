"""Theorem: machines without a shared disk work together by addresses alone: two servers on PostgreSQL, and a bucket.

Prefect's and MLflow's servers keep their records in one PostgreSQL; the registry's data, the artifacts and MLflow's
files lie in S3. A second machine with an empty disk finds all that the first one made.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flows.real_server import QUIET, running_server, running_service
from tests.helpers.s3 import served_bucket
from tests.helpers.terminal import Ended, started
from tests.services.helpers.postgres import Server
from tests.services.helpers.postgres import server as postgres
from tribute.artifacts import verify_artifact
from tribute.pipeline.runs.runs import read_run
from tribute.workspace import Workspace

MOST = 900
"""Seconds that a run may take on a busy machine; one took 60."""
MADE = ("dataset", "baselines", "adapters", "attribution", "rewards")


@dataclass(frozen=True)
class Team:
    """What all machines of a team have in common."""

    database: Server
    bucket: str
    origin: Path
    shell: Mapping[str, str]
    """Where everything is, as variables."""

    def tribute(self, *arguments: object, **more: str) -> Ended:
        """A command on one of the machines, in a process of its own."""
        process = started(*arguments, env={**os.environ, **self.shell, **more})
        out, err = process.communicate(timeout=MOST)
        return Ended(process.returncode, out, err)

    def count(self, database: str, table: str) -> int:
        """The rows of a table."""
        import pg8000.dbapi

        with closing(
            pg8000.dbapi.connect("postgres", host="127.0.0.1", port=self.database.port, database=database)
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(f"SELECT count(*) FROM {table}")
            return int(cursor.fetchone()[0])


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """PostgreSQL, a bucket, both servers and an empty git repository."""
    folder = tmp_path_factory.mktemp("team")
    origin = folder / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", origin], check=True)
    with pytest.MonkeyPatch.context() as patch, postgres() as database, served_bucket(patch, "team") as bucket:
        asynchronous = database.url("prefect").replace("postgresql:", "postgresql+asyncpg:")
        store = database.url("mlflow").replace("postgresql:", "postgresql+pg8000:")
        tracking = ("mlflow", "server", "--backend-store-uri", store, "--workers", "1")
        files = ("--artifacts-destination", f"{bucket}/mlflow")
        with (
            running_server(folder, PREFECT_API_DATABASE_CONNECTION_URL=asynchronous) as (prefect, _),
            running_service(folder / "mlflow.log", (*tracking, *files), "", {}) as (mlflow, _),
        ):
            shell = QUIET | {
                "PREFECT_API_URL": str(prefect.base_url).rstrip("/"),
                "MLFLOW_TRACKING_URI": str(mlflow.base_url).rstrip("/"),
                "TRIBUTE_ARTIFACTS": f"{bucket}/artifacts",
            }
            yield Team(database, bucket, origin, shell)


@pytest.fixture(scope="module")
def first(team: Team, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The workspace of the machine that ran first, and the run's id."""
    workspace = tmp_path_factory.mktemp("first") / "workspace"
    made = team.tribute("init", workspace, "--remote", f"{team.bucket}/data", "--origin", team.origin)
    assert made.code == 0, made.err
    ended = _run(team, tiny, workspace)
    assert ended.code == 0, ended.err
    return workspace, json.loads(ended.out)["run"]


def _run(team: Team, tiny: Path, workspace: Path, *more_options: str, **more: str) -> Ended:
    options = ("--set", "attribution.validation=off", "--json", *more_options)
    return team.tribute("run", tiny / "config.yaml", "-w", workspace, *options, **more)


def test_the_records_are_in_postgresql(team: Team, first: tuple[Path, str]):
    """Prefect's runs and MLflow's; the workspace has no database of either."""
    workspace, _ = first

    assert team.count("prefect", "flow_run") > 0
    assert team.count("prefect", "task_run") > 0
    assert team.count("mlflow", "runs") >= 3
    assert not list(workspace.rglob("prefect.db"))
    assert not list(workspace.rglob("mlflow.db"))


def test_the_files_are_in_the_bucket(team: Team, first: tuple[Path, str]):
    """The registry's data, MLflow's files, and every artifact as it lies in the workspace."""
    import s3fs

    workspace, files = first[0], s3fs.S3FileSystem(use_listings_cache=False)
    names = files.find("team")
    here = {path.parent.name for path in (workspace / "artifacts").rglob("manifest.json")}

    assert any(name.startswith("team/data/") for name in names)
    assert any(name.startswith("team/mlflow/") and name.endswith("adapter_model.safetensors") for name in names)
    assert here == {name.split("/")[3] for name in names if name.endswith("/manifest.json")}
    assert not any("/locks/" in name for name in names)


def test_an_empty_disk_finds_everything(team: Team, first: tuple[Path, str], tiny: Path, tmp_path: Path):
    """Another machine's run takes every stage from the cache, and ends with the same ids; every file is checked."""
    (workspace, run_id), second = first, tmp_path / "workspace"
    assert team.tribute("clone", team.origin, second).code == 0

    ended = _run(team, tiny, second)

    assert ended.code == 0, ended.err
    mine, theirs = (read_run(Workspace.open(root), run_id) for root in (second, workspace))
    assert mine["cached"] == ["contributions", "finetuning", "attribution"]
    assert {name: mine[name] for name in MADE} == {name: theirs[name] for name in MADE}
    for manifest in (second / "artifacts").rglob("manifest.json"):
        verify_artifact(manifest.parent)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"TRIBUTE_ARTIFACTS": "s3://elsewhere/artifacts"}, "has no such bucket"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}, "no credentials"),
    ],
)
def test_what_is_wrong_is_one_line_before_the_run(
    settings: Mapping[str, str], message: str, team: Team, tiny: Path, tmp_path: Path
):
    """Nothing was trained, and nothing secret is said."""
    workspace = tmp_path / "workspace"
    assert team.tribute("clone", team.origin, workspace).code == 0
    shutil.rmtree(workspace / "artifacts", ignore_errors=True)

    ended = _run(team, tiny, workspace, "--set", "finetuning.epochs=3", **settings)

    assert ended.code == 2, ended.out
    assert message in ended.err
    assert len([line for line in ended.err.splitlines() if "error" in line.lower()]) <= 1
    assert os.environ.get("AWS_SECRET_ACCESS_KEY", "s3cret") not in ended.out + ended.err
    assert not list(workspace.glob("artifacts/adapter/*"))
