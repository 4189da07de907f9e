"""Theorem: an order that cannot be is refused in one line and posts nothing, and what was said cannot be changed."""

import json
import shutil

import pytest

from tests.rewards.disputing import DAY, decided, opened
from tests.rewards.people import House, make_house
from tests.terminal import tree
from tribute.errors import IntegrityError, RewardError
from tribute.rewards import resolution
from tribute.rewards.disputes import FILE, read_dispute


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> House:
    """November 2026 is closed; read only."""
    house = make_house(tmp_path_factory.mktemp("house") / "workspace")
    house.close("2026-11")
    return house


@pytest.fixture
def house(closed: House, tmp_path) -> House:
    """A copy that a test may dispute in."""
    return House(shutil.copytree(closed.root, tmp_path / "workspace"), closed.world)


def refused(house: House, attempt, message: str) -> None:
    """Asserts one line, and that neither the ledger nor a dispute has changed."""
    before = tree(house.root / "rewards") | tree(house.workspace.disputes)

    with pytest.raises(RewardError, match=message) as error:
        attempt()

    assert "\n" not in str(error.value)
    assert tree(house.root / "rewards") | tree(house.workspace.disputes) == before


@pytest.mark.parametrize(
    ("period", "name", "currency", "day", "message"),
    [
        ("2026-11", "numpy", "", "2027-01-05", "2026-11 could be disputed until 2026-12-30, found 2027-01-05"),
        ("2026-11", "numpy", "", "5.12.2026", "'5.12.2026'"),
        ("2026-11", "nobody", "", DAY, "nobody has no line in 2026-11/allocation.csv"),
        ("2026-12", "numpy", "", DAY, "2026-12 is not closed"),
        ("2026-10", "numpy", "", DAY, "2026-10 is not closed"),
        ("2026-11", "numpy", "JPY", DAY, "is in EUR"),
    ],
)
def test_what_cannot_be_disputed(house: House, period: str, name: str, currency: str, day: str, message: str):
    """Too late, somebody unknown, another period's statement, another currency: one line, nothing posted."""
    refused(
        house,
        lambda: resolution.open_dispute(house.workspace, period, name, "numpy", "why", day, currency),
        message,
    )


def test_a_second_dispute_waits_for_the_first(house: House):
    """While one is open, what there is to say belongs to it."""
    opened(house)

    refused(house, lambda: opened(house), "2026-11-numpy-1 is open already")


@pytest.mark.parametrize(
    ("id_", "by", "key", "message"),
    [
        ("2026-11-numpy-1", "anna", "anna", "anna is not among the policy's reviewers"),
        ("2026-11-numpy-1", "ron", "rita", "the key given is not the latest of ron"),
        ("2026-11-numpy-7", "rita", "rita", "there is no dispute 2026-11-numpy-7"),
        ("2026-12-numpy-1", "rita", "rita", "there is no dispute 2026-12-numpy-1"),
        ("../../keys", "rita", "rita", "there is no dispute"),
    ],
)
def test_who_cannot_decide(house: House, id_: str, by: str, key: str, message: str):
    """Not a reviewer, not one's own key, no such dispute: one line, nothing posted."""
    opened(house)

    refused(house, lambda: resolution.decide(house.workspace, id_, 0, by, house.key(key), "no", DAY), message)


def test_a_party_cannot_decide(house: House):
    """A reviewer who opened the dispute is no judge of it."""
    resolution.open_dispute(house.workspace, "2026-11", "numpy", "rita", "for numpy", DAY, "")

    refused(house, lambda: decided(house, "2026-11-numpy-1", 0, ("rita",)), "rita is a party to 2026-11-numpy-1")


def test_a_rehearsal_says_what_would_be_and_does_nothing(house: House):
    """Opening and deciding are checked to the end, and every byte stays as it was."""
    before = tree(house.root / "rewards")
    arguments = (house.workspace, "2026-11", "numpy", "numpy", "why", DAY, "")
    rehearsed = resolution.open_dispute(*arguments, rehearse=True)
    assert tree(house.root / "rewards") == before

    opened(house)
    resolution.decide(house.workspace, "2026-11-numpy-1", 500, "rita", house.key("rita"), "yes", DAY)
    between = tree(house.root / "rewards")
    would = resolution.decide(
        house.workspace, "2026-11-numpy-1", 500, "ron", house.key("ron"), "yes", DAY, rehearse=True
    )

    assert rehearsed.holds == read_dispute(house.workspace, "2026-11-numpy-1").holds
    assert (would.state, len(would.outcomes[-1]["entries"])) == ("decided", 2)
    assert read_dispute(house.workspace, "2026-11-numpy-1").state == "open"
    assert tree(house.root / "rewards") == between


@pytest.mark.parametrize("place", [0, 1])
def test_a_changed_event_is_found(house: House, place: int):
    """Events are chained, and decisions signed: neither can be changed afterwards."""
    opened(house)
    resolution.decide(house.workspace, "2026-11-numpy-1", 0, "rita", house.key("rita"), "no", DAY)
    path = house.workspace.disputes / "2026-11-numpy-1" / FILE
    events = json.loads(path.read_text())
    events[place]["why"] = "something else"
    path.write_text(json.dumps(events))

    with pytest.raises(IntegrityError, match=f"event {place + 1} was changed"):
        read_dispute(house.workspace, "2026-11-numpy-1")
