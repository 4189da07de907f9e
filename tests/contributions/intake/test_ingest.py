"""A file becomes canonical rows in one pass: mapped, checked, and what is faulty named or left out."""

import json
from pathlib import Path

import pytest

from tests.contributions.conftest import SCHEMA, write_rows
from tribute.contributions.intake.ingest import Fault, ingest
from tribute.contributions.intake.row_checks import check_values
from tribute.contributions.intake.submissions import refuse_look_alikes
from tribute.contributions.schema import DatasetSchema
from tribute.errors import ContributionError

RICH = DatasetSchema(
    name="rich", task="causal-lm", min_characters=3, extra={"source": "string", "score": "number", "checked": "boolean"}
)


def test_a_mapping(tmp_path: Path):
    """Columns under other names are mapped; what is not mapped is left out."""
    file = tmp_path / "rows.csv"
    file.write_text("id,question,topic\n7,Draw a line,plotting\n")

    taken = ingest(file, SCHEMA, tmp_path, {"text": "question", "label": "topic"})

    assert json.loads(taken.data.read_text()) == {"text": "Draw a line", "label": "plotting"}


def test_the_same_rows_in_any_format_are_the_same_bytes(tmp_path: Path):
    """Spacing and the order of keys do not matter: rows are kept in one form."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    jsonl, table = tmp_path / "r.jsonl", tmp_path / "r.csv"
    jsonl.write_text('{"label" : "plotting","text":"Draw"}\n')
    table.write_text("text,label,slice\nDraw,plotting,\n")

    assert ingest(jsonl, SCHEMA, tmp_path / "a").sha256 == ingest(table, SCHEMA, tmp_path / "b").sha256


def test_faulty_rows_may_be_left_out(tmp_path: Path):
    """The good rows are taken, each fault is told with its line in the file."""
    file = write_rows(tmp_path / "r.jsonl", [("Draw", "plotting"), ("Boil", "cooking"), ("Mean", "statistics")])

    taken = ingest(file, SCHEMA, tmp_path, skip_faulty=True)

    assert (taken.rows, taken.lines.read_text().split()) == (2, ["1", "3"])
    assert taken.faults == (Fault(2, "unknown label 'cooking'; dataset docs has the labels plotting, statistics"),)


def test_a_file_without_a_good_row(tmp_path: Path):
    """Where every row is faulty the file is refused with the first fault."""
    file = write_rows(tmp_path / "r.jsonl", [("Boil", "cooking")])

    with pytest.raises(ContributionError, match=r"r\.jsonl:1: unknown label .*No row is good"):
        ingest(file, SCHEMA, tmp_path, skip_faulty=True)


def test_further_columns(tmp_path: Path):
    """Declared columns keep their types; in CSV they are read from text."""
    row = {"prompt": "Say hello", "response": "Hello", "source": "web", "score": 0.5, "checked": True}
    typed = check_values(row, RICH)
    textual = check_values(row | {"score": "0.5", "checked": "True"}, RICH, textual=True)

    assert typed == textual == row


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": "0.5"}, "column 'score' holds '0.5', expected number"),
        ({"score": float("nan")}, "column 'score' holds nan, expected a finite number"),
        ({"checked": 1}, "column 'checked' holds int, expected boolean"),
        ({"score": True}, "column 'score' holds bool, expected number"),
        ({"prompt": "Hi"}, "row too short: column 'prompt' has 2 characters, dataset rich asks for 3"),
        ({"prompt": "Say\x07 hello"}, r"column 'prompt' has the invisible character U\+0007 \(a control character\)"),
        ({"response": "a\u202eb"}, r"column 'response' has the invisible character U\+202E \(RIGHT-TO-LEFT OVERRIDE\)"),
        ({"source": "a\U000e0041b"}, r"column 'source' has the invisible character U\+E0041"),
        ({"source": "\u200b"}, "column 'source' is blank"),
        ({"author": "x"}, "unexpected column 'author'; expected prompt, response and perhaps slice, source, score"),
    ],
)
def test_faults_of_a_row(change: dict, message: str):
    """Types, lengths and characters that nobody sees each have their message."""
    row = {"prompt": "Say hello", "response": "Hello"}

    with pytest.raises(ContributionError, match=message):
        check_values(row | change, RICH)


def test_scripts_that_need_joiners_are_taken():
    """Emoji sequences, flags of regions, Persian and Khmer joiners and right-to-left text are honest text."""
    row = {
        "prompt": "می\u200cخواهم 👩\u200d🔬 ភាសា\u200bខ្មែរ",
        "response": "שלום \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    }

    assert check_values(row, RICH) == row


@pytest.mark.parametrize("id_", ["c-0417", "c-o4l7", "c_o417", "C-O417".lower()])
def test_look_alike_ids(id_: str):
    """A new id that people could take for a known one is refused; a known one never is."""
    known = {"c-o417"}

    if id_ in known:
        refuse_look_alikes([id_], known)
    else:
        with pytest.raises(ContributionError, match=f"contributor id '{id_}' looks like 'c-o417', which is taken"):
            refuse_look_alikes([id_], known)


def test_look_alikes_in_one_batch():
    """Two new names that look alike cannot come in together either; equal and unlike names can."""
    refuse_look_alikes(["ada", "ada", "bob"], set())

    with pytest.raises(ContributionError, match="'tina' looks like 't1na'"):
        refuse_look_alikes(["t1na", "tina"], set())
