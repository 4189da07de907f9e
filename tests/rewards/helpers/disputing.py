"""Disputes about November of the world that closes; the day is within the policy's window."""

from tests.rewards.helpers.people import House
from tribute.rewards.disputes import resolution
from tribute.rewards.disputes.dispute import Dispute, Step
from tribute.rewards.ledger import accounts

DAY = "2026-12-05"


def stages(house: House, name: str) -> dict[str, int]:
    """What a contributor has on each account."""
    return {one: house.balance(getattr(accounts, one)(name)) for one in ("accrued", "held", "payable", "claim")}


def opened(house: House, name: str = "numpy", day: str = DAY) -> Dispute:
    """A dispute about somebody's November."""
    return resolution.open_dispute(house.workspace, "2026-11", name, Step(name, "my rows count for more", day))


def say(house: House, id_: str, amount: int, name: str, why: str = "no", day: str = DAY, **more: bool) -> Dispute:
    """One reviewer's decision."""
    return resolution.decide(house.workspace, id_, amount, house.key(name), Step(name, why, day, **more))


def decided(house: House, id_: str, amount: int, reviewers=("rita", "ron"), day: str = DAY) -> Dispute:
    """Both reviewers say the same."""
    for name in reviewers:
        last = say(house, id_, amount, name, "looked at", day)
    return last
