"""Property: what finance reads is exact: no float, no 64-bit limit."""

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import tribute
from tribute.errors import RewardError
from tribute.rewards import tables
from tribute.rewards.period.package import names_of
from tribute.rewards.period.read import read_rewards
from tribute.rewards.tables import TABLES

PAGE = Path(__file__).parents[3] / "docs" / "finance.md"


def test_a_three_line_script_adds_up(paid):
    """Reading, grouping and summing gives the pool to the cent."""
    lines = read_rewards(paid.path)

    assert lines.groupby("currency")["amount"].sum().to_dict() == {"EUR": Decimal("1000.00")}


def test_eighteen_decimals_are_exact(world, tmp_path):
    """A large pool of ETH sums exactly; a float would lose the last digits."""
    path = world.pay(tmp_path, fees=[("123456789.000000000000000001", "ETH")]).path

    lines = read_rewards(path)

    assert lines["amount_minor"].sum() == 123456789 * 10**18 + 1
    assert lines["amount"].sum() == Decimal("123456789.000000000000000001")
    assert {type(value) for value in lines["score"]} == {Decimal}


def test_every_table_is_read_with_exact_types(two_closed):
    """No column of any table holds a float; an empty number is None."""
    folder = two_closed.workspace.rewards / "2026-12"
    for name in names_of(folder):
        table = tribute.read_rewards(folder, name)

        assert not any(isinstance(value, float) for column in table for value in table[column])
    assert read_rewards(folder, "exclusions")["similarity"].tolist().count(None) == 1
    assert read_rewards(folder, "payables")["amount"].sum() > 0


def test_an_unknown_table_is_refused(paid):
    """With the names of those that there are."""
    with pytest.raises(RewardError, match="there is no table 'profits'; expected one of allocation, journal"):
        read_rewards(paid.path, "profits")


def test_the_pages_examples_do_what_they_say(paid):
    """Both scripts of docs/finance.md run as they stand, the second with the standard library alone."""
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"\n\n((?:    (?:import|from|with|lines|print| ).*\n)+)", page)
    scripts = [block.replace("demo/rewards/2026-11", str(paid.path)) for block in blocks if "import" in block]
    with_pandas, plain = ("\n".join(line[4:] for line in script.splitlines()) for script in scripts)

    told = subprocess.run([sys.executable, "-c", with_pandas], capture_output=True, text=True, check=True).stdout
    summed = subprocess.run([sys.executable, "-I", "-c", plain], capture_output=True, text=True, check=True).stdout

    assert "EUR    1000.00" in told
    assert summed == "100000\n"


def test_the_page_names_every_file_and_every_column(paid):
    """In the section of its table, so that nobody has to guess what a column means."""
    page = PAGE.read_text(encoding="utf-8")
    columns = {f"{name}.csv": list(table) for name, table in TABLES.items()}
    columns |= {"evidence.parquet": tables.EVIDENCE.names, "recon.csv": list(tables.RECON)}
    columns |= {"manifest.json": list(paid.identity["config"])}

    sections = re.split(r"\*\*(\w+\.(?:csv|parquet|json))\*\*", page.partition("## Every column")[2])
    told = dict(zip(sections[1::2], sections[2::2], strict=True))

    for name, expected in columns.items():
        assert set(expected) <= set(re.findall(r"`(\w+)`", told[name])), name
    for path in paid.path.iterdir():
        assert f"  {path.name} " in page or path.with_suffix(".csv").name in told, path.name
