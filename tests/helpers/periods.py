"""Commands on a workspace in which periods close, as its people give them."""

from tests.helpers.terminal import tree, tribute
from tests.rewards.helpers.people import House
from tribute.rewards.ledger import ledger


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
    cause = (accrual(house), "--contributor", "numpy", "--why", "the evaluation was wrong")
    return ("period", verb, *cause, f"--amount={amount}", "--date", "2026-12-03", *more)


def accrual(house: House) -> str:
    return ledger.load(house.workspace).find("2026-11/ACCRUE/evaluation/EUR/numpy")[0].entry_id
