"""The published datasets become what their papers and pages say, on the real files where they are there."""

import json
from pathlib import Path

import pytest

from tribute.config import FolderSource
from tribute.contributions.intake.row_checks import read_jsonl
from tribute.contributions.rows import text_sha256
from tribute.contributions.sources import write_source
from tribute.contributions.sources.tldr import family
from tribute.errors import ContributionError


@pytest.mark.parametrize(("kind", "file"), [("clinc150", r"train\.jsonl"), ("tldr", r"pairs\.jsonl")])
def test_missing_folder(kind: str, file: str, tmp_path: Path):
    """Without the files the message names the missing one and the command that gets it."""
    with pytest.raises(ContributionError, match=rf"{file}: not found; .*`tribute fetch {kind} "):
        write_source(FolderSource(kind=kind, folder=tmp_path / "gone"), kind, tmp_path / "out")


def test_damaged_file(tmp_path: Path):
    """A line that is no row of the dataset is named."""
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "List files"}\n')

    with pytest.raises(ContributionError, match=r"pairs\.jsonl:1: expected a JSON object with contributor_id"):
        write_source(FolderSource(kind="tldr", folder=tmp_path), "tldr", tmp_path / "out")


def test_clinc150(published, tmp_path: Path):
    """150 labels in words, ten domains with 1,500 rows each, 3,000 evaluation rows sliced by domain."""
    source = FolderSource(kind="clinc150", folder=published("clinc150"))

    schema, submissions, evaluation = write_source(source, "clinc150", tmp_path)
    sealed = read_jsonl(evaluation, schema)

    assert len(schema.labels) == 150
    assert [one.contributor_id for one in submissions][:3] == ["auto-and-commute", "banking", "credit-cards"]
    assert {len(read_jsonl(one.file, schema)) for one in submissions} == {1500}
    assert len(sealed) == 3000
    assert len({row.slice for row in sealed}) == 10


def test_a_cut_keeps_labels_balanced(published, tmp_path: Path):
    """With 30 rows a contributor each of its 15 labels keeps two, in training and evaluation."""
    source = FolderSource(kind="clinc150", folder=published("clinc150"), rows_per_contributor=30)

    schema, submissions, evaluation = write_source(source, "clinc150", tmp_path)

    for file in (*(one.file for one in submissions), evaluation):
        labels = [row.target for row in read_jsonl(file, schema)]
        assert all(labels.count(label) == 2 for label in labels)


def test_tldr(published, tmp_path: Path):
    """The 60 most frequent families have 5,155 pairs by 76 authors; each pair is in one part."""
    source = FolderSource(kind="tldr", folder=published("tldr"))

    schema, submissions, evaluation = write_source(source, "tldr", tmp_path)
    train = [row for one in submissions for row in read_jsonl(one.file, schema)]
    sealed = read_jsonl(evaluation, schema)

    assert len(schema.labels) == 60
    assert len(submissions) == 76
    assert len(train) + len(sealed) == 5155
    assert len(sealed) == pytest.approx(0.15 * 5155, rel=0.1)
    assert not {text_sha256(row.text) for row in train} & {text_sha256(row.text) for row in sealed}
    assert "linux" in {row.slice for row in sealed}


def test_authors_come_in_the_order_of_their_first_day(published, tmp_path: Path):
    """Who wrote first hands in first."""
    folder = published("tldr")
    pairs = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]

    _, submissions, _ = write_source(FolderSource(kind="tldr", folder=folder), "tldr", tmp_path)
    families = {row["label"] for one in submissions for row in map(json.loads, one.file.read_text().splitlines())}
    first: dict[str, str] = {}
    for pair in sorted((pair for pair in pairs if family(pair["page"]) in families), key=lambda pair: pair["day"]):
        first.setdefault(pair["contributor_id"], pair["day"])
    days = [first[one.contributor_id] for one in submissions]

    assert days == sorted(days)
