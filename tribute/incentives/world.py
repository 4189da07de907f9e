"""A drawn world that attacks start from: contributors with rows of one kind, and a sealed evaluation.

The rows are short sentences of the docs source (contributions/sources/docs.py): real text that every installation has.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tribute.attribution.credit import unpaid_rows
from tribute.config import DocsSource
from tribute.contributions.intake import read_jsonl
from tribute.contributions.sources import write_source

Pair = tuple[str, str]
"""A text and its label."""
ATTACKER, VICTIM = "attacker", "h1"
SENTENCES = 64
"""Rows of a package about a topic that are read."""
SHORTEST, LONGEST = 4, 16
"""Words in a sentence."""
PLANTED = ("copycat", "scrambler")


@dataclass(frozen=True)
class Upload:
    """A file of rows that comes in under a name."""

    contributor_id: str
    rows: Sequence[Pair]
    committed: bool = field(default=False, compare=False)
    """Whether the rows were committed to before anybody's came in, and revealed in time."""


@dataclass(frozen=True)
class Size:
    """How large a drawn world is."""

    contributors: int = 7
    """The attacker is one of them."""
    rows: int = 40
    """Of each contributor."""
    labels: int = 8
    evaluation: int = 160


@dataclass(frozen=True)
class Corpus:
    """The sentences that worlds are drawn from."""

    labels: tuple[str, ...]
    train: Sequence[Pair]
    evaluation: Sequence[Pair]


@dataclass(frozen=True)
class World:
    """One draw without an attack; `uploads` come in in their order, the attacker's last."""

    labels: tuple[str, ...]
    uploads: Sequence[Upload]
    evaluation: Sequence[Pair]
    spare: Sequence[Pair] = field(default=())
    """Further real rows, as many as a contributor has."""
    fresh: Sequence[Pair] = field(default=())
    """Evaluation rows that nobody knows yet, to seal once everybody has contributed."""
    retired: Sequence[Pair] = field(default=())
    """Rows that an earlier version was evaluated with."""
    unpaid: Sequence[Pair] = field(default=())
    """Evaluation rows that find harm and pay nobody."""

    def sealed_anew(self) -> "World":
        """The same files, paid by the fresh evaluation rows."""
        return replace(self, evaluation=self.fresh, fresh=(), retired=self.evaluation)

    def finding_harm(self, share: float) -> "World":
        """The same files, paid by the evaluation rows that do not look for harm."""
        places = set(unpaid_rows([label for _, label in self.evaluation], share))
        paying = [row for place, row in enumerate(self.evaluation) if place not in places]
        return replace(self, evaluation=paying, unpaid=[self.evaluation[place] for place in sorted(places)])

    def rows_of(self, name: str) -> list[Pair]:
        """All rows of a contributor."""
        return [row for upload in self.uploads if upload.contributor_id == name for row in upload.rows]

    @property
    def own(self) -> list[Pair]:
        """The attacker's own honest rows."""
        return self.rows_of(ATTACKER)

    def of_others(self) -> list[Upload]:
        """Everybody's files but the attacker's."""
        return [upload for upload in self.uploads if upload.contributor_id != ATTACKER]

    def and_rows(self, name: str, rows: Sequence[Pair]) -> list[Upload]:
        """Everybody's files, and after them one more under a name."""
        return [*self.uploads, Upload(name, list(rows))]

    def mislabel(self, row: Pair, chance: random.Random) -> Pair:
        """The text under another label."""
        text, label = row
        return text, chance.choice([other for other in self.labels if other != label])

    @property
    def honest(self) -> list[str]:
        """Everybody but the attacker."""
        return [upload.contributor_id for upload in self.uploads if upload.contributor_id != ATTACKER]


@cache
def docs_corpus() -> Corpus:
    """Short sentences from docstrings, without the planted contributors, each text once."""
    with TemporaryDirectory() as folder:
        source = DocsSource(kind="docs", rows_per_cell=SENTENCES)
        schema, submissions, evaluation = write_source(source, "docs", Path(folder))
        files = [item.file for item in submissions if item.contributor_id not in PLANTED]
        train = {row.text: row.target for file in files for row in read_jsonl(file, schema)}
        sealed = {row.text: row.target for row in read_jsonl(evaluation, schema)}
    return Corpus(schema.labels, _short(train), _short(sealed))


def draw_world(corpus: Corpus, seed: int, size: Size) -> World:
    """Labels, rows and evaluation of one draw; the same seed gives the same world."""
    chance = random.Random(seed)
    labels = tuple(sorted(chance.sample(corpus.labels, min(size.labels, len(corpus.labels)))))
    train, evaluation = ([row for row in part if row[1] in labels] for part in (corpus.train, corpus.evaluation))
    rows = chance.sample(train, size.rows * (size.contributors + 1))
    names = [*(f"h{number}" for number in range(1, size.contributors)), ATTACKER]
    parts = [rows[start : start + size.rows] for start in range(0, len(rows), size.rows)]
    uploads = [Upload(name, part) for name, part in zip(names, parts[:-1], strict=True)]
    sealed = chance.sample(evaluation, min(size.evaluation, len(evaluation)))
    rest = [row for row in evaluation if row not in set(sealed)]
    return World(labels, uploads, sealed, parts[-1], chance.sample(rest, min(size.evaluation, len(rest))))


def _short(rows: Mapping[str, str]) -> list[Pair]:
    return [row for row in rows.items() if SHORTEST <= len(row[0].split()) <= LONGEST]
