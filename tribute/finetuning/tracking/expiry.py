"""MLflow's runs that nothing refers to any more: of trainings that were never finished, experiments and sweeps."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from tribute.finetuning.tracking.connection import Connection
from tribute.finetuning.tracking.live import PARENT

RUN_ID = "tribute.run_id"


def unused_runs(folder: Path, kept: Collection[str], before: int) -> list[str]:
    """The ids of runs that Tribute logged and that ended before a time, in milliseconds since 1970.

    One stays that is in `kept`, by MLflow's id or by the run of Tribute that it belongs to, that a registered model was
    logged by, or that has a nested run which stays. Raises TrackingError.
    """
    connection = Connection(folder)
    with connection.client() as client:
        runs = list(_runs(client))
        registered = {version.run_id for version in client.search_model_versions("")}
    parents = {run.info.run_id: run.data.tags.get(PARENT) for run in runs}
    stay = {
        run.info.run_id
        for run in runs
        if {run.info.run_id, run.data.tags.get(RUN_ID)} & {*kept, *registered}
        or run.info.end_time is None
        or run.info.end_time >= before
    }
    stay |= {parent for run_id, parent in parents.items() if run_id in stay and parent}
    return [run_id for run_id in parents if run_id not in stay]


def delete_runs(folder: Path, run_ids: Sequence[str]) -> None:
    """Delete them, as a person does in MLflow's page: `mlflow gc` frees their space. Raises TrackingError."""
    connection = Connection(folder)
    with connection.client() as client:
        for run_id in run_ids:
            client.delete_run(run_id)


def _runs(client: Any) -> Iterator[Any]:
    for experiment in client.search_experiments():
        token: str | None = ""
        while token is not None:
            page = client.search_runs([experiment.experiment_id], page_token=token)
            yield from (run for run in page if "tribute.dataset" in run.data.tags)
            token = page.token or None
