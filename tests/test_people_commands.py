"""Theorem: statements, disputes and what-ifs speak to people and to scripts; a dry run says it and does nothing."""

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.terminal import tree, tribute
from tests.rewards.helpers.people import House, make_house

DAY = "2026-12-05"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> House:
    """November 2026 is closed; read only."""
    house = make_house(tmp_path_factory.mktemp("house") / "workspace")
    house.close("2026-11")
    return house


@pytest.fixture
def house(closed: House, tmp_path: Path) -> House:
    """A copy that a test may change."""
    return House(shutil.copytree(closed.root, tmp_path / "workspace"), closed.world)


def dispute(house: House, verb: str, *arguments: object):
    """`tribute dispute VERB` on the house's workspace."""
    return tribute("dispute", verb, *arguments, "-w", house.root)


def decide(house: House, name: str, *more: object):
    """One reviewer grants 12.50."""
    key = house.root / "keys" / name
    words = ("--amount", "12.50", "--as", name, "--key", key, "--why", "it does", "--date", DAY)
    return dispute(house, "decide", "2026-11-numpy-1", *words, *more)


def opening(*more: object) -> tuple[object, ...]:
    """What opens a dispute about numpy's November."""
    return ("open", "2026-11-numpy", "--by", "numpy", "--why", "row 12 counts twice", "--date", DAY, *more)


def test_a_dispute_from_opening_to_appeal(house: House, tmp_path: Path):
    """Each step says where the dispute stands, and `show` tells all of it."""
    letter = tmp_path / "letter.txt"
    letter.write_text("row 12")

    said = [
        dispute(house, *opening()).out,
        dispute(house, "evidence", "2026-11-numpy-1", letter, "--by", "numpy", "--why", "a letter", "--date", DAY).out,
        decide(house, "rita").out,
        decide(house, "ron").out,
        dispute(house, "appeal", "2026-11-numpy-1", "--by", "numpy", "--why", "more", "--date", DAY).out,
    ]

    assert "2026-11-numpy-1 is open" in said[0]
    assert "letter.txt: a letter" in said[1]
    assert "is open; 1 of 2 reviewers decided" in said[2]
    assert "2026-11-numpy-1 is decided" in said[3]
    assert "2026-11-numpy-1 is open" in said[4]
    shown = dispute(house, "show", "2026-11-numpy-1", "--json").data
    assert [one["event"] for one in shown["events"]] == [
        *("open", "evidence", "decide", "decide", "outcome", "appeal"),
    ]
    assert "2026-11-numpy-1" in dispute(house, "show").out


def test_a_dry_run_changes_nothing(house: House):
    """Opening and deciding are checked to the end, and every byte stays."""
    before = tree(house.root / "rewards")

    assert "2026-11-numpy-1 would be open" in dispute(house, *opening("--dry-run")).out
    assert tree(house.root / "rewards") == before
    assert not (house.root / "disputes").exists()

    dispute(house, *opening())
    decide(house, "rita")
    between = tree(house.root / "disputes") | tree(house.root / "rewards")
    assert "2026-11-numpy-1 would be decided" in decide(house, "ron", "--dry-run").out
    assert tree(house.root / "disputes") | tree(house.root / "rewards") == between


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dispute", "open", "2026-11", "--by", "x", "--why", "y"), "'2026-11': expected a statement's number"),
        (("dispute", "open", "2026-10-numpy", "--by", "x", "--why", "y"), "2026-10 is not closed"),
        (("dispute", "open", "2026-11-nobody", "--by", "x", "--why", "y"), "nobody has no line in 2026-11"),
        (("dispute", "open", "2026-12/numpy", "--by", "x", "--why", "y"), "2026-12 is not closed"),
        (("dispute", "recheck", "2026-11-numpy-1"), "there is no dispute 2026-11-numpy-1"),
        (("statement", "2026-10"), "there is no period 2026-10"),
        (("statement", "2026-11", "nobody", "--dry-run"), "nobody is unknown to 2026-11"),
        (("policy", "simulate", "{policy}", "--period", "2026-10"), "there is no period 2026-10"),
    ],
)
def test_a_slip_is_one_line(closed: House, arguments: tuple[str, ...], message: str):
    """Exit code 2, and what was found and expected."""
    ended = tribute(*(one.format(policy=closed.policy) for one in arguments), *_home(arguments, closed))

    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1


def _home(arguments: tuple[str, ...], house: House) -> tuple[object, ...]:
    dated = ("--date", DAY) if arguments[:2] == ("dispute", "open") else ()
    return (*dated, "-w", house.root)


def test_another_policy_is_told_and_simulated(closed: House, tmp_path: Path):
    """What differs, and who would have got more or less."""
    other = tmp_path / "other.yaml"
    other.write_text(closed.policy.read_text().replace('contributors: "0.9"', 'platform: "0.4", contributors: "0.5"'))

    differs = tribute("policy", "diff", closed.policy, other, "--json").data
    would = tribute("policy", "simulate", other, "--period", "2026-11", "-w", closed.root, "--json").data

    assert {one["setting"] for one in differs["settings"]} == {"split.platform", "split.contributors"}
    assert sum(int(one["would_minor"]) for one in would["comparisons"]) == 50_000
    assert sum(int(one["paid_minor"]) for one in would["comparisons"]) == 90_000


def test_statements_come_from_the_registry_as_it_is_now(spare: Path, monkeypatch: pytest.MonkeyPatch):
    """With the texts that are there; what is erased then is on no page made later."""
    monkeypatch.setattr("tribute.rewards.statements.document.LEAST_ROWS", 1)
    pages = tribute("statement", "2026-11", "ada", "-w", spare, "--json").data["paths"]
    before = Path(pages[0]).read_text(encoding="utf-8")
    document = json.loads(Path(pages[0]).with_suffix(".json").read_text(encoding="utf-8"))
    contribution = next(path.name for path in (spare / "registry" / "contributions").glob("ada-*"))
    assert f"{contribution}:" in before

    erased = tribute("erase", contribution, "--by", "ada", "--why", "no more", "--yes", "-w", spare)
    again = tribute("statement", "2026-11", "ada", "-w", spare)

    after = Path(pages[0]).read_text(encoding="utf-8")
    assert (erased.code, again.code) == (0, 0), erased.err + again.err
    assert f"{contribution}:" not in after
    assert document["rows"]["helped"][0]["row_hash"][:16] in after
