"""Theorem: money in dispute is held until two reviewers agree, and what they decide is posted in the open period."""

import shutil

import pytest

from tests.rewards.helpers.disputing import DAY, decided, opened, say, stages
from tests.rewards.helpers.people import House
from tribute.artifacts import verify_artifact
from tribute.errors import RewardError
from tribute.rewards.disputes import resolution
from tribute.rewards.disputes.dispute import Step, read_dispute
from tribute.rewards.ledger import accounts, ledger
from tribute.rewards.period.folder import PeriodFolder


@pytest.fixture
def house(november: House, tmp_path) -> House:
    """A copy that a test may dispute in."""
    return House(shutil.copytree(november.root, tmp_path / "workspace"), november.world)


def test_opening_holds_what_is_accrued(house: House):
    """Everything accrued for the period is held, and nothing else of anybody moves."""
    before, other = stages(house, "numpy"), stages(house, "scipy")

    dispute = opened(house)

    after = stages(house, "numpy")
    assert dispute.state == "open"
    assert len(dispute.holds) == 1
    assert before["accrued"] > 0
    assert (after["accrued"], after["held"]) == (0, before["accrued"] + before["held"])
    assert stages(house, "scipy") == other


def test_held_money_does_not_become_payable(house: House):
    """While it is open, the end of the window and of the holdback releases only what is not in dispute."""
    opened(house)

    house.close("2026-12")
    december = stages(house, "numpy")["payable"], stages(house, "scipy")["payable"]
    house.close("2027-01")

    released = [row.contributor_id for row in ledger.load(house.workspace).postings if row.event == "RELEASE"]
    assert december[0] == 0 < december[1]
    assert "numpy" not in released
    assert "scipy" in released


@pytest.mark.parametrize("amount", [0, 1250, -700])
def test_two_reviewers_settle_it(house: House, amount: int):
    """The money goes back and the difference is corrected from or to the reserve, to the cent."""
    before, reserve = stages(house, "numpy"), house.balance(accounts.RESERVE)
    opened(house)

    dispute = decided(house, "2026-11-numpy-1", amount)

    after = stages(house, "numpy")
    assert dispute.state == "decided"
    assert dispute.outcomes[-1]["reviewers"] == ["rita", "ron"]
    assert sum(after.values()) == sum(before.values()) + amount
    assert house.balance(accounts.RESERVE) == reserve - amount
    assert after["held"] <= before["held"]
    assert after["payable"] == before["payable"]


def test_what_was_decided_is_in_the_open_period(house: House):
    """All of a dispute's entries are in December, refer to November's, and November stays as it was sealed."""
    sealed = verify_artifact(house.root / "rewards" / "2026-11").id
    opened(house)
    dispute = decided(house, "2026-11-numpy-1", 1250)

    books = ledger.load(house.workspace)
    entries = [books.entry(entry) for entry in (*dispute.holds, *dispute.outcomes[-1]["entries"])]
    assert {rows[0].event for rows in entries} == {"HOLD", "RELEASE", "ADJUST"}
    assert {rows[0].period for rows in entries} == {"2026-12"}
    assert all(rows[0].ref for rows in entries)
    assert verify_artifact(house.root / "rewards" / "2026-11").id == sealed


def test_one_reviewer_settles_nothing(house: House):
    """One opinion, said twice, is one, and saying so changes nothing."""
    opened(house)
    held = stages(house, "numpy")
    said = decided(house, "2026-11-numpy-1", 0, reviewers=("rita",))

    with pytest.raises(RewardError, match="rita decided 2026-11-numpy-1 already; another"):
        decided(house, "2026-11-numpy-1", 0, reviewers=("rita",))

    assert said.state == "open"
    assert read_dispute(house.workspace, "2026-11-numpy-1") == said
    assert stages(house, "numpy") == held


def test_reviewers_who_disagree_need_a_third(house: House):
    """Two different amounts settle nothing; the third opinion decides."""
    opened(house)
    say(house, "2026-11-numpy-1", 0, "rita", "no", DAY)
    split = say(house, "2026-11-numpy-1", 500, "ron", "yes", DAY)

    third = say(house, "2026-11-numpy-1", 500, "ruth", "yes", DAY)

    assert split.state == "open"
    assert third.outcomes[-1]["reviewers"] == ["ron", "ruth"]


def test_reviewers_who_differ_may_revise(house: House):
    """The latest word of a reviewer counts and settles it; the chain keeps the earlier one, signed."""
    opened(house)
    say(house, "2026-11-numpy-1", 1250, "rita", "yes", DAY)
    split = say(house, "2026-11-numpy-1", 1000, "ron", "less", DAY)

    settled = say(house, "2026-11-numpy-1", 1000, "rita", "ron is right", DAY)

    decisions = [(one["by"], one["amount_minor"]) for one in settled.events if one["event"] == "decide"]
    assert (split.state, settled.state) == ("open", "decided")
    assert decisions == [("rita", "1250"), ("ron", "1000"), ("rita", "1000")]
    assert settled.outcomes[-1] | {"reviewers": ["rita", "ron"], "amount_minor": "1000"} == settled.outcomes[-1]
    assert read_dispute(house.workspace, settled.id) == settled
    with pytest.raises(RewardError, match="is decided"):
        say(house, "2026-11-numpy-1", 1250, "rita", "no, more", DAY)


def test_who_revises_and_still_differs_settles_nothing(house: House):
    """Two who exchange their words differ as before; going back and forth is no agreement with oneself."""
    opened(house)
    for name, amount in (("rita", 500), ("ron", 0), ("rita", 0 + 700), ("ron", 500), ("rita", 0)):
        dispute = say(house, "2026-11-numpy-1", amount, name, "so", DAY)

    assert dispute.state == "open"
    assert {one["by"]: one["amount_minor"] for one in dispute.opinions} == {"rita": "0", "ron": "500"}


def test_new_evidence_asks_reviewers_again(house: House, tmp_path):
    """What a reviewer said before a file came in does not count; the file is kept by its hash."""
    opened(house)
    say(house, "2026-11-numpy-1", 0, "rita", "no", DAY)
    file = tmp_path / "letter.txt"
    file.write_text("see row 12")

    dispute = resolution.add_evidence(house.workspace, "2026-11-numpy-1", file, Step("numpy", "a letter", DAY))
    say(house, "2026-11-numpy-1", 0, "ron", "no", DAY)

    kept = house.workspace.disputes / dispute.id / dispute.events[-1]["sha256"]
    assert kept.read_text() == "see row 12"
    assert read_dispute(house.workspace, dispute.id).state == "open"


def test_an_appeal_needs_two_others(house: House):
    """Who decided may not decide again; the money is held meanwhile, and a second appeal is refused."""
    opened(house)
    decided(house, "2026-11-numpy-1", 0)
    before = stages(house, "numpy")

    resolution.appeal(house.workspace, "2026-11-numpy-1", Step("numpy", "look again", DAY))

    assert stages(house, "numpy")["accrued"] == 0
    with pytest.raises(RewardError, match="two others have to decide"):
        decided(house, "2026-11-numpy-1", 0, reviewers=("rita",))
    dispute = decided(house, "2026-11-numpy-1", 300, reviewers=("ruth", "rolf"))
    assert dispute.state == "final"
    assert sum(stages(house, "numpy").values()) == sum(before.values()) + 300
    with pytest.raises(RewardError, match="is final"):
        resolution.appeal(house.workspace, "2026-11-numpy-1", Step("numpy", "once more", DAY))


def test_a_false_dispute_returns_exactly_what_it_held(house: House):
    """Lost, appealed and lost again: its author has what there was before, and nobody else's money ever moved."""
    names = sorted({row.contributor_id for row in PeriodFolder(house.workspace.rewards / "2026-11").allocation})
    before, reserve = {name: stages(house, name) for name in names}, house.balance(accounts.RESERVE)

    opened(house)
    meanwhile = {name: stages(house, name) for name in names}
    decided(house, "2026-11-numpy-1", 0)
    resolution.appeal(house.workspace, "2026-11-numpy-1", Step("numpy", "look again", DAY))
    decided(house, "2026-11-numpy-1", 0, reviewers=("ruth", "rolf"))

    assert {name: stages(house, name) for name in names} == before
    assert house.balance(accounts.RESERVE) == reserve
    assert [name for name in names if meanwhile[name] != before[name]] == ["numpy"]


def test_who_got_nothing_can_dispute_too(house: House):
    """There is nothing to hold, and a correction refers to what funded the period."""
    dispute = opened(house, "copycat")

    settled = decided(house, dispute.id, 1000)

    assert dispute.holds == []
    assert stages(house, "copycat")["accrued"] == 1000
    assert settled.state == "decided"


def test_a_crash_between_posting_and_recording_is_finished_by_running_again(house: House, monkeypatch):
    """Money is moved once, however often the command is run."""
    with monkeypatch.context() as patch:
        patch.setattr(resolution, "record", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            opened(house)
    once = stages(house, "numpy")

    dispute = opened(house)

    assert stages(house, "numpy") == once
    assert len(dispute.holds) == 1


def interrupted(house: House, monkeypatch, amount: int) -> dict[str, int]:
    """Both reviewers agree, the money moves, and a crash loses the outcome; what numpy has on each account then."""
    opened(house)
    record = resolution.record
    with monkeypatch.context() as patch:
        patch.setattr(resolution, "record", lambda *a, **k: 1 / 0 if a[2] == "outcome" else record(*a, **k))
        with pytest.raises(ZeroDivisionError):
            decided(house, "2026-11-numpy-1", amount)
    return stages(house, "numpy")


@pytest.mark.parametrize("amount", [-700, 0, 1250])
def test_a_crash_while_settling_is_finished_by_running_again(house: House, monkeypatch, amount: int):
    """The second reviewer's command, run again, records what was posted and posts nothing more."""
    before = {row.entry_id for row in ledger.load(house.workspace).postings}
    once = interrupted(house, monkeypatch, amount)

    dispute = decided(house, "2026-11-numpy-1", amount, reviewers=("ron",))

    posted = {row.entry_id for row in ledger.load(house.workspace).postings} - before
    assert dispute.state == "decided"
    assert stages(house, "numpy") == once
    assert {*dispute.holds, *dispute.outcomes[-1]["entries"]} == posted


@pytest.mark.parametrize("step", ["decide", "evidence", "recheck"])
def test_what_was_settled_and_not_recorded_is_finished_first(house: House, monkeypatch, tmp_path, step: str):
    """After a crash neither another amount nor anything new comes between the money and its outcome."""
    once = interrupted(house, monkeypatch, 1250)
    (tmp_path / "letter.txt").write_text("see row 12")
    steps = {
        "decide": lambda: decided(house, "2026-11-numpy-1", 500, reviewers=("ruth",)),
        "evidence": lambda: resolution.add_evidence(
            house.workspace, "2026-11-numpy-1", tmp_path / "letter.txt", Step("numpy", "a letter", DAY)
        ),
        "recheck": lambda: resolution.add_recheck(house.workspace, "2026-11-numpy-1", {}, DAY),
    }

    with pytest.raises(RewardError, match=r"was settled by 12\.50 EUR and then interrupted"):
        steps[step]()

    assert stages(house, "numpy") == once
