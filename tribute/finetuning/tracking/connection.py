"""Where a workspace's MLflow is, and how it is asked: the server of MLFLOW_TRACKING_URI, or SQLite in a folder.

Uses the client with explicit run ids: MLflow's "active run" belongs to a thread, and tasks run in many.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tribute.errors import TrackingError
from tribute.files import locked

DATABASE = "mlflow.db"
PATIENCE = 5.0
"""Seconds that another program may hold MLflow's database."""
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Columns of MLflow's database that hold absolute places."""


class Connection:
    """One workspace's MLflow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = os.environ.get("MLFLOW_TRACKING_URI", "")

    @property
    def address(self) -> str:
        """MLflow's tracking URI."""
        return self.server or f"sqlite:///{self.folder / DATABASE}"

    def refuse_locked(self) -> None:
        """Raise TrackingError where another program holds the workspace's database for writing."""
        if self.server:
            return
        database = self.folder / DATABASE
        try:
            with closing(sqlite3.connect(database, timeout=PATIENCE, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise TrackingError(
                f"MLflow's {database} cannot be written ({error}); end the program that holds it and run again"
            ) from error

    def experiment(self, client: Any, name: str) -> str:
        """The id of an experiment, made where there is none. Raises TrackingError for a deleted one."""
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            location = None if self.server else (self.folder / "artifacts" / name).as_uri()
            # MLflow's pages take an experiment with logged models for one of prompts otherwise.
            kind = {"mlflow.experimentKind": "custom_model_development"}
            return str(client.create_experiment(name, artifact_location=location, tags=kind))
        if experiment.lifecycle_stage != "active":
            raise TrackingError(
                f"MLflow's experiment {name!r} was deleted; run `mlflow experiments restore -x "
                f"{experiment.experiment_id}` with MLFLOW_TRACKING_URI={self.address}, or rename it"
            )
        return str(experiment.experiment_id)

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A client; one at a time per workspace, since SQLite's migrations and look-then-create do not share.

        Raises TrackingError for what MLflow or its database refuse.
        """
        # A new database prints some forty lines of schema migrations.
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # A server that is not there is told in seconds; by default MLflow asks it for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        # Of a server's runs it prints the addresses on standard output, which is a command's JSON.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        # Without it every file of a model draws a progress bar.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        import mlflow
        from alembic.util.exc import CommandError
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        logging.getLogger("alembic").setLevel(logging.WARNING)
        # What MLflow cannot do is raised as well, and told in one line; what it advises on packages is not the user's.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        logging.getLogger("mlflow.utils.requirements_utils").setLevel(logging.ERROR)
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder.parent / "scratch" / "locks" / "mlflow"):
            # The registry looks a logged model up through the global address, whatever the client's is.
            mlflow.set_tracking_uri(self.address)
            # MLflow hands it to child processes, which would take it for the user's.
            if not self.server:
                os.environ.pop("MLFLOW_TRACKING_URI", None)
                follow_move(self.folder)
            try:
                yield MlflowClient(tracking_uri=self.address, registry_uri=self.address)
            # A database's URL may ask for a driver that is not installed.
            except (MlflowException, CommandError, SQLAlchemyError, ModuleNotFoundError) as error:
                where = "MLFLOW_TRACKING_URI" if self.server else str(self.folder / DATABASE)
                raise TrackingError(f"MLflow ({where}): {_in_a_line(error)}") from error


def follow_move(folder: Path) -> None:
    """Correct the absolute places in the database of a workspace that was moved or copied."""
    here = f"{(folder / 'artifacts').as_uri()}/"
    if not (folder / DATABASE).exists():
        return
    try:
        with closing(sqlite3.connect(folder / DATABASE, timeout=PATIENCE)) as connection, connection:
            places = connection.execute("SELECT artifact_location, name FROM experiments").fetchall()
            for before in {place.removesuffix(name) for place, name in places if place and place.endswith(f"/{name}")}:
                if before != here and before.endswith("/mlflow/artifacts/"):
                    for table, column in PLACES:
                        connection.execute(
                            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                            (here, len(before) + 1, len(before), before),
                        )
    except sqlite3.Error:
        # A database that cannot be read is named by MLflow itself, with what is wrong with it.
        return


def _in_a_line(error: Exception) -> str:
    """The first sentence or two: MLflow and SQLAlchemy add statements and links on lines of their own."""
    return " ".join(str(error).partition("\n[SQL")[0].split())
