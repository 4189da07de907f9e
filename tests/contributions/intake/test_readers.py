"""Whatever bytes come in, there are rows or one clear line; nothing is read beyond what a row may take."""

import csv
import io
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tribute.contributions.intake import parquet_reader
from tribute.contributions.intake.raw import Raw
from tribute.contributions.intake.readers import read
from tribute.errors import ContributionError

MOST = 4096
ROW = {"text": "Draw a line", "label": "plotting"}
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n"), min_size=1, max_size=20)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def values(path: Path) -> list[dict[str, object] | None]:
    return [raw.values for raw in read(path, MOST)]


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ContributionError) as caught:
        list(read(path, MOST))
    message = str(caught.value)
    assert message.startswith(f"{path}:")
    assert "\n" not in message
    return message


def outcome(path: Path) -> tuple[list[Raw], str]:
    """All rows, or what was said instead."""
    try:
        return list(read(path, MOST)), ""
    except ContributionError as error:
        return [], str(error)


def test_the_same_rows_in_three_formats(tmp_path: Path):
    """JSONL, CSV and Parquet of the same rows give the same values, counted from the first row."""
    jsonl = write(tmp_path / "a.jsonl", json.dumps(ROW).encode() + b"\n")
    table = write(tmp_path / "a.csv", b"text,label\r\nDraw a line,plotting\r\n")

    assert [raw.values for raw in read(jsonl, MOST)] == [ROW]
    assert list(read(table, MOST)) == [Raw(2, ROW)]
    assert list(read(parquet(tmp_path / "a.parquet", text=["Draw a line"], label=["plotting"]), MOST)) == [Raw(1, ROW)]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(name: str, tmp_path: Path):
    """What spreadsheets write before UTF-8 is skipped."""
    content = b"text,label\nDraw a line,plotting\n" if name.endswith("csv") else json.dumps(ROW).encode()

    assert values(write(tmp_path / name, b"\xef\xbb\xbf" + content)) == [ROW]


def test_quoted_line_ends(tmp_path: Path):
    """A field in quotes may hold commas and line ends; lines count as an editor shows them."""
    file = write(tmp_path / "rows.csv", b'text,label\n"Draw,\na line",plotting\nDraw,statistics\n')

    assert [(raw.line, raw.values["text"]) for raw in read(file, MOST) if raw.values] == [
        (2, "Draw,\na line"),
        (4, "Draw"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.jsonl", "text".encode("utf-32"), "r.jsonl: the file is in UTF-32; save it as UTF-8"),
        ("r.csv", b"text,label\nok,a\ncaf\xe9,a\n", "r.csv:3: not UTF-8 (byte 4); save the file as UTF-8"),
        ("r.csv", b"text,text\na,b\n", "r.csv:1: columns 1 and 2 are both called 'text'; rename or remove one"),
        ("r.csv", b'text,label\n"Draw,plotting\n', "r.csv:2: not CSV (unexpected end of data)"),
        ("r.csv", b"", "the file is empty; expected at least one row"),
        ("r.csv", b"text,label\n", "the file is empty; expected at least one row"),
        ("r.csv", b"x" * 5000, "r.csv:1: the line is longer than 4096 bytes"),
        ("r.jsonl", b"{}\n" + b"x" * 5000, "r.jsonl:2: the line is longer than 4096 bytes"),
        ("r.parquet", b"", "not a Parquet file that can be read to its end"),
        ("r.parquet", b"PAR1 and then nothing", "not a Parquet file that can be read to its end"),
    ],
)
def test_bad_files(name: str, content: bytes, message: str, tmp_path: Path):
    """What is wrong with a whole file is one line that names it."""
    assert message in refusal(write(tmp_path / name, content))


def test_a_row_with_a_field_too_many(tmp_path: Path):
    """Of a row that does not fit the header the fault is told, and the next one is read."""
    first, second = read(write(tmp_path / "r.csv", b"text,label\na,b,c\nd,e\n"), MOST)

    assert first == Raw(2, None, "found 3 fields, the header has 2; quote fields that hold commas")
    assert second.values == {"text": "d", "label": "e"}


def test_a_truncated_parquet_file(tmp_path: Path):
    """A download that broke off is told as one, wherever it broke."""
    whole = parquet(tmp_path / "whole.parquet", text=["Draw a line"] * 500).read_bytes()

    for length in range(1, len(whole) - 1, 97):
        assert "not a Parquet file" in refusal(write(tmp_path / "cut.parquet", whole[:length]))


def test_a_parquet_bomb_by_its_own_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A row group that unpacks to more than is taken is refused before it is unpacked."""
    file = tmp_path / "bomb.parquet"
    monkeypatch.setattr(parquet_reader, "ROW_GROUP_BYTES", 10 << 20)
    column = pa.array(["a" * (1 << 20)] * 20)
    pq.write_table(pa.table({"text": column}), file, compression="zstd", use_dictionary=False)

    assert file.stat().st_size < 1 << 16
    assert "row group 1 unpacks to 2" in refusal(file)


def test_a_parquet_bomb_by_repetition(tmp_path: Path):
    """One long string that a hundred thousand rows share is refused without a copy for each row."""
    file = tmp_path / "bomb.parquet"
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["a" * (1 << 20)]))
    pq.write_table(pa.table({"text": long}), file)

    assert "column 'text' has a value of 1048576 bytes" in refusal(file)


def test_nested_parquet(tmp_path: Path):
    """Lists and structs are no rows of text."""
    assert "column 'text' holds list" in refusal(parquet(tmp_path / "r.parquet", text=[["a"]]))


def test_links_and_devices(tmp_path: Path):
    """A symbolic link could lead anywhere, a pipe could last for ever: both are refused."""
    link = tmp_path / "link.jsonl"
    link.symlink_to(write(tmp_path / "rows.jsonl", b"{}"))

    assert "a symbolic link; give the file that it leads to" in refusal(link)
    assert "not a regular file" in refusal(Path("/dev/null"))
    assert "Is a directory" in refusal(tmp_path)


def test_a_line_of_two_gigabytes(tmp_path: Path):
    """An endless line is refused after as much as one row may take, not after all of it."""
    file = tmp_path / "long.jsonl"
    with file.open("wb") as sparse:
        sparse.truncate(2 << 30)

    tracemalloc.start()
    message = refusal(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert "long.jsonl:1: the line is longer than 4096 bytes" in message
    assert peak < 1 << 20


@FUZZ
@given(content=st.binary(max_size=300))
@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_any_bytes(ending: str, content: bytes, tmp_path: Path):
    """Of arbitrary bytes a reader makes rows, faults or a ContributionError, never another exception."""
    raws, said = outcome(write(tmp_path / f"any.{ending}", content))

    assert "\n" not in said
    assert all((raw.values is None) == bool(raw.fault) for raw in raws)


@FUZZ
@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_flipped_byte_in_parquet(place: int, value: int, tmp_path: Path):
    """A damaged Parquet file is read or refused, it ends nothing else."""
    whole = bytearray(parquet(tmp_path / "whole.parquet", text=["Draw", "a", "line"], n=[1, 2, 3]).read_bytes())
    whole[place % len(whole)] = value
    file = write(tmp_path / "damaged.parquet", bytes(whole))
    raws, said = outcome(file)

    assert bool(raws) != bool(said)
    assert not said or said.startswith(f"{file}:")


@FUZZ
@given(rows=st.lists(st.fixed_dictionaries({"text": cells, "label": cells}), min_size=1, max_size=5))
def test_round_trips(rows: list[dict[str, str]], tmp_path: Path):
    """What was written as JSONL, CSV or Parquet comes back as it was."""
    jsonl = "".join(json.dumps(row) + "\n" for row in rows)
    table = io.StringIO()
    writer = csv.DictWriter(table, ["text", "label"])
    writer.writeheader()
    writer.writerows(rows)
    columns = {name: [row[name] for row in rows] for name in ("text", "label")}

    assert values(write(tmp_path / "r.jsonl", jsonl.encode())) == rows
    assert values(write(tmp_path / "r.csv", table.getvalue().encode())) == rows
    assert values(parquet(tmp_path / "r.parquet", **columns)) == rows
