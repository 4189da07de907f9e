"""tldr-pages: what a command line does, by genuine authors. The label is the command's family."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tribute.config import FolderSource
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.rows import text_sha256
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.sources.jsonl import classification, read_source, write_jsonl

FILES = ("pairs.jsonl",)
COLUMNS = ("contributor_id", "page", "platform", "prompt", "day")
FAMILIES = 60
EVALUATION = 0.15
LICENCE = "CC-BY-4.0"
HOME_PAGE = "https://github.com/tldr-pages/tldr"


def write_tldr(source: FolderSource, name: str, folder: Path) -> tuple[DatasetSchema, list[Submission], Path]:
    """One file an author, earliest author first; the evaluation is sliced by platform.

    Only the descriptions of the most frequent families are used: a description and its family is a row.
    """
    pairs = frequent(read_source(source.folder / FILES[0], source.kind, COLUMNS))
    authors: dict[str, list[dict[str, Any]]] = {}
    for pair in sorted(pairs, key=lambda pair: pair["day"]):
        authors.setdefault(pair["contributor_id"], []).append(pair)
    kept = {author: rows[: source.rows_per_contributor] for author, rows in authors.items()}
    submissions = []
    for author, rows in kept.items():
        if own := [row for row in rows if not held_out(row["prompt"])]:
            file = write_jsonl(folder / f"{author}.jsonl", as_rows(own))
            submissions.append(Submission(file, author, name, LICENCE, home_page=HOME_PAGE))
    sealed = [row for rows in kept.values() for row in rows if held_out(row["prompt"])]
    evaluation = write_jsonl(folder / "evaluation.jsonl", as_rows(sealed))
    labels = tuple(sorted({family(pair["page"]) for pair in pairs}))
    schema = DatasetSchema(name=name, task="sequence-classification", labels=labels, licences=(LICENCE,))
    return schema, submissions, evaluation


def family(page: str) -> str:
    """`git-commit` → `git`: the page's name up to the first `-` or `.`."""
    return re.split(r"[-.]", page, maxsplit=1)[0]


def frequent(pairs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pairs of the families that most pairs belong to, counted over all pairs; ties by name."""
    counts = Counter(family(pair["page"]) for pair in pairs)
    chosen = set(sorted(counts, key=lambda name: (-counts[name], name))[:FAMILIES])
    return [pair for pair in pairs if family(pair["page"]) in chosen]


def held_out(text: str) -> bool:
    """Is a text in the evaluation? Its own hash decides, so a repeated text is on one side only."""
    return int(text_sha256(text)[-8:], 16) < EVALUATION * 16**8


def as_rows(pairs: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Pairs as rows of a classification dataset: description and family, sliced by platform."""
    return [classification(pair["prompt"], family(pair["page"]), pair["platform"]) for pair in pairs]
