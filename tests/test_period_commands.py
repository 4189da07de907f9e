"""Theorem: a period is opened, drafted, closed by two and released from the command line, or refused in one line."""

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.periods import closing, refused, said
from tests.helpers.terminal import tree, tribute
from tests.rewards.helpers.people import House, make_house


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


def test_two_close_a_period(house: House):
    """The first approves, status shows it, the second closes, and everything verifies."""
    first = said(house, *closing(house, "anna"))
    between = said(house, "period", "status")
    second = tribute(*closing(house, "ben"), "-w", house.root)
    after = said(house, "period", "status", "2026-11")

    assert not first["closed"]
    assert (second.code, second.out.splitlines()[0]) == (0, "2026-11 is closed, signed by anna and ben")
    # Nobody's rows are in this registry, so there are no pages; closed it is all the same.
    assert "no statements yet (there is no dataset 'docs'" in second.out
    assert [(one["state"], one["signed"], one["entry_count"]) for one in between["periods"]] == [("draft", ["anna"], 0)]
    [about] = after["periods"]
    assert (about["state"], about["signed"], about["manifest"]) == ("closed", ["anna", "ben"], first["manifest"])
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
    assert said(closed, "period", "open", "2026-12") == {"period": "2026-12"}
    assert "the open period is 2026-12, which follows 2026-11" in refused(closed, "period", "open", "2027-01")
    assert "2026-11 cannot be paid now" in refused(closed, "period", "open", "2026-11")
    assert "'2026-13' is not a month" in refused(closed, "period", "open", "2026-13")


def test_the_first_period_may_be_any(house: House):
    """Opened first, a month is the only one to be paid."""
    shutil.rmtree(house.workspace.rewards)

    opened = said(house, "period", "open", "2026-03")
    status = said(house, "period", "status")

    assert opened["period"] == "2026-03"
    assert [(one["period"], one["state"]) for one in status["periods"]] == [("2026-03", "open")]
    assert "2026-11 cannot be paid now: the open period is 2026-03" in refused(house, "period", "open", "2026-11")


def test_status_of_a_period_that_is_none(closed: House):
    """Those that there are, are named."""
    assert "2026-10 is neither drafted, open nor closed; there are: 2026-11, 2026-12" in refused(
        closed, "period", "status", "2026-10"
    )


def test_status_shows_the_accounts(closed: House):
    """As a table: the state, who signed, and what stands where, which adds up to nothing."""
    ended = tribute("period", "status", "-w", closed.root)

    assert ended.code == 0
    for words in ("2026-11", "closed", "anna, ben", "2026-12", "open", "Liabilities:Reserve", "100.00 EUR"):
        assert words in ended.out


def test_an_empty_ledger_says_what_to_do(house: House):
    """Status without a period names the next step."""
    shutil.rmtree(house.workspace.rewards)

    ended = tribute("period", "status", "-w", house.root)

    assert "no period yet; `tribute period open PERIOD` opens the first" in ended.out


def test_time_makes_money_payable(closed: House):
    """Release posts what is due by the day, and nothing twice; a dry run posts nothing."""
    foretold = said(closed, "period", "release", "--date", "2026-12-31", "--dry-run")
    early = said(closed, "period", "release", "--date", "2026-12-30")
    due = said(closed, "period", "release", "--date", "2026-12-31")
    again = said(closed, "period", "release", "--date", "2026-12-31")

    assert {row["event_type"] for row in due["postings"]} == {"PAYABLE"}
    assert (early["postings"], foretold, again["postings"]) == ([], due, [])


@pytest.mark.parametrize(
    "arguments",
    [
        ("period", "open", "2026-12"),
        ("period", "release", "--date", "2026-12-31"),
        ("period", "reverse", "2026-11-000002", "--why", "slip", "--date", "2026-12-04"),
    ],
)
def test_a_dry_run_posts_nothing(closed: House, arguments: tuple[str, ...]):
    """What it would do stands in what it says."""
    before = tree(closed.workspace.rewards)

    ended = tribute(*arguments, "--dry-run", "-w", closed.root)

    assert ended.code == 0, ended.err
    assert "would be" in ended.out.lower()
    assert tree(closed.workspace.rewards) == before


def test_who_closed_may_ask_again(closed: House):
    """Whose close was killed after its commit learns that it is closed; nobody else, and no other key, does."""
    before = tree(closed.workspace.rewards)

    again = tribute(*closing(closed, "ben"), "-w", closed.root)
    dry = tribute(*closing(closed, "anna", "--dry-run"), "-w", closed.root)

    assert (again.code, dry.code) == (0, 0)
    for ended in (again, dry):
        assert ended.out.startswith("2026-11 is closed already, signed by anna and ben\n")
    assert tree(closed.workspace.rewards) == before
    assert "2026-11 is closed already; a closed period never changes" in refused(closed, *closing(closed, "rita"))


def test_a_key_that_is_not_in_the_policy(house: House):
    """Somebody who may not close is told who may."""
    assert "rita is not among the closers of the policy (anna, ben)" in refused(house, *closing(house, "rita"))


def test_a_key_file_that_is_none(house: House):
    """The file is named, and nothing is signed."""
    arguments = [*closing(house, "anna")]
    arguments[arguments.index("--key") + 1] = house.root / "keys" / "nobody"

    assert str(house.root / "keys" / "nobody") in refused(house, *arguments)


def test_a_real_run_is_closed(spare: Path, tiny: Path, tmp_path: Path):
    """Keys, policy, draft, two closers: then everybody's statement is of a closed period, and all of it verifies."""
    policy = tmp_path / "policy.yaml"
    text = (tiny / "policy.yaml").read_text(encoding="utf-8").replace("v1.0.0", "v9.0.0")
    policy.write_text(text + "effective_from: 2020-01-01\nclosers: [anna, ben]\n", encoding="utf-8")
    keys = {name: tmp_path / name for name in ("anna", "ben")}
    period, home = next((spare / "rewards").glob("2*")).name, ("-w", spare)

    steps = [
        ("period", "clock", "--simulate", "2026-12-01"),
        *(("key", "new", name, "--out", key) for name, key in keys.items()),
        ("policy", "publish", policy, "--key", keys["anna"], "--as", "anna"),
        ("reward", tiny / "config.yaml", "--set", f"rewards.policy={policy}"),
        *(
            ("period", "close", period, "--key", key, "--as", name, "--date", "2026-12-01")
            for name, key in keys.items()
        ),
        ("verify", "period", period),
    ]
    ended = [tribute(*step, *home) for step in steps]

    assert [one.err for one in ended if one.code] == []
    assert ended[6].out == f"{period} is closed, signed by anna and ben\n"
    document = json.loads(next((spare / "statements" / period).glob("*.json")).read_text(encoding="utf-8"))
    assert document["closed"]
