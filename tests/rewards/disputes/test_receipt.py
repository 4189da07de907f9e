"""Theorem: who may dispute is known, and a day of receipt before the posting takes a second person's signature."""

import json
import shutil

import pytest

from tests.helpers.terminal import tribute
from tests.rewards.helpers.people import House
from tests.rewards.ledger.test_ledger import reserve
from tribute.contributions.registry.registry import Registry
from tribute.contributions.rights import keys_and_members
from tribute.digests import canonical_digest
from tribute.errors import IntegrityError, RewardError
from tribute.rewards.disputes import resolution
from tribute.rewards.disputes.dispute import FILE, Step, read_dispute
from tribute.rewards.disputes.resolution import Receipt
from tribute.rewards.ledger import ledger

LATE = "2027-01-13"


@pytest.fixture
def house(november: House, tmp_path) -> House:
    """A copy in which December is closed, so that November's window, until 30 December, is over."""
    house = House(shutil.copytree(november.root, tmp_path / "workspace"), november.world)
    house.close("2026-12")
    ledger.post(house.workspace, [reserve(1, day=LATE)])
    return house


def late(house: House, received: str, witness: str = "sam", key: str = "", by: str = "numpy", name: str = "numpy"):
    """November's statement disputed in January, with a receipt from earlier."""
    receipt = Receipt(received, witness, house.key(key or witness))
    return resolution.open_dispute(house.workspace, "2026-11", name, Step(by, "as I wrote", LATE), receipt=receipt)


def test_what_came_in_in_time_can_be_opened_late(house: House):
    """The day of receipt decides on the window; the posting is of the day on which it is made."""
    dispute = late(house, "2026-12-29")

    opening = read_dispute(house.workspace, dispute.id).events[0]
    assert (opening["at"], opening["received"], opening["witness"]) == (LATE, "2026-12-29", "sam")


def test_a_dispute_of_the_day_has_that_day_of_receipt(november: House, tmp_path):
    """Without a receipt both days are the same, and nobody has to vouch."""
    house = House(shutil.copytree(november.root, tmp_path / "workspace"), november.world)

    dispute = resolution.open_dispute(house.workspace, "2026-11", "numpy", Step("numpy", "more", "2026-12-05"))

    assert dispute.events[0]["received"] == dispute.events[0]["at"] == "2026-12-05"
    assert "witness" not in dispute.events[0]


@pytest.mark.parametrize(
    ("received", "witness", "key", "by", "message"),
    [
        ("2026-12-31", "sam", "", "numpy", "2026-11 could be disputed until 2026-12-30, found 2026-12-31"),
        ("2027-01-14", "sam", "", "numpy", "could be disputed until 2026-12-30"),
        ("29.12.2026", "sam", "", "numpy", "is not a day"),
        ("2026-12-29", "numpy", "anna", "numpy", "numpy cannot vouch .* second person"),
        ("2026-12-29", "sam", "", "sam", "sam cannot vouch .* second person"),
        ("2026-12-29", "sam", "anna", "numpy", "the key given is not the latest of sam"),
        ("2026-12-29", "mallory", "anna", "numpy", "mallory cannot vouch"),
    ],
)
def test_a_receipt_that_cannot_be(house: House, received: str, witness: str, key: str, by: str, message: str):
    """Too late all the same, oneself as witness, somebody else's key, a stranger."""
    with pytest.raises(RewardError, match=message):
        late(house, received, witness, key, by)
    assert not list(house.workspace.disputes.glob("*"))


@pytest.mark.parametrize("name", ["received", "witness"])
def test_a_receipt_cannot_be_changed_afterwards(house: House, name: str):
    """Not even in a chain that fits: the witness signed day and dispute."""
    dispute = late(house, "2026-12-29")
    event = {key: value for key, value in dispute.events[0].items() if key != "hash"}
    event[name] = {"received": "2026-12-20", "witness": "anna"}[name]
    path = house.workspace.disputes / dispute.id / FILE
    path.write_text(json.dumps([event | {"hash": canonical_digest(event)}]))

    with pytest.raises(IntegrityError, match="event 1"):
        read_dispute(house.workspace, dispute.id)


def test_a_stranger_may_not_dispute(november: House, tmp_path):
    """Only the contributor, their organisation or a steward of the policy may, and an appeal is no way round."""
    house = House(shutil.copytree(november.root, tmp_path / "workspace"), november.world)
    registry = Registry.open(house.workspace)
    keys_and_members.set_members(registry, "guild", ["numpy"])
    for speaker in ("guild", "sam", "numpy"):
        step = Step(speaker, "more", "2026-12-05", dry_run=True)
        assert resolution.open_dispute(house.workspace, "2026-11", "numpy", step).opened_by == speaker

    for stranger in ("mallory", "scipy", "anna"):
        with pytest.raises(RewardError, match=f"{stranger} may not dispute for numpy; .*: numpy, guild, rita, sam"):
            resolution.open_dispute(house.workspace, "2026-11", "numpy", Step(stranger, "more", "2026-12-05"))


def test_the_command_asks_for_the_second_person(house: House):
    """`--received` without witness and key says what is missing; with them it opens."""
    words = ("dispute", "open", "2026-11-numpy", "--by", "numpy", "--why", "as I wrote", "--date", LATE)
    words = (*words, "--received", "2026-12-29", "-w", house.root)

    asked = tribute(*words)
    ended = tribute(*words, "--witness", "sam", "--witness-key", house.root / "keys" / "sam", "--json")

    assert "--received 2026-12-29 takes a second person: give --witness ID --witness-key FILE" in asked.err
    assert ended.data["events"][0]["received"] == "2026-12-29"
