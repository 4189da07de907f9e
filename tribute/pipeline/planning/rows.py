"""Which rows a run would learn from and how long they are: of a released version, or of the config's source."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tribute.artifacts import Artifact
from tribute.attribution.credit import unpaid_rows
from tribute.config import RunConfig
from tribute.contributions.dataset import read_description, read_rows
from tribute.errors import RegistryError
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.base_models import load_tokenizer
from tribute.finetuning.preparation.split import FRACTION, split
from tribute.finetuning.preparation.task_types import TaskType, described_task


@dataclass(frozen=True)
class PlannedRows:
    """The rows of a plan."""

    task: TaskType
    train: EncodedRows
    validation: EncodedRows
    """Held out of the training; empty where the config holds none out."""
    evaluation: EncodedRows
    unpaid: EncodedRows
    """Evaluation rows that look for harm before anything is trained; none where nobody does."""
    contributors: Mapping[str, int]
    """Contributor → rows."""
    is_released: bool
    """Otherwise screening may still exclude some."""


def planned_rows(
    config: RunConfig, dataset: Artifact | None, base: Path, harm_share: float | None = None
) -> PlannedRows:
    """The rows of the version, or else of the source, as the tokenizer in `base` reads them.

    `harm_share` of a version whose rows were not looked at for harm yet, so that all of them are planned for.

    Raises RegistryError where there is neither a version nor a source.
    """
    description, frames = _of_source(config) if dataset is None else _released(config, dataset)
    task, tokenizer = described_task(description), load_tokenizer(base)
    train, held_out, evaluation = frames
    learned, read = (
        task.encode(frame, tokenizer, config.finetuning) for frame in (pd.concat([train, held_out]), evaluation)
    )
    parts = learned.take(range(len(train))), learned.take(range(len(train), len(learned)))
    places = set(unpaid_rows(read.slices, harm_share)) if harm_share else set()
    paying = read.take([place for place in range(len(read)) if place not in places])
    unpaid = read.take(sorted(places))
    return PlannedRows(task, *parts, paying, unpaid, Counter(train["contributor_id"]), dataset is not None)


Tables = tuple[Mapping[str, Any], tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]


def _released(config: RunConfig, dataset: Artifact) -> Tables:
    train, held_out = split(dataset, config.finetuning.validation)
    return read_description(dataset), (train, held_out, read_rows(dataset, "evaluation"))


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
    train, validation = frames[0], config.finetuning.validation
    # Which rows a release will hold out is not known yet; how many is.
    held_out = int((validation.fraction or FRACTION) * len(train)) if validation and not validation.contributions else 0
    return description, (train.iloc[held_out:], train.iloc[:held_out], frames[1])
