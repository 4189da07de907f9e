"""The answers source writes the same conversations every time; its planted contributors are what they claim."""

import json
from pathlib import Path

import pytest

from tribute.config import AnswersSource
from tribute.contributions.intake.row_checks import read_jsonl
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.rows import text_sha256
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.sources import package_texts, write_source
from tribute.contributions.sources.answers import permissive
from tribute.contributions.sources.docs_topics import Package
from tribute.contributions.sources.packages import chosen_packages

FEW = AnswersSource(kind="answers", rows_per_package=20, packages=("rich", "aiohttp", "pillow"))
Written = tuple[DatasetSchema, list[Submission], Path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_source(FEW, "answers", tmp_path_factory.mktemp("answers"))


def conversations(file: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [tuple(message["content"] for message in row["messages"]) for row in rows]


def file_of(written: Written, contributor: str) -> Path:
    (file,) = [submission.file for submission in written[1] if submission.contributor_id == contributor]
    return file


def test_same_packages_same_bytes(written: Written, tmp_path: Path):
    """A second time the files are equal, byte for byte."""
    _, again, evaluation = write_source(FEW, "answers", tmp_path)

    assert [one.file.read_bytes() for one in again] == [one.file.read_bytes() for one in written[1]]
    assert evaluation.read_bytes() == written[2].read_bytes()


def test_rows_are_conversations_that_intake_takes(written: Written):
    """Every file passes the checks of its schema, and a question names what the answer is about, as its slice does."""
    schema, submissions, evaluation = written

    assert [submission.contributor_id for submission in submissions] == [
        *("aiohttp", "rich", "pillow", "copycat", "scrambler"),
    ]
    assert all(read_jsonl(file, schema) for file in (*(one.file for one in submissions), evaluation))
    assert all(
        question.startswith("What does PIL.") and answer
        for question, answer in conversations(file_of(written, "pillow"))
    )


def test_the_evaluation_is_sliced_by_what_it_asks_about(written: Written):
    """Each slice is called by its package, and every package has as many rows there."""
    slices = [row.slice for row in read_jsonl(written[2], written[0])]

    assert {slice_: slices.count(slice_) for slice_ in slices} == {
        f"about {name}": 7 for name in ("aiohttp", "rich", "pillow")
    }


def test_parts_are_apart(written: Written):
    """No answer is in two contributions or in a contribution and the evaluation, but for the copies."""
    files = [one.file for one in written[1] if one.contributor_id != "copycat"] + [written[2]]
    answers = [text_sha256(answer) for file in files for _, answer in conversations(file)]

    assert len(set(answers)) == len(answers)


def test_planted_rows(written: Written):
    """A copy reads the same and looks otherwise; no scrambled question has an answer of its own package."""
    schema = written[0]
    originals = {
        (text_sha256(row.text), text_sha256(row.target))
        for name in ("aiohttp", "rich", "pillow")
        for row in read_jsonl(file_of(written, name), schema)
    }
    copies = read_jsonl(file_of(written, "copycat"), schema)
    scrambled = [row.target for row in read_jsonl(file_of(written, "scrambler"), schema)]

    assert copies
    assert {(text_sha256(row.text), text_sha256(row.target)) for row in copies} <= originals
    assert len(set(scrambled)) == len(scrambled) == 6


def test_only_permissive_licences():
    """A package under a licence that asks for more than a notice is left out."""
    gone = Package("left-pad", "left_pad", "GPL-3.0-only", {"text processing": "."})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tribute.contributions.sources.answers.licence_of", lambda package: package.licence)
        assert permissive([gone, *chosen_packages(("rich",))]) == chosen_packages(("rich",))


def test_pre_training_reads_no_answer(monkeypatch: pytest.MonkeyPatch, written: Written):
    """No answer of the source is among the paragraphs that a base is pre-trained on."""
    monkeypatch.setattr(
        "tribute.contributions.sources.package_text.chosen_packages",
        lambda _: chosen_packages(("rich", "aiohttp", "pillow")),
    )
    texts = package_texts()
    files = [one.file for one in written[1]] + [written[2]]

    assert len(texts) > 100
    assert not set(texts) & {answer for file in files for _, answer in conversations(file)}
