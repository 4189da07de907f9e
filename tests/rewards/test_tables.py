"""Property: what is written is read back the same, by RFC 4180, and no cell can act as a formula."""

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute import formatting
from tribute.errors import IntegrityError, RewardError
from tribute.rewards import tables
from tribute.rewards.tables.table_format import Column, Minor, Table, Text


class Pair(NamedTuple):
    name: Text
    value: Minor


COLUMNS = Table("t", Pair)
SAFE = st.text(st.characters(codec="utf-8", exclude_characters="\x00")).filter(
    lambda text: not text.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
)


@given(rows=st.lists(st.tuples(SAFE, st.integers())))
def test_a_table_is_read_back_as_it_was_written(tmp_path_factory, rows):
    """Commas, quotes, line breaks and every script survive; numbers may be negative."""
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    rows = [{"name": name, "value": str(value)} for name, value in rows]

    assert tables.write_csv(path, COLUMNS, rows) == len(rows)
    assert tables.read_csv(path, COLUMNS) == rows


@given(rows=st.lists(st.tuples(SAFE, st.integers())))
def test_typed_rows_are_read_back_as_they_were(tmp_path_factory, rows):
    """A row is typed once when it is read, and its texts are those of the file."""
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    pairs = [Pair(*row) for row in rows]

    tables.write(path, COLUMNS, pairs)

    assert tables.read(path, COLUMNS) == pairs
    assert list(map(tables.texts, pairs)) == tables.read_csv(path, COLUMNS)


@pytest.mark.parametrize("cell", ["", "1.0", "01", "+1", " 1", "1e3", "one", "1_000"])
def test_a_number_that_is_written_in_another_way_is_named(tmp_path, cell):
    """File, line, column and cell: what is hashed is a text, so one number has one text."""
    (tmp_path / "t.csv").write_text(f"name,value\r\na,1\r\nb,{cell}\r\n", newline="")

    with pytest.raises(IntegrityError, match=r"t\.csv: line 3: value .*, expected a plain integer; make the period"):
        tables.read(tmp_path / "t.csv", COLUMNS)


def test_every_column_has_one_type():
    """A table is its class: each column a line with a type, and nowhere else a list of names."""
    for table in tables.TABLES.values():
        assert list(table) == list(table.row._fields)
        assert all(isinstance(column, Column) for column in table.columns.values())
        assert set(table.key) <= set(table)


def test_lines_end_with_crlf(tmp_path):
    """RFC 4180: every line, the last included, ends with CRLF; there is no byte order mark."""
    tables.write_csv(tmp_path / "t.csv", COLUMNS, [{"name": "é,", "value": "-1"}])

    assert (tmp_path / "t.csv").read_bytes() == 'name,value\r\n"é,",-1\r\n'.encode()


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_a_spreadsheet_would_run_is_refused(tmp_path, cell):
    """No text cell starts with = + - @ or a control character."""
    with pytest.raises(RewardError, match=r"t\.csv: name .* could be run as a formula"):
        tables.write_csv(tmp_path / "t.csv", COLUMNS, [{"name": cell, "value": "1"}])


def test_other_columns_are_refused(tmp_path):
    """A table with other columns than the documented ones is named."""
    tables.write_csv(tmp_path / "t.csv", COLUMNS, [])

    with pytest.raises(IntegrityError, match=r"t\.csv: columns .* expected"):
        tables.read_csv(tmp_path / "t.csv", tables.JOURNAL)


@given(st.fractions())
def test_a_quota_is_cut_and_never_rounded_up(value):
    """The written decimal is at most the rational, by less than 1e-12, so its whole part is the quota's."""
    written = Fraction(formatting.decimal_floor(value))

    assert 0 <= value - written < Fraction(1, 10**12)
    assert f"{formatting.decimal_floor(value):f}".count("E") == 0


def test_the_columns_are_those_of_the_notes():
    """Finance scripts rely on these names and their order."""
    assert ",".join(tables.ALLOCATION.first_columns) == (
        "period,pool,contributor_id,payee_ref,currency,exponent,rows_submitted,rows_canonical,rows_excluded,score,"
        "score_se,weight_num,weight_den,quota_minor,amount_minor,rounding_minor,status,evidence_sha256,score_high,rule"
    )
    later = list(tables.ALLOCATION)[len(tables.ALLOCATION.first_columns) :]
    assert later == ["reliability", "credit_share", "content", "content_share"]
    assert ",".join(tables.JOURNAL) == (
        "entry_id,seq,posted_at,period,event_type,account,debit_minor,credit_minor,currency,contributor_id,"
        "ref_entry_id,reason_code,idempotency_key,prev_hash,entry_hash"
    )
    assert ",".join(tables.EXCLUSIONS) == (
        "row_hash,contributor_id,reason_code,cluster_id,canonical_row_hash,canonical_contributor_id,detector,"
        "detector_version,similarity,threshold,decided_at"
    )


def test_scores_are_exact_decimals_in_the_evidence(paid):
    """evidence.parquet holds decimal128(38, 12), no float, and no text of a row."""
    table = tables.read_evidence(paid.path / "evidence.parquet")

    assert table.schema.field("score").type.scale == 12
    assert isinstance(table["score"][0].as_py(), Decimal)
    assert "text" not in table.column_names
