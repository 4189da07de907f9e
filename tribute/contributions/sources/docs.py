"""Real text without a download: the docstrings of open-source packages.

Each installed package is a contributor and the topic of a sentence is the topic of the module it stands in,
so labels are as noisy as real ones. Two planted contributors come last: `copycat` hands in another's rows,
`scrambler` sentences of its own under wrong labels.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from tribute.config import DocsSource
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.rows import text_sha256
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.sources.docs_topics import TOPICS, Package
from tribute.contributions.sources.docstrings import sentences
from tribute.contributions.sources.jsonl import classification, write_jsonl
from tribute.contributions.sources.packages import chosen_packages, package_root, submit, version_of
from tribute.contributions.sources.planted import COPYCAT, SCRAMBLER, disguise, position
from tribute.errors import ContributionError

CELLS = 2.4
"""A topic takes as many training rows as this many full cells, so that no topic outweighs the others."""
EVALUATION, KEPT_BACK = 0.24, 0.03
"""The shares of all sentences that are held out for the evaluation and kept back for `scrambler`."""
CANDIDATES = 4
"""Sentences read for each row that a cell may have."""
COPIED, SCRAMBLED, TESTED = 2, 3 / 16, 8 / 5
"""Rows of `copycat` in all, of `scrambler` and the evaluation for each topic; all times `rows_per_cell`."""
Cells = dict[tuple[str, str], list[str]]


@dataclass(frozen=True)
class Corpus:
    """The sentences by package and topic, each in exactly one of three parts."""

    train: Cells
    evaluation: Cells
    kept_back: Cells


def write_docs(source: DocsSource, name: str, folder: Path) -> tuple[DatasetSchema, list[Submission], Path]:
    """Write one file per contributor and one for the evaluation; the same packages give the same bytes."""
    packages, topics = chosen_packages(source.packages), _topics(source.topics)
    corpus = _select(_split(_read(packages, topics, source.rows_per_cell)), topics, source.rows_per_cell)
    files = {package.id: _rows(corpus.train, package.id) for package in packages}
    submissions = [submit(folder, package, name, files[package.id]) for package in packages if files[package.id]]
    submissions += _planted(folder, name, files, corpus, topics, source.rows_per_cell)
    evaluation = write_jsonl(folder / "evaluation.jsonl", _rows(corpus.evaluation))
    # Docstrings are made of set phrases, so a sentence of the evaluation is soon written by another package, too.
    schema = DatasetSchema(name=name, task="sequence-classification", labels=topics, near_evaluation=0.7)
    return schema, submissions, evaluation


def docs_versions() -> dict[str, str]:
    """What decides the sentences besides the code: the packages that are read by default, and their versions."""
    return {package.id: version_of(package) for package in chosen_packages(())}


def _topics(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in TOPICS:
            raise ContributionError(f"the docs source does not know topic {name!r}; it knows {', '.join(TOPICS)}")
    return tuple(topic for topic in TOPICS if topic in names) if names else TOPICS


def _read(packages: Iterable[Package], topics: Sequence[str], rows_per_cell: int) -> Cells:
    """Distinct sentences of each cell; a sentence found in several cells counts for the first."""
    seen: set[str] = set()
    cells: Cells = {}
    for package in packages:
        for topic, modules in package.modules.items():
            if topic not in topics:
                continue
            texts = sentences(package_root(package), modules.split(), CANDIDATES * rows_per_cell)
            by_hash = {text_sha256(text): text for text in texts}
            cells[package.id, topic] = [by_hash[key] for key in sorted(by_hash) if key not in seen]
            seen |= by_hash.keys()
    return cells


def _split(cells: Cells) -> Corpus:
    """Assign each sentence to a part by its hash."""
    bounds = ((0.0, EVALUATION), (EVALUATION, EVALUATION + KEPT_BACK), (EVALUATION + KEPT_BACK, 1.0))
    evaluation, kept_back, train = (
        {cell: [text for text in texts if low <= position(text) < high] for cell, texts in cells.items()}
        for low, high in bounds
    )
    return Corpus(train, evaluation, kept_back)


def _select(corpus: Corpus, topics: Sequence[str], rows_per_cell: int) -> Corpus:
    return Corpus(
        _balanced(corpus.train, topics, rows_per_cell, math.ceil(CELLS * rows_per_cell)),
        _balanced(corpus.evaluation, topics, rows_per_cell, math.ceil(TESTED * rows_per_cell)),
        _balanced(corpus.kept_back, topics, rows_per_cell, math.ceil(SCRAMBLED * rows_per_cell)),
    )


def _balanced(cells: Cells, topics: Sequence[str], per_cell: int, per_topic: int) -> Cells:
    """Take a sentence of each package in turn, until a topic has its rows."""
    chosen: Cells = {cell: [] for cell in cells}
    for topic in topics:
        own = {cell: texts[:per_cell] for cell, texts in cells.items() if cell[1] == topic}
        turns = chain.from_iterable(zip_longest(*([(cell, text) for text in texts] for cell, texts in own.items())))
        for cell, text in [turn for turn in turns if turn is not None][:per_topic]:
            chosen[cell].append(text)
    return chosen


def _rows(cells: Cells, package: str | None = None) -> list[dict[str, str]]:
    """The rows of one package, or of all, ordered by hash: topics are mixed, and the order is reproducible."""
    chosen = {text: topic for (owner, topic), texts in cells.items() if package in (None, owner) for text in texts}
    return [classification(text, chosen[text]) for text in sorted(chosen, key=text_sha256)]


def _planted(
    folder: Path,
    dataset: str,
    files: Mapping[str, list[dict[str, str]]],
    corpus: Corpus,
    topics: Sequence[str],
    rows_per_cell: int,
) -> list[Submission]:
    victim = max(files, key=lambda id_: len(files[id_]))
    copies = [row | {"text": disguise(row["text"])} for row in files[victim][: COPIED * rows_per_cell]]
    planted = {COPYCAT: copies, SCRAMBLER: _scrambled(corpus.kept_back, topics)}
    return [
        Submission(write_jsonl(folder / f"{id_}.jsonl", rows), id_, dataset, "CC0-1.0", id_.title())
        for id_, rows in planted.items()
        if rows
    ]


def _scrambled(cells: Cells, topics: Sequence[str]) -> list[dict[str, str]]:
    """Real sentences, every label wrong: the wrong labels spread evenly over the other topics.

    With equally many rows of each topic this permutes the labels.
    """
    rows = []
    for index, topic in enumerate(topics):
        texts = sorted(text for (_, own), some in cells.items() if own == topic for text in some)
        for place, text in enumerate(texts):
            wrong = topics[(index + 1 + place % (len(topics) - 1)) % len(topics)]
            rows.append(classification(text, wrong))
    return sorted(rows, key=lambda row: text_sha256(row["text"]))
