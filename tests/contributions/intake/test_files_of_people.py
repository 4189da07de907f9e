"""Files as people have them are taken, or named for what they are with the way to a file that can be taken."""

import gzip
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.contributions.conftest import CASES, SCHEMA
from tribute.contributions.intake.ingest import ingest
from tribute.contributions.intake.row_checks import check_values
from tribute.contributions.schema import DatasetSchema, load_schema
from tribute.errors import ContributionError

NOTES = load_schema(CASES / "00-common" / "schema.yaml")
CHAT = load_schema(CASES / "00-common" / "chat-schema.yaml")
ROWS = [("draw a thin line", "plotting"), ("take the mean, then the variance", "statistics")]


def rows(file: Path, schema: DatasetSchema, folder: Path, columns: dict[str, str] | None = None) -> list[dict]:
    """The rows that are taken from a file."""
    folder.mkdir(exist_ok=True)
    return [json.loads(line) for line in ingest(file, schema, folder, columns).data.read_text().splitlines()]


def refusal(file: Path, schema: DatasetSchema, folder: Path, columns: dict[str, str] | None = None) -> str:
    with pytest.raises(ContributionError) as caught:
        ingest(file, schema, folder, columns)
    return str(caught.value)


@pytest.mark.parametrize(
    ("case", "schema", "columns", "expected"),
    [
        ("02-parquet-nested/rows.parquet", CHAT, {"prompt": "prompt", "response": "response"}, 2),
        ("02-parquet-nested/flat.parquet", CHAT, None, 2),
        ("03-json-array/rows.json", CHAT, {"prompt": "instruction", "response": "output"}, 2),
        ("03-json-array/oneline.json", CHAT, {"prompt": "instruction", "response": "output"}, 2),
        ("04-semicolon-csv/rows.csv", NOTES, None, 2),
        ("04-semicolon-csv/rows.tsv", NOTES, None, 1),
        ("04-semicolon-csv/sep.csv", NOTES, None, 1),
        ("13-flag-emoji/rows.jsonl", NOTES, None, 1),
        ("13-flag-emoji/family.jsonl", NOTES, None, 1),
        ("13-flag-emoji/khmer.jsonl", NOTES, None, 1),
        ("14-parquet-types/view.parquet", NOTES, None, 3),
    ],
)
def test_cases_that_are_taken(
    case: str, schema: DatasetSchema, columns: dict[str, str] | None, expected: int, tmp_path: Path
):
    """Every row comes in, and what is stored is what was written."""
    taken = rows(CASES / case, schema, tmp_path, columns)

    assert len(taken) == expected
    if case.startswith("13"):
        assert taken[0]["text"] == json.loads((CASES / case).read_text())["text"]


@pytest.mark.parametrize(
    ("case", "schema", "message"),
    [
        ("01-chat-messages/rows.jsonl", CHAT, "column 'messages' holds chat messages; dataset chat takes prompt, resp"),
        ("06-lfs-pointer/rows.csv", NOTES, "the file is a Git LFS pointer, not the data"),
        ("06-lfs-pointer/rows.jsonl", NOTES, "the file is a Git LFS pointer, not the data"),
        ("06-lfs-pointer/rows.parquet", NOTES, "the file is a Git LFS pointer, not the data"),
        ("11-json-duplicate-key/rows.jsonl", NOTES, "rows.jsonl:1: invalid JSON (key 'text' stands 2 times"),
        ("14-parquet-types/twice.parquet", NOTES, "columns 1 and 3 are both called 'text'"),
        ("14-parquet-types/null.parquet", NOTES, "column 'text' is blank"),
    ],
)
def test_cases_that_are_refused(case: str, schema: DatasetSchema, message: str, tmp_path: Path):
    """The line says what the file is, or what stands twice."""
    assert message in refusal(CASES / case, schema, tmp_path)


@pytest.mark.parametrize("name", ["schema.yaml", "schema-quoted.yaml"])
def test_numbers_as_labels(name: str, tmp_path: Path):
    """0 and 1 are labels whether the schema or the rows quote them; true and 1.0 are none of them."""
    schema = load_schema(CASES / "07-int-labels" / name)
    csv, jsonl = (
        rows(CASES / "07-int-labels" / f"rows.{ending}", schema, tmp_path / ending) for ending in ("csv", "jsonl")
    )
    pq.write_table(pa.table({"text": ["a", "b"], "label": [1, 0]}), tmp_path / "rows.parquet")

    assert schema.labels == ("0", "1")
    assert csv == jsonl
    assert [row["label"] for row in rows(tmp_path / "rows.parquet", schema, tmp_path / "p")] == ["1", "0"]
    for label in (True, 1.0, 2):
        with pytest.raises(ContributionError):
            check_values({"text": "a", "label": label}, schema)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tabs.csv", "text\tlabel\n{0}\t{1}\n{2}\t{3}\n"),
        ("crlf.csv", "text;label\r\n{0};{1}\r\n{2};{3}\r\n"),
        ("blank-lines.csv", '\ntext,label\n{0},{1}\n\n"{2}",{3}\n,\n\n'),
        ("blank-cells.csv", "text;label;slice\n{0};{1};\n{2};{3};\n;;\n"),
        ("swapped.csv", 'label,text\n{1},{0}\n{3},"{2}"\n'),
        ("array.jsonl", '[{{"text": "{0}", "label": "{1}"}},\n {{"label": "{3}", "text": "{2}"}}]\n\n'),
        ("lines.json", '{{"text": "{0}", "label": "{1}"}}\n\n{{"text": "{2}", "label": "{3}"}}\n\n'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom"])
def test_siblings_that_are_taken(name: str, content: str, encoding: str, tmp_path: Path):
    """Separators, blank lines, arrays and encodings of spreadsheets: the same rows each time."""
    (first, label), (second, other) = ROWS
    text = content.format(first, label, second, other)
    encoded = b"\xfe\xff" + text.encode("utf-16-be") if encoding == "utf-16-be-bom" else text.encode(encoding)
    file = tmp_path / name
    file.write_bytes(encoded)

    assert [(row["text"], row["label"]) for row in rows(file, SCHEMA, tmp_path / "out")] == ROWS


def zipped(*names: str) -> bytes:
    """A ZIP archive with files of these names."""
    import io

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"text,label\n", mtime=0), "compressed with gzip; unpack it with `gunzip`"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook (.xlsx); export the sheet as CSV"),
        (zipped("rows.csv"), "a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind"),
        (b"\x28\xb5\x2f\xfd", "compressed with Zstandard"),
        (b"outs:\n- md5: 0123\n  path: rows.csv\n", "a DVC pointer, not the data; fetch the data with `dvc pull`"),
        (b"<!DOCTYPE html>\n<html>", "an HTML or XML page"),
        (b"SQLite format 3\x00", "an SQLite database"),
        (b"text,label\rdraw,plotting\r", "lines end with a carriage return alone"),
        ("text,label\n".encode("utf-32"), "the file is in UTF-32"),
    ],
)
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.json", "rows"])
def test_siblings_that_are_named(content: bytes, message: str, name: str, tmp_path: Path):
    """Whatever the name ends with, the first bytes tell what it is."""
    file = tmp_path / name
    file.write_bytes(content)
    told = refusal(file, SCHEMA, tmp_path)

    assert message in told or (name == "rows.parquet" and message.startswith("lines end"))
    assert told.count("\n") == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Text,Label\na,plotting\n", "missing column 'text'; found 'Text', 'Label'; expected text, label; map it with"),
        ("text,label\na, Plotting\n", "unknown label ' Plotting'; did you mean 'plotting'?"),
        ("text,label\na,statistic\n", "did you mean 'statistics'?"),
        ("text,label\na,cooking\n", "has the labels plotting, statistics"),
        ("text,label,text\na,plotting,b\n", "columns 1 and 3 are both called 'text'"),
        ("text,,label\na,,plotting\n", "column 2 has no name"),
        ("text,label\n,plotting\n", "column 'text' is blank"),
    ],
)
def test_near_misses(content: str, message: str, tmp_path: Path):
    """A slip is told with what was most likely meant."""
    file = tmp_path / "rows.csv"
    file.write_text(content)

    assert message in refusal(file, SCHEMA, tmp_path)


def test_all_faults_at_once(tmp_path: Path):
    """Thirty faulty rows are one message, reason by reason with their lines, and the way to leave them out."""
    file = tmp_path / "rows.csv"
    file.write_text("text,label\n" + "a,Plotting\n" * 30 + "b,plotting\n,plotting\n")

    told = refusal(file, SCHEMA, tmp_path)

    assert told.startswith(f"{file}:2: unknown label 'Plotting'; did you mean 'plotting'?")
    assert "31 rows are faulty (--skip-faulty leaves them out)" in told
    assert "lines 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 and 17 more: unknown label" in told
    assert "line 33: column 'text' is blank" in told


@pytest.mark.parametrize("text", ["1_000", "0x10", "1,5", "½", "١", "inf", "nan", "1e", "--1", "1 000", ""])
def test_numbers_that_people_do_not_write(text: str):
    """What Python would read as a number, and a spreadsheet would not, is none."""
    schema = DatasetSchema(name="n", task="causal-lm", extra={"score": "number"})
    row = {"prompt": "a", "response": "b", "score": text}

    if text:
        with pytest.raises(ContributionError, match=r"column 'score' holds .* expected number"):
            check_values(row, schema, textual=True)
    else:
        assert "score" not in check_values(row, schema, textual=True)


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("-1.50", -1.5), (" 7 ", 7), ("+2", 2), ("1e3", 1000.0), (".5", 0.5)]
)
def test_numbers_that_people_write(text: str, value: float):
    """Signs, decimals and exponents."""
    schema = DatasetSchema(name="n", task="causal-lm", extra={"score": "number"})

    assert check_values({"prompt": "a", "response": "b", "score": text}, schema, textual=True)["score"] == value


def test_labels_in_another_composition(tmp_path: Path):
    """An accent may be part of its letter or a character of its own; the row gets the schema's spelling."""
    schema = DatasetSchema(name="n", task="sequence-classification", labels=("caf\u00e9", "the\u0301"))

    assert check_values({"text": "a", "label": "cafe\u0301"}, schema)["label"] == "caf\u00e9"
    assert check_values({"text": "a", "label": "th\u00e9"}, schema)["label"] == "the\u0301"


@pytest.mark.parametrize(
    "text", ["[", "[{}", '[{"text": "a"}, ]', "[1 2]", '[{"text": "a", "text": "b"}]', "[] []", "[" * 9000]
)
def test_broken_arrays(text: str, tmp_path: Path):
    """An array that breaks off, or is none, is one line that names the place."""
    file = tmp_path / "rows.json"
    file.write_text(text)

    assert refusal(file, SCHEMA, tmp_path).startswith(f"{file}:")
