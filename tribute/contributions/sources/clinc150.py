"""CLINC150 (Larson et al. 2019): what people ask an assistant. Its ten domains are the contributors."""

from collections.abc import Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from tribute.config import FolderSource
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.sources.jsonl import classification, read_source, write_jsonl

FILES = ("train.jsonl", "val.jsonl")
COLUMNS = ("text", "label", "domain")
LICENCE = "CC-BY-3.0"
HOME_PAGE = "https://github.com/clinc/oos-eval"


def write_clinc150(source: FolderSource, name: str, folder: Path) -> tuple[DatasetSchema, list[Submission], Path]:
    """One file per domain from `train.jsonl`; the evaluation is `val.jsonl`, sliced by domain."""
    train, validation = (read_source(source.folder / file, source.kind, COLUMNS) for file in FILES)
    kept, limit = _by_domain(train), source.rows_per_contributor
    submissions = []
    for domain in kept:
        id_ = domain.replace("_", "-")
        file = write_jsonl(folder / f"{id_}.jsonl", _rows(_first(kept[domain], limit)))
        submissions.append(Submission(file, id_, name, LICENCE, _words(domain), home_page=HOME_PAGE))
    held_out = [row for rows in _by_domain(validation).values() for row in _first(rows, limit)]
    evaluation = write_jsonl(folder / "evaluation.jsonl", _rows(held_out))
    labels = tuple(dict.fromkeys(_words(row["label"]) for row in train))
    schema = DatasetSchema(name=name, task="sequence-classification", labels=labels, licences=(LICENCE,))
    return schema, submissions, evaluation


def _by_domain(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    domains = sorted({row["domain"] for row in rows})
    return {domain: [row for row in rows if row["domain"] == domain] for domain in domains}


def _first(rows: list[dict[str, Any]], limit: int | None) -> list[dict[str, Any]]:
    """The first `limit` rows, label by label in turn, so that every label keeps some."""
    if limit is None:
        return rows
    labels = dict.fromkeys(row["label"] for row in rows)
    turns = zip_longest(*([row for row in rows if row["label"] == label] for label in labels))
    return [row for row in chain.from_iterable(turns) if row is not None][:limit]


def _rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    return [classification(row["text"], _words(row["label"]), _words(row["domain"])) for row in rows]


def _words(name: str) -> str:
    return name.replace("_", " ")
