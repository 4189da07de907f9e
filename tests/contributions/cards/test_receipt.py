"""Who hands something in gets told, row by row, what became of it, and what establishes priority."""

import json
from pathlib import Path

import pytest

from tests.contributions.conftest import write_rows
from tribute.contributions.cards import receipt as receipts
from tribute.contributions.cards.receipt import write_receipts
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.registry.registry import Registry


@pytest.fixture
def receipt(released: Registry, tmp_path: Path) -> dict:
    """Of a file with a fresh row, a copy of ada's, a repeat, another label for ada's, a near evaluation, a fault."""
    rows = [
        ("Add a legend", "plotting"),
        ("DRAW a line", "plotting"),
        ("add a  legend", "plotting"),
        ("Draw a circle", "statistics"),
        ("Plot some bars!", "plotting"),
        ("Boil an egg", "cooking"),
    ]
    file = write_rows(tmp_path / "cy.jsonl", rows)
    made: list[dict] = []
    released.contribute(
        [Submission(file, "cy", "docs", "MIT", skip_faulty=True)],
        lambda now, those: made.extend(write_receipts(released, tmp_path / "receipts", now, those)),
    )
    return made[0]


def test_every_row_has_a_verdict(receipt: dict):
    """Rows are told in the file's order with verdict and reason; only rows that were recorded have an id."""
    told = [(row["line"], row["verdict"], [reason["code"] for reason in row["reasons"]]) for row in receipt["rows"]]

    assert told == [
        (1, "accepted", []),
        (2, "rejected", ["duplicate"]),
        (3, "rejected", ["duplicate"]),
        (4, "review", ["conflicting_label"]),
        (5, "accepted", []),
        (6, "rejected", ["schema"]),
    ]
    assert [row["row_id"] is None for row in receipt["rows"]] == [False] * 5 + [True]
    assert receipt["verdicts"] == {"accepted": 2, "rejected": 3, "review": 1}


def test_a_copy_names_the_row_that_came_first(receipt: dict, released: Registry):
    """Across contributions and within one."""
    ada = released.snapshot().contributions("docs")[0].id
    first = {row["line"]: row["reasons"][0]["canonical_row_id"] for row in receipt["rows"] if row["reasons"]}

    assert first[2] == f"{ada}:1"
    assert first[3] == f"{receipt['contribution']}:1"


def test_priority_is_the_ledgers(receipt: dict, released: Registry):
    """Place, time and hash are those of the ledger and of the commit that recorded it."""
    entry = released.entries()[-1]

    assert (receipt["ledger_seq"], receipt["ledger_hash"]) == (entry.seq, entry.entry_hash)
    assert entry.subject == receipt["contribution"]


def test_files(receipt: dict, tmp_path: Path):
    """The JSON is the receipt, the page has every reason and no text of any row."""
    folder = tmp_path / "receipts"
    page = (folder / f"{receipt['contribution']}.html").read_text()

    assert json.loads((folder / f"{receipt['contribution']}.json").read_text()) == receipt
    assert all(code in page for code in ("repeats a row", "but another label", "faulty"))
    assert "legend" not in page.lower()
    assert receipt["ledger_hash"] in page


def test_nothing_tells_a_row_near_the_sealed_evaluation(released: Registry, tmp_path: Path):
    """Of a file with one row the receipt says the same, whether the row is sealed or not."""
    told = []
    for text in ("Plot some bars", "Fill an area"):
        file = write_rows(tmp_path / "one.jsonl", [(text, "plotting")])
        released.contribute(
            [Submission(file, "cy", "docs", "MIT")],
            lambda now, those: told.extend(write_receipts(released, tmp_path / "receipts", now, those)),
        )

    sealed, honest = ({name: receipt[name] for name in ("verdicts", "reasons")} for receipt in told)
    assert sealed == honest == {"verdicts": {"accepted": 1}, "reasons": {}}
    assert set(told[0]) == set(told[1])
    assert [list(row) for row in told[0]["rows"]] == [list(row) for row in told[1]["rows"]]


def test_a_page_shows_the_first_reasons(receipt: dict, monkeypatch: pytest.MonkeyPatch):
    """With thousands of faults the page stays short and says how many more the JSON has."""
    monkeypatch.setattr(receipts, "SHOWN", 2)

    assert "2 more are in" in receipts.page(receipt)


def test_markup_in_a_fault_is_text(receipt: dict):
    """What a file holds cannot become markup of the page."""
    receipt["rows"][5]["reasons"][0]["evidence"] = "<script>alert(1)</script>"

    assert "<script>" not in receipts.page(receipt)
