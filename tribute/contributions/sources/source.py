"""Where contributions of real text come from: each source writes files to contribute, the same every time."""

from pathlib import Path

from tribute.config import AnswersSource, DocsSource, FolderSource
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.sources import clinc150, tldr
from tribute.contributions.sources.answers import write_answers
from tribute.contributions.sources.clinc150 import write_clinc150
from tribute.contributions.sources.docs import write_docs
from tribute.contributions.sources.jsonl import require
from tribute.contributions.sources.tldr import write_tldr

Source = DocsSource | AnswersSource | FolderSource


def check_source(source: Source) -> None:
    """Raise ContributionError where a file of a folder source is missing."""
    if isinstance(source, FolderSource):
        for name in {"clinc150": clinc150.FILES, "tldr": tldr.FILES}[source.kind]:
            require(source.folder / name, source.kind)


def write_source(source: Source, name: str, folder: Path) -> tuple[DatasetSchema, list[Submission], Path]:
    """Write the files of dataset `name` into `folder`: its schema, what to contribute, the evaluation file.

    Raises ContributionError where the source's own files are missing or damaged.
    """
    if isinstance(source, AnswersSource):
        return write_answers(source, name, folder)
    if isinstance(source, DocsSource):
        return write_docs(source, name, folder)
    writer = {"clinc150": write_clinc150, "tldr": write_tldr}[source.kind]
    return writer(source, name, folder)
