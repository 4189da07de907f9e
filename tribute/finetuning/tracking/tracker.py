"""What MLflow is told of a run of Tribute: the run itself, a nested run per seed, adapters as models, results."""

import getpass
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tribute.artifacts import Artifact
from tribute.config import FinetuningConfig
from tribute.contributions.dataset import read_description
from tribute.finetuning.adapters.adapter_folder import GENERATIONS, METRICS
from tribute.finetuning.recording.curve import Point
from tribute.finetuning.tracking.connection import DATABASE, Connection
from tribute.finetuning.tracking.live import PARENT, LiveRun, log_metrics
from tribute.finetuning.tracking.logged_model import log_model
from tribute.finetuning.tracking.registration import (
    Registered,
    add_version,
    champion_of,
    model_name,
    registered_version,
    standing,
)
from tribute.finetuning.tracking.subject import Subject, numbers
from tribute.ids import parse_tag
from tribute.strict import parse_json


class Tracker:
    """One workspace's MLflow: the server of MLFLOW_TRACKING_URI, or SQLite and artifacts in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.connection = Connection(folder)

    def exists(self) -> bool:
        """Whether MLflow may know of runs: it is a server, or has its database here."""
        return bool(self.connection.server) or (self.connection.folder / DATABASE).exists()

    def begin(self, subject: Subject, seed: int) -> LiveRun:
        """Open the run of a seed's training below the run of Tribute, before anything is trained.

        A run of the same seed that a killed process left open is closed. Raises TrackingError where MLflow cannot
        record.
        """
        with self.connection.client() as client:
            self.connection.refuse_locked()
            experiment = self.connection.experiment(client, subject.experiment)
            parent = self._parent(client, experiment, subject)
            client.update_run(parent, "RUNNING")
            left = f"tags.`{PARENT}` = '{parent}' AND params.seed = '{seed}' AND attributes.status = 'RUNNING'"
            for run in client.search_runs([experiment], left):
                client.set_terminated(run.info.run_id, "KILLED")
            tags = {**_context(), **subject.tags(), PARENT: parent}
            run_id = client.create_run(experiment, tags=tags, run_name=f"{subject.run_id}-seed{seed}").info.run_id
            client.log_inputs(run_id, [subject.input()])
            _log_params(client, run_id, subject.params() | {"seed": str(seed)})
        return LiveRun(self.connection, subject, seed, run_id)

    def finish(self, live: LiveRun, adapter: Path) -> dict[str, str]:
        """Record what a training came to; returns `mlflow_run_id` and `mlflow_model_id`."""
        with self.connection.client() as client, _failing(client, live.id):
            live.send(client, _points(adapter))
            model_id = log_model(client, live.subject, live.id, f"{live.subject.run_id}-seed{live.seed}", adapter)
            _log_evaluation(client, live.id, model_id, adapter)
            if (adapter / GENERATIONS).exists():
                client.log_table(live.id, parse_json((adapter / GENERATIONS).read_bytes()), GENERATIONS)
            client.set_terminated(live.id)
        return {"mlflow_run_id": live.id, "mlflow_model_id": model_id}

    def discard(self, live: LiveRun) -> None:
        """Remove a run whose training another process has done."""
        with self.connection.client() as client:
            client.delete_run(live.id)

    def log_results(
        self, subject: Subject, figures: Mapping[str, Any], tags: Mapping[str, str], files: Sequence[Path] = ()
    ) -> None:
        """Add what came of the run to it: nested figures as metrics, tags, files as artifacts; the run has ended."""
        with self.connection.client() as client:
            experiment = self.connection.experiment(client, subject.experiment)
            run_id = self._parent(client, experiment, subject)
            log_metrics(client, run_id, [(name, value, 0) for name, value in numbers(figures).items()])
            for name, value in tags.items():
                client.set_tag(run_id, name, value)
            for file in files:
                client.log_artifact(run_id, str(file))
            client.set_terminated(run_id)

    def erase_texts(self, tags: Collection[str]) -> list[str]:
        """Remove the pages and the model's answers that were logged for runs on dataset versions: `run id/file`."""
        with self.connection.client() as client:
            names = sorted({parse_tag(tag)[0] for tag in tags})
            experiments = filter(None, (client.get_experiment_by_name(name) for name in names))
            return [
                f"{run.info.run_id}/{name}"
                for experiment in experiments
                for run in _all_runs(client, experiment.experiment_id)
                if run.data.tags.get("tribute.dataset") in tags
                for name in _erase_texts(client, run)
            ]

    def end(self, dataset: str, run_id: str, status: str) -> None:
        """Say how the run of Tribute ended, where MLflow knows of it: FINISHED, FAILED or KILLED."""
        with self.connection.client() as client:
            experiment = client.get_experiment_by_name(dataset)
            if experiment is not None and (run := _find_run(client, experiment.experiment_id, run_id)):
                client.set_terminated(run, status)

    def register(self, dataset: Artifact, adapter: Artifact, config: FinetuningConfig) -> Registered:
        """Register the adapter once; it becomes champion when it beats its own start and the champion."""
        subject = Subject(adapter.id[:12], dataset, config)
        name = model_name(subject.experiment)
        with self.connection.client() as client:
            known = registered_version(client, name, adapter)
            if known is not None:
                return known
            run_id, model_id = self._logged(client, subject, adapter)
            return add_version(client, name, standing(dataset, adapter), run_id, model_id)

    def champion_of(self, dataset: str) -> str | None:
        """The id of the adapter that is a dataset's champion; None where there is none."""
        name = model_name(dataset)
        with self.connection.client() as client:
            if not client.search_registered_models(filter_string=f"name = '{name}'"):
                return None
            version = champion_of(client, name)
            return None if version is None else client.get_model_version(name, version).tags.get("adapter")

    def _logged(self, client: Any, subject: Subject, adapter: Artifact) -> tuple[str | None, str]:
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
            self.connection.experiment(client, subject.experiment)
            model_id = log_model(client, subject, run_id, subject.run_id, adapter.path)
        return run_id, model_id

    def _parent(self, client: Any, experiment: str, subject: Subject) -> str:
        """The id of MLflow's run for the run of Tribute, made where there is none."""
        if (known := _find_run(client, experiment, subject.run_id)) is not None:
            return known
        description = read_description(subject.dataset)
        note = f"Run {subject.run_id} of Tribute on {description['tag']}, with a nested run per seed."
        tags = {**_context(), **subject.tags(), "tribute.kind": "run", "mlflow.note.content": note}
        run_id = str(client.create_run(experiment, tags=tags, run_name=subject.run_id).info.run_id)
        client.log_inputs(run_id, [subject.input()])
        _log_params(client, run_id, subject.params() | {"seeds": str(list(subject.config.seeds))})
        return run_id


def _find_run(client: Any, experiment: str, run_id: str) -> str | None:
    mine = f"tags.`tribute.run_id` = '{run_id}' AND tags.`tribute.kind` = 'run'"
    return next((str(run.info.run_id) for run in client.search_runs([experiment], mine, max_results=1)), None)


def _all_runs(client: Any, experiment: str) -> Iterator[Any]:
    """Every run of an experiment, deleted ones included: their files are still there."""
    from mlflow.entities import ViewType

    token: str | None = ""
    while token is not None:
        page = client.search_runs([experiment], run_view_type=ViewType.ALL, page_token=token)
        yield from page
        token = page.token or None


def _erase_texts(client: Any, run: Any) -> Iterator[str]:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    for file in client.list_artifacts(run.info.run_id):
        if file.path == GENERATIONS or file.path.endswith(".html"):
            get_artifact_repository(run.info.artifact_uri).delete_artifacts(file.path)
            yield file.path


@contextmanager
def _failing(client: Any, run_id: str) -> Iterator[None]:
    """Mark the run as failed where the body fails."""
    try:
        yield
    except Exception:
        client.set_terminated(run_id, "FAILED")
        raise


def _context() -> dict[str, str]:
    """Who runs what, as MLflow says it: user, source, git commit."""
    from mlflow.tracking.context.registry import resolve_tags

    return {"mlflow.user": getpass.getuser(), **resolve_tags()}


def _log_params(client: Any, run_id: str, params: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    client.log_batch(run_id, params=[Param(name, value) for name, value in params.items()])


def _points(adapter: Path) -> list[Point]:
    """The finished curve; steps that were not seen while it ran were done before now."""
    curve = parse_json((adapter / "curve.json").read_bytes())["training"]
    now = int(1000 * time.time())
    return [Point(**point, time=now) for point in curve]


def _log_evaluation(client: Any, run_id: str, model_id: str, adapter: Path) -> None:
    """The evaluation before (step 0) and after the training, of all rows and by slice; the model has those after."""
    from mlflow.entities import LoggedModelOutput

    evaluation = parse_json((adapter / "evaluation.json").read_bytes())
    steps = len(_points(adapter))
    slices = numbers({"evaluation": evaluation.get("slices", {})})
    before = [(f"evaluation_{name}", value, 0) for name, value in evaluation["before"].items()]
    if (adapter / METRICS).exists():
        for name, value in parse_json((adapter / METRICS).read_bytes())["metrics"].items():
            key = f"metric_{name.replace(':', '.')}"
            before.append((key, value["before"], 0))
            slices[key] = value["after"]
    log_metrics(client, run_id, [*before, *((name, value, steps) for name, value in slices.items())])
    for name in evaluation["before"]:
        client.log_metric(run_id, f"evaluation_{name}", evaluation[name], step=steps, model_id=model_id)
    client.log_outputs(run_id, [LoggedModelOutput(model_id, steps)])
