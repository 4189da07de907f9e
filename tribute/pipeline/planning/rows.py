"""Which rows a run would learn from and how long they are: of a released version, or of the config's source."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tribute.config import RunConfig
from tribute.errors import RegistryError, WorkspaceError
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.base_models import load_tokenizer
from tribute.finetuning.preparation.task_types import TaskType, described_task
from tribute.workspace import Workspace


@dataclass(frozen=True)
class PlannedRows:
    """The rows of a plan."""

    task: TaskType
    train: EncodedRows
    evaluation: EncodedRows
    contributors: Mapping[str, int]
    """Contributor → rows."""
    is_released: bool
    """Otherwise screening may still exclude some."""


def planned_rows(config: RunConfig, workspace: Path, base: Path) -> PlannedRows:
    """The rows as the tokenizer in `base` reads them.

    Raises RegistryError where there is neither a version nor a source.
    """
    tables = _released(config, workspace) or _of_source(config)
    description, train, evaluation, is_released = tables
    task, tokenizer = described_task(description), load_tokenizer(base)
    parts = [task.encode(frame, tokenizer, config.finetuning) for frame in (train, evaluation)]
    return PlannedRows(task, parts[0], parts[1], Counter(train["contributor_id"]), is_released)


Tables = tuple[Mapping[str, Any], pd.DataFrame, pd.DataFrame, bool]


def _released(config: RunConfig, workspace: Path) -> Tables | None:
    from tribute.contributions.dataset import read_description, read_rows
    from tribute.contributions.registry import Registry
    from tribute.pipeline.stages.data import materialised

    try:
        home = Workspace.open(workspace)
    except WorkspaceError:
        return None
    if config.dataset.tag not in [version.tag for version in Registry.open(home).versions()]:
        return None
    dataset = materialised(home, config.dataset.tag)
    return read_description(dataset), read_rows(dataset, "train"), read_rows(dataset, "evaluation"), True


def _of_source(config: RunConfig) -> Tables:
    from tribute.contributions.intake import read_jsonl
    from tribute.contributions.sources import write_source

    dataset = config.dataset
    if dataset.source is None:
        raise RegistryError(
            f"there is no dataset version {dataset.tag} here to plan for; give the workspace that has it with "
            "--workspace, or dataset.source"
        )
    with tempfile.TemporaryDirectory() as folder:
        schema, submissions, evaluation = write_source(dataset.source, dataset.name, Path(folder))
        files = [(submission.file, submission.contributor_id) for submission in submissions]
        frames = [
            pd.DataFrame(
                {
                    "row_id": f"{owner}:{row.line}",
                    "contributor_id": owner,
                    "slice": row.slice,
                    "text": row.text,
                    "target": row.target,
                }
                for file, owner in part
                for row in read_jsonl(file, schema, owner)
            )
            for part in (files, [(evaluation, "evaluation")])
        ]
    description = {"task": schema.task, "tag": dataset.tag, "labels": schema.labels, "rows": schema.rows}
    return description, frames[0], frames[1], False
