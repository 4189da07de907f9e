"""Theorem: many months tie out line by line and with the ledger, and one cent changed anywhere is found."""

import shutil

import pytest

from tests.rewards.helpers.people import House, make_house
from tribute.errors import IntegrityError, RewardError
from tribute.report.year_page import write_year
from tribute.rewards.ledger import accounts, ledger
from tribute.rewards.verification.tie_out import history, totals
from tribute.workspace import Workspace


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Three months are closed; read only."""
    house = make_house(tmp_path_factory.mktemp("house") / "workspace")
    for period, fee in (("2026-11", "1000.00"), ("2026-12", "500.00"), ("2027-01", "2000.00")):
        house.close(period, fee)
    return house


def test_the_months_are_those_that_were_closed(year: House):
    """Fee, accruals and who earned them, month by month and added up."""
    found = history(year.workspace, "EUR")

    assert [one.period for one in found.months] == ["2026-11", "2026-12", "2027-01"]
    assert [one.fee for one in found.months] == [100_000, 50_000, 200_000]
    assert [one.moves["accrued"] for one in found.months] == [90_000, 45_000, 180_000]
    assert sum(totals(found.months).values()) == 315_000
    assert next(iter(totals(found.months))) == "numpy"
    assert len(found.ties) == 3


def test_where_the_money_stands_is_the_ledger(year: House):
    """At the end of the last month, stage by stage."""
    standing = history(year.workspace, "EUR").months[-1].standing
    balances = ledger.load(year.workspace).balances()

    held = sum(amount for (account, _), amount in balances.items() if accounts.owner(account)[1] == "Held")
    assert standing["Held"] == held > 0
    assert standing["Liabilities:Reserve"] == 35_000
    assert sum(standing.values()) == 0


@pytest.mark.parametrize(
    ("column", "message"),
    [("closing", "does not add up"), ("opening", "does not add up")],
)
def test_a_cent_too_much_is_found(year: House, tmp_path, column: str, message: str):
    """One number changed in a month's balances, and the month is named."""
    root = shutil.copytree(year.root, tmp_path / "workspace")
    path = root / "rewards" / "2026-12" / "balances.csv"
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    place = header.split(",").index(column)
    cells = lines[3].split(",")
    cells[place] = str(int(cells[place]) + 1)
    path.chmod(0o644)
    path.write_text("\n".join([header, *lines[:3], ",".join(cells), *lines[4:]]) + "\n", encoding="utf-8")

    with pytest.raises(IntegrityError, match=f"2026-12/balances.csv.*{message}"):
        history(House(root, year.world).workspace, "EUR")


def test_somebody_who_vanishes_is_found(year: House, tmp_path):
    """Who is owed something has a line in every later month."""
    root = shutil.copytree(year.root, tmp_path / "workspace")
    path = root / "rewards" / "2026-12" / "balances.csv"
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("numpy,")]
    path.chmod(0o644)
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")

    with pytest.raises(IntegrityError, match="no line for numpy, who is owed"):
        history(House(root, year.world).workspace, "EUR")


def test_a_year_without_a_closed_period_is_said_to_be_none(tmp_path):
    """Before the first close there is nothing to show: one line, and no page."""
    workspace = Workspace.create(tmp_path / "workspace")

    with pytest.raises(RewardError, match="no period is closed"):
        write_year(workspace, history(workspace, "EUR"), tmp_path / "year.html")

    assert not (tmp_path / "year.html").exists()
