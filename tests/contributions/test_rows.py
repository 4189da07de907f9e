"""Case, spacing and compatibility forms never change a hash, all else does; bad files say where and why."""

import hashlib
import string
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contributions.conftest import SCHEMA
from tribute.contributions.intake.row_checks import read_jsonl
from tribute.contributions.normal_form import normalise
from tribute.contributions.rows import Row, content_sha256, text_sha256
from tribute.contributions.schema import DatasetSchema
from tribute.errors import ContributionError

BAD = Path(__file__).parents[1] / "bad" / "contributions"
CHAT = DatasetSchema(name="chat", task="causal-lm")
words = st.lists(st.text(string.ascii_letters + "éß。", min_size=1), min_size=1)


@pytest.mark.parametrize("file", sorted(BAD.glob("*.jsonl")), ids=lambda file: file.stem)
def test_bad_files_are_refused_with_their_message(file: Path):
    """Every file in the folder of bad input is refused with exactly the message beside it."""
    expected = file.with_suffix(".txt").read_text(encoding="utf-8").strip().format(file=file)

    with pytest.raises(ContributionError) as caught:
        read_jsonl(file, SCHEMA)

    assert str(caught.value) == expected


def test_missing_file(tmp_path: Path):
    """A file that is not there is named."""
    with pytest.raises(ContributionError, match=r"gone\.jsonl: cannot be read \(No such file"):
        read_jsonl(tmp_path / "gone.jsonl", SCHEMA)


def test_classification_rows(tmp_path: Path):
    """A row's slice is its label unless it names one; lines count from 1."""
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text":"a","label":"plotting"}\n{"text":"b","label":"plotting","slice":"web"}\n')

    rows = read_jsonl(file, SCHEMA)

    assert rows == [Row(1, "a", "plotting", "plotting"), Row(2, "b", "plotting", "web")]


def test_causal_rows(tmp_path: Path):
    """A prompt and a response make a row; any response is allowed."""
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt":"Say hello","response":"Hello"}')

    assert read_jsonl(file, CHAT) == [Row(1, "Say hello", "Hello", "all")]


@given(words, st.sampled_from([" ", "\t", "  ", "\u00a0", "\u3000\n"]))
def test_spacing_does_not_matter(parts: list[str], gap: str):
    """Any white space, doubled or at the ends, is one blank or none."""
    assert text_sha256(gap + gap.join(parts) + gap) == text_sha256(" ".join(parts))


@given(words)
def test_case_does_not_matter(parts: list[str]):
    """Upper-casing keeps the hash."""
    text = " ".join(parts)

    assert text_sha256(text.upper()) == text_sha256(text)


@given(st.text())
def test_compatibility_forms_do_not_matter(text: str):
    """A text and its NFKC form have one hash."""
    assert text_sha256(unicodedata.normalize("NFKC", text)) == text_sha256(text)


@given(st.text(), st.text(), st.text(), st.text())
def test_content_is_equal_only_where_both_parts_are(text: str, target: str, other: str, other_target: str):
    """Text and target cannot run into each other: the pair decides."""
    same = (normalise(text), normalise(target)) == (normalise(other), normalise(other_target))

    assert (content_sha256(text, target) == content_sha256(other, other_target)) == same


def test_known_hashes():
    """The hashes are those of the written definition, computed here by hand."""
    assert normalise("  Ｐlot\tthe STRASSE ß ") == "plot the strasse ss"
    assert text_sha256("A  b") == hashlib.sha256(b"a b").hexdigest()
    assert content_sha256("A  b", "C") == hashlib.sha256(b'{"input":"a b","target":"c"}').hexdigest()
