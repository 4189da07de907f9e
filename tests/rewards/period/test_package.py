"""Theorem: other programs read the tables with the right types, and nothing beside a table says something else."""

import csv
import json
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.rewards.helpers.sheets import sheet
from tribute.artifacts import file_digests, read_artifact
from tribute.digests import file_sha256
from tribute.rewards import tables
from tribute.rewards.period import package
from tribute.rewards.verification.verify import verify_period


@pytest.fixture
def period(two_closed):
    return two_closed.workspace.rewards / "2026-12"


def test_every_table_has_a_twin_with_the_same_rows(period):
    """Text for text: each number in its table is the number in its twin."""
    for name in package.names_of(period):
        rows = tables.read_csv(period / f"{name}.csv", tables.TABLES[name])
        columns = tables.TABLES[name].written(rows[0]) if rows else tables.TABLES[name].columns
        twin = pq.read_table(period / f"{name}.parquet")

        assert twin.column_names == list(columns)
        assert twin.num_rows == len(rows)
        for column, kind in columns.items():
            texts = [row[column] or None for row in rows] if kind.is_number else [row[column] for row in rows]
            values = [None if value is None else str(value) for value in twin[column].to_pylist()]
            expected = [None if text is None else str(Decimal(text)) for text in texts] if kind.is_number else texts
            found = [None if value is None else str(Decimal(value)) for value in values] if kind.is_number else values
            assert list(map(_plain, found)) == list(map(_plain, expected)), f"{name}.{column}"


def _plain(text):
    """12.500 and 12.5 are one number; None where a day or a number is not given."""
    try:
        return Decimal(text or "").normalize()
    except ArithmeticError:
        return text or None


def test_twins_have_exact_types(period):
    """Counts are 64-bit integers, amounts and weights decimals of 38 digits, days are days."""
    types = {name: pq.read_schema(period / f"{name}.parquet") for name in package.names_of(period)}

    assert types["allocation"].field("amount_minor").type == pa.decimal128(38, 0)
    assert types["allocation"].field("score").type == pa.decimal128(38, 12)
    assert types["journal"].field("seq").type == pa.int64()
    assert types["journal"].field("posted_at").type == pa.date32()
    assert not any(pa.types.is_floating(field.type) for schema in types.values() for field in schema)


def test_what_users_paid_is_a_table_like_the_others(world, tmp_path):
    """Where a file says what queries weigh: described, counted, with its twin, exact to 18 decimals."""
    usage, policy = tmp_path / "usage.csv", tmp_path / "policy.yaml"
    usage.write_text(
        "query,user,amount\nplotting,u,0.000000000000000001\nstatistics,v,999999999999999999\ngraphs,w,500000000000000000\n"
    )
    policy.write_text("id: p\nversion: v1.0.0\ndescription: d\npools: {answers: {part: '1', pays: queries}}\n")
    path = world.pay(tmp_path / "w", policy=policy, usage=usage).path

    twin = pq.read_table(path / "usage.parquet")

    assert twin["amount"].to_pylist() == [Decimal("1e-18"), Decimal(999999999999999999), Decimal(5 * 10**17)]
    assert "usage.csv" in {one["path"] for one in json.loads((path / package.DATAPACKAGE).read_bytes())["resources"]}
    assert read_artifact(path).identity["config"]["rows"]["usage.csv"] == 3
    assert "9 Parquet twins" in verify_period(path)[-1]


def test_amounts_of_more_than_38_digits_stay_exact(world, tmp_path):
    """A pool of a billion billion ETH has 37 digits, and a quota 12 more; the twin is wider where it has to be."""
    path = world.pay(tmp_path, fees=[("1000000000000000000.000000000000000001", "ETH")]).path

    twin = pq.read_table(path / "allocation.parquet")

    assert sum(map(int, twin["amount_minor"].to_pylist())) == 10**36 + 1
    assert twin.schema.field("quota_minor").type == pa.decimal256(76, 12)


def test_frictionless_accepts_the_package(period):
    """Types, keys, sizes and hashes, table by table."""
    frictionless = pytest.importorskip("frictionless", reason="frictionless is not installed")

    report = frictionless.validate(str(period / package.DATAPACKAGE))

    assert report.valid, report.flatten(["name", "type", "note"])
    assert sorted(task.name for task in report.tasks) == sorted(package.names_of(period))


def test_frictionless_finds_a_wrong_cell(period, tmp_path):
    """The description is not so loose that everything passes."""
    frictionless = pytest.importorskip("frictionless", reason="frictionless is not installed")
    folder = shutil.copytree(period, tmp_path / "copy")
    for path in folder.iterdir():
        path.chmod(0o644)
    spoiled = (folder / "balances.csv").read_text(encoding="utf-8").replace("numpy,EUR", "Numpy!,EUR")
    (folder / "balances.csv").write_text(spoiled, encoding="utf-8", newline="")

    report = frictionless.validate(str(folder / package.DATAPACKAGE))

    assert {error for (error,) in report.flatten(["type"])} >= {"constraint-error", "hash-count"}


def test_duckdb_reads_csv_and_twin_alike(period):
    """By SQL, with decimals and days; both sum to what the manifest says."""
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    control = json.loads((period / "manifest.json").read_bytes())["identity"]["config"]["control"]["EUR"]

    twin = duckdb.sql(f"select sum(amount_minor), typeof(any_value(amount_minor)) from '{period}/allocation.parquet'")
    text = duckdb.sql(f"select sum(amount_minor), count(*) from read_csv('{period}/allocation.csv')")
    days = duckdb.sql(f"select distinct typeof(posted_at) from '{period}/journal.parquet'")

    ((total, type_),) = twin.fetchall()
    assert (str(total), type_) == (control["allocated_minor"], "DECIMAL(38,0)")
    assert text.fetchall() == [(int(control["allocated_minor"]), 10)]
    assert days.fetchall() == [("DATE",)]


def test_pandas_reads_a_twin_without_a_float(period):
    """Decimals and days, by whoever has only pandas."""
    twin = pd.read_parquet(period / "allocation.parquet")
    days = pd.read_parquet(period / "journal.parquet")["posted_at"]

    control = json.loads((period / "manifest.json").read_bytes())["identity"]["config"]["control"]["EUR"]
    assert {type(value) for value in twin["amount_minor"]} == {Decimal}
    assert str(twin["amount_minor"].sum()) == control["allocated_minor"]
    assert set(days) == {date(2026, 12, 31)}


def test_libreoffice_opens_a_table_and_runs_nothing(period, tmp_path):
    """Headless, as a person would by double click: the same rows come out, and no cell became a formula."""
    opened = sheet(period / "balances.csv", tmp_path)

    assert "table:formula=" not in opened
    assert "numpy" in opened
    numbers = [row["closing"] for row in tables.read_csv(period / "balances.csv", tables.BALANCES)]
    assert all(f'office:value-type="float" office:value="{number}"' in opened for number in numbers if number != "0")


def test_no_cell_of_any_table_could_be_a_formula(period):
    """Text never starts with what a spreadsheet runs; only numbers may start with a minus."""
    for name in package.names_of(period):
        columns = tables.TABLES[name].columns
        with (period / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                for column, kind in columns.items():
                    assert kind.is_number or not row[column].startswith(("=", "+", "-", "@", "\t", "\r"))


def test_finishing_again_writes_the_same_bytes(paid, folder):
    """Also under another locale and in another time zone."""
    before = file_digests(paid.path)
    script = (
        "import sys; from pathlib import Path; from tribute.rewards.period import package; "
        "package.finish(Path(sys.argv[1]), '2026-11')"
    )
    environment = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7", "PATH": "/usr/bin:/bin"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])

    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, env=environment)

    assert file_digests(folder) == before


def test_the_package_describes_every_table_that_is_there(period):
    """No CSV in the folder is left out, and each carries its hash."""
    described = json.loads((period / package.DATAPACKAGE).read_bytes())["resources"]

    assert sorted(one["path"] for one in described) == sorted(path.name for path in period.glob("*.csv"))
    assert all(one["hash"] == f"sha256:{file_sha256(period / one['path'])}" for one in described)
