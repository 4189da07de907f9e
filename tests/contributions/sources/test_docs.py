"""The docs source writes the same sentences every time; its planted contributors are what they claim."""

from pathlib import Path

import pytest

from tribute.config import DocsSource
from tribute.contributions.intake.row_checks import read_jsonl
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.rows import Row, contributed, text_sha256
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening import BASIC, Screening, excluded, find
from tribute.contributions.sources import packages, write_source
from tribute.contributions.sources.docs_topics import PACKAGES, TOPICS, Package
from tribute.contributions.sources.docstrings import plain_sentence, sentences
from tribute.errors import ContributionError

FEW = DocsSource(kind="docs", rows_per_cell=16, packages=("python", "networkx", "rich", "aiohttp"))
Written = tuple[DatasetSchema, list[Submission], Path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_source(FEW, "docs", tmp_path_factory.mktemp("docs"))


def rows_of(written: Written, contributor: str) -> list[Row]:
    schema, submissions, _ = written
    (file,) = [one.file for one in submissions if one.contributor_id == contributor]
    return read_jsonl(file, schema)


def test_same_packages_same_bytes(written: Written, tmp_path: Path):
    """A second time the files are equal, byte for byte."""
    _, submissions, evaluation = written

    _, again, evaluation_again = write_source(FEW, "docs", tmp_path)

    assert [one.file.read_bytes() for one in again] == [one.file.read_bytes() for one in submissions]
    assert evaluation_again.read_bytes() == evaluation.read_bytes()


def test_contributors(written: Written):
    """The packages come in the order of the table, the planted two last, all with what metadata say."""
    schema, submissions, _ = written
    found = {one.contributor_id: one for one in submissions}

    assert list(found) == ["python", "networkx", "aiohttp", "rich", "copycat", "scrambler"]
    assert schema.labels == TOPICS
    assert found["python"].licence == "PSF-2.0"
    assert found["networkx"].home_page.startswith("https://networkx.org")
    assert found["rich"].version


def test_parts_are_apart(written: Written):
    """No text is in two contributions or in a contribution and the evaluation, but for the copies."""
    schema, submissions, evaluation = written
    honest = [row for one in submissions if one.contributor_id != "copycat" for row in read_jsonl(one.file, schema)]
    texts = [text_sha256(row.text) for row in honest + read_jsonl(evaluation, schema)]

    assert len(set(texts)) == len(texts)


def test_every_copy_is_found(written: Written):
    """All rows of `copycat` differ as strings from what they copy, and all are excluded as duplicates."""
    schema, submissions, _ = written
    rows = [
        row
        for one in submissions
        for row in contributed(one.contributor_id, one.contributor_id, read_jsonl(one.file, schema))
    ]

    exclusions = excluded(rows, find(Screening(rows, rows[:1], schema, BASIC)), {})
    copies = [finding for finding in exclusions if finding.row.contributor_id == "copycat"]

    assert len(copies) == len(rows_of(written, "copycat")) == 32
    assert {one.reason for one in copies} == {"duplicate"}
    assert {one.canonical.contributor_id for one in copies} == {"python"}
    assert all(one.row.row.text != one.canonical.row.text for one in copies)


def test_every_label_of_scrambler_is_wrong(written: Written):
    """The topic of a scrambled sentence's own module is never its label."""
    few = [package for package in PACKAGES if package.id in FEW.packages]
    topics: dict[str, str] = {}
    for package in few:
        for topic, modules in package.modules.items():
            for sentence in sentences(packages.package_root(package), modules.split(), 4 * FEW.rows_per_cell):
                topics.setdefault(text_sha256(sentence), topic)

    rows = rows_of(written, "scrambler")

    assert rows
    assert all(topics[text_sha256(row.text)] != row.target for row in rows)


def test_only_some_topics(tmp_path: Path):
    """The topics asked for are the labels, in the order of the table; the wrong labels are among them, too."""
    asked = ("text processing", "networking", "graphs")

    schema, submissions, evaluation = write_source(FEW.model_copy(update={"topics": asked}), "docs", tmp_path)

    assert schema.labels == ("graphs", "networking", "text processing")
    read = {one.contributor_id: read_jsonl(one.file, schema) for one in submissions}
    assert {row.target for row in read["scrambler"]} <= set(asked)
    assert {row.target for row in read_jsonl(evaluation, schema)} == set(asked)


def test_unknown_topic(tmp_path: Path):
    """A topic that the table lacks is named."""
    with pytest.raises(ContributionError, match="does not know topic 'cookery'; it knows linear algebra, statistics"):
        write_source(DocsSource(kind="docs", topics=("cookery", "graphs")), "docs", tmp_path)


def test_unknown_package(tmp_path: Path):
    """A package that the table lacks is named."""
    with pytest.raises(ContributionError, match="does not know package 'left-pad'; it knows python, numpy"):
        write_source(DocsSource(kind="docs", packages=("left-pad",)), "docs", tmp_path)


def test_a_package_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Asked for by name it is an error; among all packages it is left out."""
    gone = Package("left-pad", "left_pad", "MIT", {"text processing": "."})
    monkeypatch.setattr(packages, "PACKAGES", (gone,))

    with pytest.raises(ContributionError, match="package left-pad is not installed; install it or leave it out"):
        write_source(DocsSource(kind="docs", packages=("left-pad",)), "docs", tmp_path)
    with pytest.raises(ContributionError, match="none of the packages of the docs source is installed"):
        write_source(DocsSource(kind="docs"), "docs", tmp_path)


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        (
            "Return a :class:`~a.b.Frame` with ``two`` *small* columns of `words <https://a.b>`_.\n\nMore.",
            "Return a Frame with two small columns of words.",
        ),
        (
            "solve(a, b) -> Tensor\n\nSolve a square system of linear equations.",
            "Solve a square system of linear equations.",
        ),
        ("Too short.", None),
        ("Compute the value of x = 1 for all of the rows.", None),
        ("Deprecated since long ago, use the other function instead.", None),
        ("word " * 41, None),
        ("", None),
    ],
)
def test_plain_sentences(docstring: str, expected: str | None):
    """Markup goes, words stay; signatures, code and fragments are no sentences."""
    assert plain_sentence(docstring) == expected


def test_nothing_is_imported(tmp_path: Path):
    """Source that fails when run is read; what only looks like a module is passed over."""
    (tmp_path / "good.py").write_text(
        'raise SystemExit\ndef f():\n    """Draw the outline of every shape in the picture."""\n'
    )
    (tmp_path / "bad.py").write_text("def :")

    assert sentences(tmp_path, ["."], 10) == ["Draw the outline of every shape in the picture."]
