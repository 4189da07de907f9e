"""Theorem: an order that cannot be is refused in one line and posts nothing, and what was said cannot be changed."""

import json
import shutil

import pytest

from tests.helpers.terminal import tree
from tests.rewards.helpers.disputing import DAY, decided, opened, say
from tests.rewards.helpers.people import House
from tribute.digests import canonical_digest
from tribute.errors import IntegrityError, RewardError
from tribute.keys import make_key, public_half, sign
from tribute.rewards.disputes import resolution
from tribute.rewards.disputes.dispute import FILE, Step, read_dispute, signed_part


@pytest.fixture
def house(november: House, tmp_path) -> House:
    """A copy that a test may dispute in."""
    return House(shutil.copytree(november.root, tmp_path / "workspace"), november.world)


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
        lambda: resolution.open_dispute(house.workspace, period, name, Step("rita", "why", day), currency),
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

    refused(house, lambda: resolution.decide(house.workspace, id_, 0, house.key(key), Step(by, "no", DAY)), message)


def test_a_party_cannot_decide(house: House):
    """A reviewer who opened the dispute is no judge of it."""
    resolution.open_dispute(house.workspace, "2026-11", "numpy", Step("rita", "for numpy", DAY))

    refused(house, lambda: decided(house, "2026-11-numpy-1", 0, ("rita",)), "rita is a party to 2026-11-numpy-1")


def test_a_rehearsal_says_what_would_be_and_does_nothing(house: House):
    """Opening and deciding are checked to the end, and every byte stays as it was."""
    before = tree(house.root / "rewards")
    step = Step("numpy", "why", DAY, dry_run=True)
    rehearsed = resolution.open_dispute(house.workspace, "2026-11", "numpy", step)
    assert tree(house.root / "rewards") == before

    opened(house)
    say(house, "2026-11-numpy-1", 500, "rita", "yes", DAY)
    between = tree(house.root / "rewards")
    would = say(house, "2026-11-numpy-1", 500, "ron", "yes", DAY, dry_run=True)

    assert rehearsed.holds == read_dispute(house.workspace, "2026-11-numpy-1").holds
    assert (would.state, len(would.outcomes[-1]["entries"])) == ("decided", 2)
    assert read_dispute(house.workspace, "2026-11-numpy-1").state == "open"
    assert tree(house.root / "rewards") == between


@pytest.mark.parametrize("place", [0, 1])
def test_a_changed_event_is_found(house: House, place: int):
    """Events are chained, and decisions signed: neither can be changed afterwards."""
    opened(house)
    say(house, "2026-11-numpy-1", 0, "rita", "no", DAY)
    path = house.workspace.disputes / "2026-11-numpy-1" / FILE
    events = json.loads(path.read_text())
    events[place]["why"] = "something else"
    path.write_text(json.dumps(events))

    with pytest.raises(IntegrityError, match=f"event {place + 1} was changed"):
        read_dispute(house.workspace, "2026-11-numpy-1")


def forge(house: House, dispute, key, **content) -> None:
    """Append a decision of nobody, signed by `key`, in a chain that fits."""
    said = {"event": "decide", "at": DAY, "why": "agreed", "head": dispute.head, "prev": dispute.events[-1]["hash"]}
    said |= {"amount_minor": "500", "key": public_half(key), **content}
    said["signature"] = sign(key, signed_part(dispute.id, said))
    said["hash"] = canonical_digest(said)
    path = house.workspace.disputes / dispute.id / FILE
    path.write_text(json.dumps([*dispute.events, said]))


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("ron", "a decision of ron is signed with a key that ron never had"),
        ("anna", "anna is not among the policy's reviewers"),
        ("numpy", "numpy is not among the policy's reviewers"),
    ],
)
def test_a_forged_decision_settles_nothing(house: House, tmp_path, by: str, message: str):
    """A decision counts only by a reviewer, with a key that the registry has of them; a chain is no proof."""
    forge(house, opened(house), make_key(tmp_path / "fresh"), by=by)
    before = tree(house.root / "rewards")

    with pytest.raises((RewardError, IntegrityError), match=message):
        decided(house, "2026-11-numpy-1", 500, ("rita",))

    assert tree(house.root / "rewards") == before
    assert read_dispute(house.workspace, "2026-11-numpy-1").state == "open"


def test_one_reviewer_said_twice_is_one(house: House):
    """Who copies an own decision into the file has decided once."""
    opened(house)
    said = decided(house, "2026-11-numpy-1", 500, ("rita",))
    forge(house, said, house.key("rita"), by="rita")

    with pytest.raises(RewardError, match="another of the policy's reviewers has to say the same"):
        decided(house, "2026-11-numpy-1", 500, ("rita",))


@pytest.mark.parametrize("name", ["by", "why"])
def test_a_signature_covers_who_and_why(house: House, name: str):
    """A decision cannot be given to another reviewer, nor its reason changed, in a chain that fits."""
    opened(house)
    said = decided(house, "2026-11-numpy-1", 500, ("rita",))
    event = {key: value for key, value in said.events[-1].items() if key != "hash"} | {name: "ron"}
    path = house.workspace.disputes / said.id / FILE
    path.write_text(json.dumps([*said.events[:-1], event | {"hash": canonical_digest(event)}]))

    with pytest.raises(IntegrityError, match="event 2"):
        read_dispute(house.workspace, said.id)


@pytest.mark.parametrize(
    ("day", "message"),
    [("2026-11-30", "lies before 2026-12-05"), ("2999-01-01", "has not come yet"), ("2027-01-01", "open period")],
)
def test_a_day_that_does_not_fit_is_not_recorded(house: House, day: str, message: str):
    """A decision on an earlier day than what it decides, or one that cannot be posted, leaves nothing behind."""
    opened(house)
    before = decided(house, "2026-11-numpy-1", 200, ("rita",))

    with pytest.raises(RewardError, match=message):
        decided(house, before.id, 200, ("ron",), day)
    assert read_dispute(house.workspace, before.id) == before
