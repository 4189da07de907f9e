"""The trials of a sweep as MLflow shows them: a run of its own, with a nested run per trial."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.config import FinetuningConfig
from tribute.finetuning.tracking.connection import Connection
from tribute.finetuning.tracking.live import PARENT, log_metrics
from tribute.finetuning.tracking.subject import Subject

SWEEP, NUMBER = "tribute.sweep", "tribute.trial"


@dataclass(frozen=True)
class Trial:
    """What MLflow is told of a trial; `losses`: steps done → mean loss of the validation rows, nats.

    `status` is MLflow's word: FINISHED, KILLED where it was pruned, FAILED.
    """

    number: int
    config: FinetuningConfig
    losses: Mapping[int, float]
    status: str


def log_trial(folder: Path, sweep: Subject, trial: Trial) -> None:
    """Log a trial below its sweep, which is called `sweep.run_id`; once. Raises TrackingError."""
    connection = Connection(folder)
    with connection.client() as client:
        experiment = connection.experiment(client, sweep.experiment)
        parent = _find(client, experiment, sweep, "sweep") or _begin(client, experiment, sweep, "sweep", {})
        if _find(client, experiment, sweep, str(trial.number)):
            return
        own = Subject(sweep.run_id, sweep.dataset, trial.config)
        run = _begin(client, experiment, own, str(trial.number), {PARENT: parent})
        metrics = [("validation_loss", loss, step) for step, loss in trial.losses.items()]
        if metrics:
            metrics.append(("best_validation_loss", min(trial.losses.values()), 0))
        log_metrics(client, run, metrics)
        client.set_terminated(run, trial.status)


def log_choice(folder: Path, sweep: Subject, settings: Mapping[str, str], loss: float, run_id: str) -> None:
    """End a sweep's run with what it chose: the settings, their validation loss, and the run that trains by them."""
    connection = Connection(folder)
    with connection.client() as client:
        parent = _find(client, connection.experiment(client, sweep.experiment), sweep, "sweep")
        log_metrics(client, parent, [("best_validation_loss", loss, 0)])
        for name, value in ({f"chosen.{key}": value for key, value in settings.items()} | {"chosen": run_id}).items():
            client.set_tag(parent, name, value)
        client.set_terminated(parent)


def _find(client: Any, experiment: str, sweep: Subject, number: str) -> Any:
    mine = f"tags.`{SWEEP}` = '{sweep.run_id}' AND tags.`{NUMBER}` = '{number}'"
    return next((run.info.run_id for run in client.search_runs([experiment], mine, max_results=1)), None)


def _begin(client: Any, experiment: str, subject: Subject, number: str, tags: Mapping[str, str]) -> str:
    from mlflow.entities import Param

    own = {name: value for name, value in subject.tags().items() if name != "tribute.run_id"}
    own |= {SWEEP: subject.run_id, NUMBER: number, **tags}
    name = subject.run_id if number == "sweep" else f"{subject.run_id}-{number}"
    run_id = str(client.create_run(experiment, tags=own, run_name=name).info.run_id)
    client.log_inputs(run_id, [subject.input()])
    client.log_batch(run_id, params=[Param(key, value) for key, value in subject.params().items()])
    return run_id
