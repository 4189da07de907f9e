"""Questions about functions and classes of open-source packages, answered by the first sentence of their docstrings.

Each installed package is a contributor of conversations: "What does pandas.concat do?" → "Concatenate pandas objects
along a particular axis." Two planted contributors come last: `copycat` hands in another's rows, `scrambler`
questions of its own, each with the answer to another one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tribute.config import AnswersSource
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.licences import is_compatible
from tribute.contributions.rows import text_sha256
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.sources.docs_topics import PYTHON, Package
from tribute.contributions.sources.docstrings import documented, modules, plain_sentence
from tribute.contributions.sources.jsonl import write_jsonl
from tribute.contributions.sources.packages import chosen_packages, licence_of, package_root, submit
from tribute.contributions.sources.planted import COPYCAT, SCRAMBLER, disguise, position

LONGEST = 30
"""Words of an answer."""
EVALUATION, KEPT_BACK = 0.2, 0.1
"""The shares of all answers that are held out for the evaluation and kept back for `scrambler`."""
TESTED, COPIED, SCRAMBLED = 1 / 3, 1 / 2, 1 / 10
"""Evaluation rows of a package, rows of `copycat`, and of `scrambler` by package; all times `rows_per_package`."""
PERMISSIVE = (
    *("MIT", "MIT-CMU", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Open-MPI", "Apache-2.0", "PSF-2.0"),
    *("ISC", "Zlib", "CC0-1.0", "Unlicense", "Python-2.0", "Python-2.0.1", "BSL-1.0", "HPND", "blessing", "X11"),
)
Pair = tuple[str, str]
"""Question and answer."""


class Parts(NamedTuple):
    """A package's pairs, each in one part."""

    train: list[Pair]
    evaluation: list[Pair]
    kept_back: list[Pair]


def write_answers(source: AnswersSource, name: str, folder: Path) -> tuple[DatasetSchema, list[Submission], Path]:
    """Write one file per contributor and one for the evaluation, sliced by package; the same packages, the same bytes.

    Packages without a permissive licence are left out.
    """
    packages, most = permissive(chosen_packages(source.packages)), source.rows_per_package
    parts = _parts(packages)
    tested, scrambled = round(TESTED * most), round(SCRAMBLED * most)
    rows = {id_: _rows(part.train[:most], f"about {id_}") for id_, part in parts.items()}
    submissions = [submit(folder, package, name, rows[package.id]) for package in packages if rows[package.id]]
    victim = max(rows, key=lambda id_: len(rows[id_]))
    copied = parts[victim].train[: round(COPIED * len(rows[victim]))]
    spoilt = _scrambled([pair for part in parts.values() for pair in part.kept_back[:scrambled]])
    planted = {
        COPYCAT: _rows([(question, disguise(answer)) for question, answer in copied], f"about {victim}"),
        SCRAMBLER: _rows(spoilt, "scrambled"),
    }
    submissions += [
        Submission(write_jsonl(folder / f"{id_}.jsonl", own), id_, name, "CC0-1.0", id_.title())
        for id_, own in planted.items()
        if own
    ]
    held_out = [row for id_, part in parts.items() for row in _rows(part.evaluation[:tested], f"about {id_}")]
    evaluation = write_jsonl(folder / "evaluation.jsonl", held_out)
    return DatasetSchema(name=name, task="causal-lm", rows="messages"), submissions, evaluation


def _parts(packages: Sequence[Package]) -> dict[str, Parts]:
    """Package → its pairs in three parts; an answer that several packages give counts for the first."""
    parts, seen = {}, set[str]()
    for package in packages:
        distinct = {text_sha256(answer): (question, answer) for question, answer in answered(package)}
        placed = sorted((position(pair[1]), pair) for key, pair in distinct.items() if key not in seen)
        seen |= distinct.keys()
        held_out, kept_back = EVALUATION, EVALUATION + KEPT_BACK
        parts[package.id] = Parts(
            [pair for place, pair in placed if place >= kept_back],
            [pair for place, pair in placed if place < held_out],
            [pair for place, pair in placed if held_out <= place < kept_back],
        )
    return parts


def permissive(packages: Sequence[Package]) -> list[Package]:
    """Those whose licence asks for no more than a notice."""
    return [package for package in packages if is_compatible(licence_of(package), PERMISSIVE)]


def answered(package: Package) -> list[Pair]:
    """(question, answer) of every public function and class whose docstring begins with a plain sentence."""
    root = package_root(package)
    pairs: dict[str, str] = {}
    for path in modules(root, " ".join(package.modules.values()).split()):
        for name, docstring in documented(path):
            sentence = plain_sentence(docstring)
            if name and sentence and len(sentence.split()) <= LONGEST:
                pairs.setdefault(f"What does {_import_name(package, root, path)}.{name} do?", sentence)
    return list(pairs.items())


def _import_name(package: Package, root: Path, path: Path) -> str:
    """What stands before the dot: the package, and in Python's own library the module."""
    return path.relative_to(root).parts[0].removesuffix(".py") if package.id == PYTHON else package.folder


def _rows(pairs: Sequence[Pair], slice_: str) -> list[Mapping[str, Any]]:
    return [
        {
            "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
            "slice": slice_,
        }
        for question, answer in sorted(pairs, key=lambda pair: text_sha256(pair[0]))
    ]


def _scrambled(pairs: Sequence[Pair]) -> list[Pair]:
    """Every question with the answer that stands half of the list further on: with many packages, another one's."""
    half = len(pairs) // 2
    return [(question, pairs[(place + half) % len(pairs)][1]) for place, (question, _) in enumerate(pairs)]
