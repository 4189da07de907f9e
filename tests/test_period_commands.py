"""The life of a period from the command line: policy, open, close by two, release, correct, claw back, reverse."""

import shutil
from pathlib import Path

import pytest

from tests.rewards.people import POLICY, House, make_house
from tests.terminal import tree, tribute


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> House:
    """November is drafted; read only."""
    house = make_house(tmp_path_factory.mktemp("house") / "workspace")
    house.pay("2026-11")
    return house


@pytest.fixture
def house(drafted: House, tmp_path: Path) -> House:
    return House(shutil.copytree(drafted.root, tmp_path / "workspace"), drafted.world)


@pytest.fixture
def closed(house: House) -> House:
    house.close("2026-11")
    return house


def said(house: House, *arguments: object):
    """What a command that succeeds prints as JSON."""
    ended = tribute(*arguments, "-w", house.root, "--json")
    assert ended.code == 0, ended.err
    return ended.data


def refused(house: House, *arguments: object) -> str:
    """The one line of a command that fails; nothing of rewards/ and registry changes."""
    before = tree(house.root)
    ended = tribute(*arguments, "-w", house.root)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert {name: digest for name, digest in tree(house.root).items() if "locks" not in name} == {
        name: digest for name, digest in before.items() if "locks" not in name
    }
    return ended.err


def closing(house: House, name: str, *more: object, period: str = "2026-11"):
    key = house.root / "keys" / name
    return ("period", "close", period, "--key", key, "--as", name, "--date", "2026-12-01", *more)


def correction(house: House, verb: str, amount: str, *more: object):
    ref = ("--contributor", "numpy", "--ref", accrual(house), "--reason", "the evaluation was wrong")
    return ("period", verb, *ref, f"--amount={amount}", "--date", "2026-12-03", *more)


def accrual(house: House) -> str:
    from tribute.rewards import ledger

    return ledger.read(house.workspace).find("2026-11/ACCRUE/evaluation/EUR/numpy")[0]["entry_id"]


def test_two_close_a_period(house: House):
    """The first approves, status shows it, the second closes, and everything verifies."""
    first = said(house, *closing(house, "anna"))
    between = said(house, "period", "status")
    second = said(house, *closing(house, "ben"))
    after = said(house, "period", "status", "2026-11")

    assert (first["closed"], second["closed"]) == (False, True)
    assert [(one["state"], one["signed"], one["entries"]) for one in between["periods"]] == [("draft", ["anna"], 0)]
    [about] = after["periods"]
    assert (about["state"], about["signed"], about["id"]) == ("closed", ["anna", "ben"], second["id"])
    assert sum(int(one["minor"]) for one in after["accounts"]) == 0
    assert said(house, "verify", "period", "2026-11")["ok"]


def test_a_dry_run_closes_nothing(house: House):
    """--dry-run of the first and the second close says what would be."""
    before = tree(house.workspace.rewards)

    ended = tribute(*closing(house, "anna", "--dry-run"), "-w", house.root)

    assert "2026-11 would be approved by anna; another closer has to close it, too" in ended.out
    assert tree(house.workspace.rewards) == before


def test_periods_are_opened_in_order(closed: House):
    """The next is opened; a gap, an overlap and what is no month are refused in one line."""
    assert said(closed, "period", "open", "2026-12") == {"period": "2026-12", "open": True}
    assert "the open period is 2026-12, which follows 2026-11" in refused(closed, "period", "open", "2027-01")
    assert "2026-11 cannot be paid now" in refused(closed, "period", "open", "2026-11")
    assert "'2026-13' is not a month" in refused(closed, "period", "open", "2026-13")


def test_the_first_period_may_be_any(house: House):
    """Opened first, a month is the only one to be paid."""
    shutil.rmtree(house.workspace.rewards)

    opened = said(house, "period", "open", "2026-03")
    status = said(house, "period", "status")

    assert opened["open"]
    assert [(one["period"], one["state"]) for one in status["periods"]] == [("2026-03", "open")]
    assert "2026-11 cannot be paid now: the open period is 2026-03" in refused(house, "period", "open", "2026-11")


def test_an_empty_ledger_says_what_to_do(house: House):
    """Status without a period names the next step."""
    shutil.rmtree(house.workspace.rewards)

    ended = tribute("period", "status", "-w", house.root)

    assert "no period yet; `tribute period open PERIOD` opens the first" in ended.out


def test_time_makes_money_payable(closed: House):
    """Release posts what is due by the day, and nothing twice; a dry run posts nothing."""
    foretold = said(closed, "period", "release", "--date", "2026-12-30", "--dry-run")
    early = said(closed, "period", "release", "--date", "2026-12-29")
    due = said(closed, "period", "release", "--date", "2026-12-30")
    again = said(closed, "period", "release", "--date", "2026-12-31")

    assert {row["event_type"] for row in due} == {"PAYABLE"}
    assert (early, foretold, again) == ([], due, [])


def test_corrections_are_linked(closed: House):
    """Correct, claw back and reverse each post linked entries, once."""
    for verb, amount, events in (
        ("correct", "200.00", ["RESERVE", "ADJUST"]),
        ("correct", "-12.50", ["ADJUST"]),
        ("claw-back", "40.00", ["CLAWBACK"]),
    ):
        made = said(closed, *correction(closed, verb, amount))
        again = said(closed, *correction(closed, verb, amount))

        assert [row["event_type"] for row in made[::2]] == events
        assert made[-1]["ref_entry_id"].startswith("2026-11-")
        assert again == []
    mirrored = said(closed, "period", "reverse", made[0]["entry_id"], "--reason", "slip", "--date", "2026-12-04")

    assert [(row["account"], row["debit_minor"]) for row in mirrored] == [
        (row["account"], row["credit_minor"]) for row in made
    ]


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("0", "amount '0' is zero"),
        ("1.001", "amount '1.001' has 3 decimals, EUR has 2"),
        ("1e3", "amount '1e3' is not a plain positive decimal"),
        ("--5", "amount '-5' is not a plain positive decimal"),
        ("nan", "amount 'nan' is not a plain positive decimal"),
    ],
)
def test_amounts_that_are_none(closed: House, amount: str, message: str):
    """Zero, too many decimals, exponents and NaN post nothing."""
    assert message in refused(closed, *correction(closed, "correct", amount))


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("=HYPERLINK(1)", "reason_code '=HYPERLINK(1)' could be run as a formula by a spreadsheet"),
        ("two\nlines", "expected one line of at most 200 printable characters"),
        ("x" * 201, "expected one line of at most 200 printable characters"),
    ],
)
def test_reasons_that_do_not_fit_a_journal(closed: House, reason: str, message: str):
    """A reason is a line of text that no program runs."""
    arguments = list(correction(closed, "correct", "5.00"))
    arguments[arguments.index("--reason") + 1] = reason

    assert message in refused(closed, *arguments)


def test_a_date_in_a_sealed_month(closed: House):
    """What happened in a closed month is posted in the open one."""
    arguments = [*correction(closed, "correct", "5.00")[:-1], "2026-11-30"]

    assert "2026-11-30 lies in 2026-11, which is closed and sealed; post in 2026-12" in refused(closed, *arguments)


def test_a_key_that_is_not_in_the_policy(house: House):
    """Somebody who may not close is told who may."""
    assert "rita is not among the closers of the policy (anna, ben)" in refused(house, *closing(house, "rita"))


def test_a_policy_is_checked_and_published(house: House):
    """Check reports all faults, publish records a version once; a dry run records none."""
    path = house.root / "keys" / "next.yaml"
    path.write_text(POLICY.replace("v1.0.0", "v1.1.0").replace('part: "0.2"', 'part: "0.3"'), encoding="utf-8")
    publish = ("policy", "publish", path, "--key", house.root / "keys" / "anna", "--as", "anna")

    checked = tribute("policy", "check", path, "--json").data
    foretold = said(house, *publish, "--dry-run")
    published = said(house, *publish)
    path.write_text(path.read_text().replace("v1.1.0", "1.1.0") + "color: red\n")
    bad = tribute("policy", "check", path)

    assert checked["holdback"] == {"part": "0.3", "days": 60}
    assert (foretold["published"], published["published"]) == (False, True)
    assert (bad.code, bad.err.count("\n")) == (2, 1)
    assert "version: " in bad.err
    assert "color: unknown key" in bad.err
    assert said(house, "verify", "registry")["ok"]
