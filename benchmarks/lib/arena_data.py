"""The rows of the arenas, training and evaluation. See lib/arena.py."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from lib.synthetic import EQUAL
from tribute.config import DocsSource, FolderSource

SIZES = {"kim": 240, "ana": 180, "luis": 150, "mei": 120, "omar": 90, "tess": 60}
"""Rows of the CLINC150 contributors; `shuffled` adds 60."""
EVALUATED, SHUFFLED = 5, 60
AUTHORS, MOST = 7, 400
"""The tldr authors with most rows, and evaluation rows at most."""
HARMFUL = ("shuffled", "scrambler")
"""Contributors that are planted."""
DEALS = 20
"""Random deals of an arena's honest rows."""
PACKAGES = ("python", "numpy", "scipy", "scikit-learn", "torch", "sympy")


@dataclass(frozen=True)
class Row:
    """One row of an arena."""

    text: str
    label: str
    contributor: str


def clinc150_rows(data: Path) -> tuple[list[Row], list[Row]]:
    """Training and evaluation rows: each contributor knows some of the intents, most intents have several."""
    generator = np.random.Generator(np.random.Philox(2024))
    train_rows = _by_intent(data / "clinc150" / "train.jsonl")
    tests = _by_intent(data / "clinc150" / "val.jsonl")
    intents = [*generator.permutation(sorted(train_rows))]
    chosen = [(str(domain), str(intent)) for domain, intent in intents]
    pools = {key: list(generator.permutation(train_rows[key])) for key in chosen}
    rows = []
    for place, (name, size) in enumerate((SIZES | {"shuffled": SHUFFLED}).items()):
        # 60 intents of the circle of 150, 21 on from the one before: what one teaches, two others teach too.
        known = chosen if name == "shuffled" else [chosen[(place * 21 + step) % len(chosen)] for step in range(60)]
        for number in range(size):
            key = known[number % len(known)]
            label = chosen[generator.integers(len(chosen))] if name == "shuffled" else key
            rows.append(Row(str(pools[key].pop()), _words(label[1]), name))
    held_out = [Row(text, _words(key[1]), "") for key in chosen for text in tests[key][:EVALUATED]]
    return rows, held_out


@cache
def docs_rows() -> tuple[list[Row], list[Row]]:
    """What `write_docs` gives for six packages, less the copycat, whom deduplication would leave out."""
    from tribute.contributions.sources.docs import write_docs
    from tribute.contributions.sources.planted import COPYCAT

    with tempfile.TemporaryDirectory() as folder:
        source = DocsSource(kind="docs", rows_per_cell=26, packages=PACKAGES)
        _, submissions, evaluation = write_docs(source, "docs", Path(folder))
        rows = [
            Row(row["text"], row["label"], one.contributor_id)
            for one in submissions
            if one.contributor_id != COPYCAT
            for row in _read(one.file)
        ]
        return rows, [Row(row["text"], row["label"], "") for row in _read(evaluation)]


@cache
def tldr_rows(data: Path) -> tuple[list[Row], list[Row]]:
    """Genuine rows: the authors with most rows of tldr's frequent command families, and nobody planted."""
    from tribute.contributions.sources.tldr import write_tldr

    with tempfile.TemporaryDirectory() as folder:
        source = FolderSource(kind="tldr", folder=data / "tldr", rows_per_contributor=200)
        _, submissions, evaluation = write_tldr(source, "tldr", Path(folder))
        by_author = [(one.contributor_id, _read(one.file)) for one in submissions]
        largest = sorted(by_author, key=lambda pair: (-len(pair[1]), pair[0]))[:AUTHORS]
        rows = [Row(row["text"], row["label"], author) for author, own in largest for row in own]
        known = {row.label for row in rows}
        sealed = [row for row in _read(evaluation) if row["label"] in known]
        order = np.random.Generator(np.random.Philox(7)).permutation(len(sealed))[:MOST]
        return rows, [Row(sealed[one]["text"], sealed[one]["label"], "") for one in sorted(order)]


def dealt(rows: Sequence[Row], names: int) -> list[Row]:
    """EQUAL honest rows for each of so many names, at random."""
    honest = [row for row in rows if row.contributor not in HARMFUL]
    order = np.random.Generator(np.random.Philox([names, 8])).permutation(len(honest))[: names * EQUAL]
    return [Row(honest[one].text, honest[one].label, f"name-{place // EQUAL}") for place, one in enumerate(order)]


def honest_deals(contributors: np.ndarray, *sizes: int) -> Iterator[tuple[np.ndarray, int]]:
    """Each row's name, names of these sizes in turn first, then the rest as one name; and how many names were dealt."""
    honest = np.flatnonzero(~np.isin(contributors, HARMFUL))
    chance = np.random.Generator(np.random.Philox(7))
    rounds = len(honest) // sum(sizes)
    names = np.repeat(np.arange(rounds * len(sizes)), sizes * rounds)
    for _ in range(DEALS):
        owner = np.full(len(contributors), rounds * len(sizes))
        owner[chance.permutation(honest)[: len(names)]] = names
        yield owner, rounds * len(sizes)


def _by_intent(path: Path) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for row in _read(path):
        if row["domain"]:
            found.setdefault((row["domain"], row["label"]), []).append(row["text"])
    return found


def _read(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _words(name: str) -> str:
    return name.replace("_", " ")
