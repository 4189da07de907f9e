"""MLflow, met nowhere else: runs, the dataset they used, adapters as logged models, and who is champion.

Uses the client with explicit run ids: MLflow's "active run" belongs to a thread, and tasks run in many.
"""

import json
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.artifacts import Artifact
from tribute.config import FinetuningConfig
from tribute.errors import TrackingError
from tribute.files import locked
from tribute.finetuning.base_models import TOKENIZER_FILES
from tribute.strict import parse_json

CHAMPION, DATABASE = "champion", "mlflow.db"
PATIENCE = 5.0
"""Seconds that another program may hold MLflow's database."""
LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps: a chat template may have more."""
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "base.json", *TOKENIZER_FILES)


@dataclass(frozen=True)
class Registered:
    """A registered model version; `champion` says whether the alias points to it now."""

    name: str
    version: str
    champion: bool


class Tracker:
    """One workspace's MLflow: the server of MLFLOW_TRACKING_URI, or SQLite and artifacts in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = os.environ.get("MLFLOW_TRACKING_URI", "")

    def check(self, dataset: Artifact) -> None:
        """Ask before a training whether it can be recorded. Raises TrackingError where it cannot."""
        with self._client() as client:
            if not self.server:
                _refuse_locked(self.folder / DATABASE)
            self._experiment(client, dataset.json("dataset.json")["name"])

    def log_training(
        self, name: str, dataset: Artifact, config: FinetuningConfig, seed: int, adapter: Path
    ) -> dict[str, str]:
        """Record a finished training; returns `mlflow_run_id` and `mlflow_model_id`."""
        evaluation = parse_json((adapter / "evaluation.json").read_bytes())
        with self._client() as client:
            experiment = self._experiment(client, dataset.json("dataset.json")["name"])
            run_id = client.create_run(experiment, run_name=f"{name}-seed{seed}").info.run_id
            try:
                _log_inputs(client, run_id, dataset)
                _log_numbers(client, run_id, config, seed, adapter, evaluation)
                model_id = _log_adapter(client, experiment, run_id, name, adapter)
            except Exception:
                client.set_terminated(run_id, "FAILED")
                raise
            client.set_terminated(run_id)
        return {"mlflow_run_id": run_id, "mlflow_model_id": model_id}

    def register(self, dataset: Artifact, adapter: Artifact) -> Registered:
        """Register the adapter once; it becomes champion when it beats its own start and the champion.

        A champion measured on other evaluation rows cannot be compared and gives way.
        """
        name = f"tribute-{dataset.json('dataset.json')['name']}"
        with self._client() as client:
            if not client.search_registered_models(filter_string=f"name = '{name}'"):
                client.create_registered_model(name)
            for version in client.search_model_versions(f"name = '{name}'"):
                if version.tags.get("adapter") == adapter.id:
                    number = str(version.version)
                    return Registered(name, number, self._champion(client, name) == number)
            tags = _standing(dataset, adapter)
            run_id, model_id = self._logged(client, dataset, adapter)
            created = client.create_model_version(name, f"models:/{model_id}", run_id, tags=tags, model_id=model_id)
            champion = self._champion(client, name)
            beaten = None if champion is None else client.get_model_version(name, champion).tags
            wins = _beats(tags, beaten)
            if wins:
                client.set_registered_model_alias(name, CHAMPION, created.version)
        return Registered(name, str(created.version), wins)

    def _logged(self, client: Any, dataset: Artifact, adapter: Artifact) -> tuple[str | None, str]:
        """The adapter's run and logged model; a model that somebody deleted is logged again from the artifact."""
        from mlflow.exceptions import MlflowException

        run_id: str | None = str(adapter.provenance["mlflow_run_id"])
        model_id = str(adapter.provenance["mlflow_model_id"])
        try:
            client.get_run(run_id)
        except MlflowException:
            run_id = None
        try:
            client.get_logged_model(model_id)
        except MlflowException:
            experiment = self._experiment(client, dataset.json("dataset.json")["name"])
            model_id = _log_adapter(client, experiment, run_id, adapter.id[:12], adapter.path)
        return run_id, model_id

    def _champion(self, client: Any, name: str) -> str | None:
        aliases = client.get_registered_model(name).aliases
        return str(aliases[CHAMPION]) if CHAMPION in aliases else None

    def _experiment(self, client: Any, name: str) -> str:
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            location = None if self.server else (self.folder / "artifacts" / name).as_uri()
            return str(client.create_experiment(name, artifact_location=location))
        if experiment.lifecycle_stage != "active":
            raise TrackingError(
                f"MLflow's experiment {name!r} was deleted; run `mlflow experiments restore -x "
                f"{experiment.experiment_id}` with MLFLOW_TRACKING_URI={self._address()}, or rename it"
            )
        return str(experiment.experiment_id)

    def _address(self) -> str:
        return self.server or f"sqlite:///{self.folder / DATABASE}"

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """A client; one at a time per workspace, since SQLite's migrations and look-then-create do not share.

        Raises TrackingError for what MLflow or its database refuse.
        """
        # A new database prints some forty lines of schema migrations.
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # A server that is not there is told in seconds; by default MLflow asks it for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        import mlflow
        from alembic.util.exc import CommandError
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.folder.mkdir(parents=True, exist_ok=True)
        address = self._address()
        with locked(self.folder.parent / "scratch" / "locks" / "mlflow"):
            # The registry looks a logged model up through the global address, whatever the client's is.
            mlflow.set_tracking_uri(address)
            # MLflow hands it to child processes, which would take it for the user's.
            if not self.server:
                os.environ.pop("MLFLOW_TRACKING_URI", None)
            try:
                yield MlflowClient(tracking_uri=address, registry_uri=address)
            except (MlflowException, CommandError, SQLAlchemyError) as error:
                where = "MLFLOW_TRACKING_URI" if self.server else str(self.folder / DATABASE)
                raise TrackingError(f"MLflow ({where}): {_in_a_line(error)}") from error


def _refuse_locked(database: Path) -> None:
    """Raise TrackingError where another program holds the database for writing."""
    try:
        with closing(sqlite3.connect(database, timeout=PATIENCE, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise TrackingError(
            f"MLflow's {database} cannot be written ({error}); end the program that holds it and run again"
        ) from error


def _in_a_line(error: Exception) -> str:
    """The first sentence or two: MLflow and SQLAlchemy add statements and links on lines of their own."""
    return " ".join(str(error).partition("\n[SQL")[0].split())


def _log_inputs(client: Any, run_id: str, dataset: Artifact) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    facts = dataset.json("dataset.json")
    source = json.dumps({"tag": facts["tag"], "ledger_head": facts["ledger_head"]})
    entity = Dataset(facts["name"], facts["dvc_md5"], "dvc", source)
    client.log_inputs(run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])


def _log_numbers(
    client: Any,
    run_id: str,
    config: FinetuningConfig,
    seed: int,
    adapter: Path,
    evaluation: Mapping[str, Any],
) -> None:
    from mlflow.entities import Metric, Param

    settings = config.model_dump(mode="json", exclude={"seeds", "timeout_minutes"}) | {"seed": seed}
    params = [Param(name, str(value)[:LONGEST_PARAM]) for name, value in _flat(settings)]
    curve = parse_json((adapter / "curve.json").read_bytes())["training"]
    metrics = [Metric("training_loss", point["loss"], 0, int(point["step"])) for point in curve]
    metrics += [Metric("learning_rate", point["learning_rate"], 0, int(point["step"])) for point in curve]
    for name in ("loss", "accuracy"):
        metrics.append(Metric(f"evaluation_{name}", evaluation["before"][name], 0, 0))
        metrics.append(Metric(f"evaluation_{name}", evaluation[name], 0, len(curve)))
    for start in range(0, len(metrics), 900):
        client.log_batch(run_id, metrics[start : start + 900], params if start == 0 else [])


def _log_adapter(client: Any, experiment: str, run_id: str | None, name: str, adapter: Path) -> str:
    model = client.create_logged_model(experiment, name=name, source_run_id=run_id, model_type="adapter")
    with tempfile.TemporaryDirectory() as folder:
        for file in (name for name in ADAPTER_FILES if (adapter / name).exists()):
            shutil.copy(adapter / file, folder)
        client.log_model_artifacts(model.model_id, folder)
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _standing(dataset: Artifact, adapter: Artifact) -> dict[str, str]:
    """What a later challenger is compared with."""
    evaluation = adapter.json("evaluation.json")
    return {
        "adapter": adapter.id,
        "dataset": dataset.id,
        "evaluation_sha256": dataset.identity["files"]["evaluation.parquet"],
        "loss": repr(evaluation["loss"]),
        "loss_before": repr(evaluation["before"]["loss"]),
    }


def _beats(challenger: Mapping[str, str], champion: Mapping[str, str] | None) -> bool:
    loss = float(challenger["loss"])
    if loss >= float(challenger["loss_before"]):
        return False
    if champion is None or champion["evaluation_sha256"] != challenger["evaluation_sha256"]:
        return True
    return loss < float(champion["loss"])


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
