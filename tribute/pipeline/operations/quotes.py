"""Places that may quote rows though they are not made of them: prompts in settings, and what models answered."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import yaml

from tribute.artifacts import ERASED, Artifact, read_erased
from tribute.contributions.dataset import read_description
from tribute.contributions.text_places import Erasure, TextPlace, texts_in
from tribute.digests import file_sha256
from tribute.files import write_atomically, write_json
from tribute.finetuning.adapters.adapter_folder import GENERATIONS
from tribute.finetuning.tracking import Tracker
from tribute.settings import read_yaml
from tribute.strict import parse_json
from tribute.workspace import Workspace

PREFECT_DATABASE = "prefect.db"
PREFECT_TABLES = ("flow_run", "deployment")
"""Tables of Prefect's database whose column `parameters` holds configs."""


def datasets_with(workspace: Workspace, erasure: Erasure) -> dict[str, Artifact]:
    """The built versions that held any of the contributions, by their ids."""
    return {
        dataset.id: dataset
        for dataset in workspace.store.all("dataset")
        if not set(read_description(dataset)["contributions"]).isdisjoint(erasure.contributions)
    }


def erase_answers(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Blank the prompts, and what base and adapter answered, of every adapter that learned from the rows."""
    datasets, blanked = datasets_with(workspace, erasure), []
    for adapter in workspace.store.all("adapter"):
        file, dataset = adapter.file(GENERATIONS), datasets.get(adapter.inputs["dataset"])
        if dataset is None or not file.exists():
            continue
        before = read_erased(adapter.path).contributions
        gone = set(read_description(dataset)["contributions"]) & set(erasure.contributions)
        if not gone <= set(before):
            _blank_answers(adapter, file, sorted({*before, *gone}))
            blanked.append(str(file))
    return blanked


def _blank_answers(adapter: Artifact, file: Path, contributions: list[str]) -> None:
    beside = file.with_name(f".{file.name}")
    write_json(beside, dict.fromkeys(("prompt", "before", "after"), ()))
    # The note first: a file that was blanked without it would count as damaged.
    write_json(adapter.path / ERASED, {"files": {file.name: file_sha256(beside)}, "contributions": contributions})
    beside.replace(file)


def erase_settings(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Take the prompts that quote a row out of the runs' configs."""
    edited = []
    for file in sorted(workspace.runs.glob("*/config.yaml")):
        settings = read_yaml(file)
        prompts = settings.get("finetuning", {}).get("prompts", [])
        kept = [prompt for prompt in prompts if not erasure.is_quoted_in(prompt)]
        if len(kept) < len(prompts):
            settings["finetuning"]["prompts"] = kept
            note = "# Prompts that quoted erased rows were removed.\n"
            write_atomically(file, (note + yaml.safe_dump(settings, sort_keys=False)).encode())
            edited.append(str(file))
    return edited


def erase_schedule(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Empty the parameters of flow runs and deployments that quote a row, in the workspace's own Prefect database."""
    file = workspace.prefect / PREFECT_DATABASE
    if not erasure.texts or not file.exists():
        return []
    with closing(sqlite3.connect(file, timeout=30)) as database:
        database.execute("PRAGMA secure_delete = ON")
        with database:
            emptied = list(_emptied(database, erasure))
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return emptied


def _emptied(database: sqlite3.Connection, erasure: Erasure) -> Iterator[str]:
    for table in PREFECT_TABLES:
        for id_, name, parameters in database.execute(f"SELECT id, name, parameters FROM {table}").fetchall():
            if any(erasure.is_quoted_in(text) for text in texts_in(parse_json(parameters or "{}"))):
                database.execute(f"UPDATE {table} SET parameters = '{{}}' WHERE id = ?", (id_,))
                yield f"{table} {name}"


def erase_tracked(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Remove pages and answers from the runs that MLflow has, the workspace's own or the one that is named.

    Raises TrackingError where MLflow does not answer.
    """
    tags = {str(read_description(dataset)["tag"]) for dataset in datasets_with(workspace, erasure).values()}
    tracker = Tracker(workspace.mlflow)
    return tracker.erase_texts(tags) if tags and tracker.exists() else []


PLACES = (
    TextPlace("answers", "prompts, and what base and adapter answered", erase_answers),
    TextPlace("settings", "prompts in the configs of runs", erase_settings),
    TextPlace("prefect", "prompts among the parameters of flow runs", erase_schedule),
)
MLFLOW = TextPlace("mlflow", "pages and answers that were logged with runs", erase_tracked)
"""Last of all: a server that does not answer keeps nothing else from being erased."""
