"""Theorem: a period closes once, by two people with two keys over the same bytes, all of it or nothing of it."""

import json
import shutil

import pytest

from tests.helpers.terminal import tree
from tests.rewards.helpers.people import House, make_house
from tribute.artifacts import file_digests, read_artifact
from tribute.contributions.registry.registry import Registry
from tribute.contributions.rights import keys_and_members
from tribute.digests import file_sha256
from tribute.errors import IntegrityError, RewardError
from tribute.keys import make_key
from tribute.rewards import close as closing
from tribute.rewards.ledger import accounts, corrections, journal, ledger, recovery
from tribute.rewards.ledger.entries import move
from tribute.rewards.verification.verify import verify_period

DAY = "2026-12-01"


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The draft of November lies there; read only."""
    house = make_house(tmp_path_factory.mktemp("house") / "workspace")
    house.pay("2026-11")
    return house


@pytest.fixture
def house(drafted: House, tmp_path) -> House:
    return House(shutil.copytree(drafted.root, tmp_path / "workspace"), drafted.world)


def close(house, name, period="2026-11", day=DAY, **options):
    return closing.close(house.workspace, period, name, house.key(name), day, **options)


def rewards(house):
    return tree(house.workspace.rewards)


def refused(house, said, name="anna", key=None, error=RewardError, **options):
    """The close is refused in one line, and not a byte of rewards/ changes."""
    before = rewards(house)
    with pytest.raises(error, match=said) as raised:
        closing.close(house.workspace, "2026-11", name, key or house.key(name), **({"day": DAY} | options))
    assert "\n" not in str(raised.value)
    assert rewards(house) == before


def test_four_eyes_close_a_period(house):
    """The first closer posts nothing; the second seals exactly the draft that the first one signed."""
    draft = read_artifact(house.workspace.rewards / "2026-11")
    digests = file_digests(draft.path)

    first = close(house, "anna")
    between = ledger.load(house.workspace).postings
    second = close(house, "ben")

    folder, month = house.workspace.rewards / "2026-11", house.workspace.rewards / "journal" / "2026-11.csv"
    assert (first.closed, first.signers, between) == (False, ["anna"], [])
    assert (second.closed, second.signers, second.id) == (True, ["anna", "ben"], draft.id)
    assert file_digests(folder) == digests
    assert month.read_bytes() == (folder / "journal.csv").read_bytes()
    assert "it is closed, signed by anna and ben with the keys that the manifest names" in verify_period(folder)
    assert {path.stat().st_mode & 0o777 for path in (month, *folder.iterdir())} == {0o444}
    assert sorted(path.name for path in house.workspace.rewards.iterdir()) == [
        *(".approvals", "2026-11", "calendar.json", "journal")
    ]


def test_the_manifest_seals_the_month(house):
    """The month's sha256 stands in the closed manifest, and its last line is the ledger's head."""
    house.close("2026-11")
    house.pay("2026-12")

    first, second = (read_artifact(house.workspace.rewards / period) for period in ("2026-11", "2026-12"))
    month = file_sha256(house.workspace.rewards / "journal" / "2026-11.csv")
    assert first.identity["files"]["journal.csv"] == month
    assert second.identity["config"]["ledger"]["head"] == ledger.load(house.workspace).head
    assert second.identity["config"]["previous"] == first.id


def test_one_person_is_not_four_eyes(house):
    """The same closer twice approves, and no more."""
    once, again = close(house, "anna"), close(house, "anna")

    assert (again.closed, again.signers, again) == (False, ["anna"], once)


def test_two_names_with_one_key_are_not_four_eyes(tmp_path):
    """Whoever holds one key is one person, whatever the names."""
    house = make_house(tmp_path / "workspace")
    registry = Registry.open(house.workspace)
    keys_and_members.rotate_key(registry, "ben", house.key("ben"), house.key("anna"))
    house.pay("2026-11")
    close(house, "anna")

    refused(house, "ben signs with the key of anna; four eyes need two different keys", "ben", house.key("anna"))


def test_who_may_not_close(house, tmp_path):
    """Somebody who isn't in the policy, and a key that isn't a closer's, are refused."""
    refused(house, r"rita is not among the closers of the policy \(anna, ben\)", "rita")
    stranger = make_key(tmp_path / "stranger")
    refused(house, "the key given is not the latest of anna in the registry", key=stranger)


def test_a_period_that_is_not_over_cannot_be_closed(house):
    """The day of closing lies after the period; what is no day is refused too."""
    refused(house, "2026-11 is not over on 2026-11-30; close it after 2026-11-30", day="2026-11-30")
    refused(house, "'2026-12-01T00:00:00Z' is not a day", day="2026-12-01T00:00:00Z")


def test_what_was_changed_after_the_approval_needs_it_again(house):
    """A draft that was made again with another fee voids the first signature."""
    close(house, "anna")
    house.pay("2026-11", "1000.01")

    later = close(house, "ben")

    assert (later.closed, later.signers) == (False, ["ben"])
    assert close(house, "anna").closed


def test_a_draft_that_was_tampered_with_is_refused(house):
    """Closing verifies all of it first, so a changed byte closes nothing."""
    path = house.workspace.rewards / "2026-11" / "balances.csv"
    path.write_bytes(path.read_bytes().replace(b"EUR,0,", b"EUR,1,", 1))

    refused(house, r"balances\.csv: sha256", error=IntegrityError)


def test_a_draft_that_the_ledger_left_behind_is_refused(house):
    """What is posted between draft and close makes the draft stale, and it says so."""
    about = {"posted_at": "2026-11-05", "currency": "EUR", "idempotency_key": "k", "reason_code": "gift"}
    ledger.post(house.workspace, [move("RESERVE", 500, accounts.EXPENSE, accounts.RESERVE, **about)])

    refused(house, "the ledger has moved on since .*2026-11 was made; make it again with `tribute reward CONFIG`")
    house.pay("2026-11")
    close(house, "anna")
    close(house, "ben")

    month = house.workspace.rewards / "journal" / "2026-11.csv"
    assert month.read_bytes() == (house.workspace.rewards / "2026-11" / "journal.csv").read_bytes()
    assert journal.faults(ledger.load(house.workspace).postings) == []


def test_an_earlier_month_that_was_tampered_with_closes_nothing(house):
    """The chain is walked from its first line before another month is added to it."""
    house.close("2026-11")
    house.pay("2026-12")
    month = house.workspace.rewards / "journal" / "2026-11.csv"
    month.chmod(0o644)
    month.write_bytes(month.read_bytes().replace(b"period_funded", b"period-funded"))

    with pytest.raises(IntegrityError, match=r"journal/2026-11\.csv: not the month that 2026-11 was closed with"):
        close(house, "anna", "2026-12", "2027-01-01")


def test_a_period_without_a_draft_cannot_be_closed(house):
    """There is something to close first."""
    shutil.rmtree(house.workspace.rewards / "2026-11")

    refused(house, "2026-11 has no draft yet; make one with `tribute reward CONFIG`")


def test_a_closed_period_never_changes(house):
    """It cannot be closed, paid or posted in again; the same order finds it, and corrections leave its bytes."""
    house.close("2026-11")
    before = tree(house.workspace.rewards / "2026-11")
    books = ledger.load(house.workspace)
    ref = books.find("2026-11/ACCRUE/evaluation/EUR/numpy")[0].entry_id
    cause = corrections.Cause("numpy", "EUR", ref, "slip", "2026-12-03")

    refused(house, "2026-11 is closed already; a closed period never changes", key=house.key("ben"))
    with pytest.raises(RewardError, match="2026-11 is closed and never changes; pay the next period, or correct it"):
        house.pay("2026-11", "7.00")
    found = house.pay("2026-11")
    ledger.post(house.workspace, corrections.adjusted(books, cause, 5))

    assert found.found
    assert tree(house.workspace.rewards / "2026-11") == before


def test_a_closed_period_is_found_by_all_that_it_was_made_from(tmp_path):
    """Fees in any order find it; without the adapters, or with usage that it was not made from, it is refused."""
    house = make_house(tmp_path / "workspace")
    fees = [("1000.00", "EUR"), ("3", "JPY")]
    house.pay("2026-11", fees=fees[::-1])
    for name in ("anna", "ben"):
        close(house, name)
    usage = tmp_path / "usage.csv"
    usage.write_text("query,user,amount\nplotting,u,9\n", encoding="utf-8")

    found = [house.pay("2026-11", fees=order).found for order in (fees, fees[::-1])]

    assert found == [True, True]
    for change in ({"adapters": []}, {"usage": usage}):
        with pytest.raises(RewardError, match="2026-11 is closed and never changes"):
            house.pay("2026-11", fees=fees, **change)


def test_periods_close_in_order(house):
    """A gap and an overlap are refused; the next month is next."""
    house.close("2026-11")

    for period in ("2027-01", "2026-10"):
        with pytest.raises(RewardError, match=f"{period} cannot be paid now: the open period is 2026-12"):
            house.pay(period)
    house.close("2026-12")

    assert ledger.load(house.workspace).closed == ["2026-11", "2026-12"]


def test_a_draft_of_another_month_does_not_close(house):
    """The first period may be any; once one is closed, a draft that does not follow it is refused by its month."""
    house.pay("2027-03")
    close(house, "anna")
    close(house, "ben")

    with pytest.raises(RewardError, match="2027-03 cannot be paid now: the open period is 2026-12, which follows"):
        close(house, "anna", "2027-03", "2027-04-01")


def policy_of(house, text):
    house.policy.write_text(text, encoding="utf-8")
    return house.pay("2026-11")


def test_a_key_that_was_replaced_since_the_draft(house):
    """The manifest names the keys that may close; after a rotation the draft is made again."""
    new = make_key(house.root / "keys" / "anna2")
    keys_and_members.rotate_key(Registry.open(house.workspace), "anna", house.key("anna"), new)

    refused(house, "the closers' keys have changed since .* was made; make it again", key=new)
    house.pay("2026-11")

    assert closing.close(house.workspace, "2026-11", "anna", new, DAY).signers == ["anna"]


def test_a_rehearsal_changes_nothing(house):
    """--dry-run checks everything and says what would be."""
    before = rewards(house)

    first = close(house, "anna", rehearse=True)

    assert (first.signers, first.closed) == (["anna"], False)
    assert rewards(house) == before


@pytest.mark.parametrize("content", ["{}", "not json", "[]"])
def test_approvals_that_nobody_wrote_are_refused(house, content):
    """A file of approvals that was changed by hand is named, and closes nothing."""
    path = house.workspace.rewards / recovery.APPROVALS / "2026-11.json"
    path.parent.mkdir()
    path.write_text(content)

    refused(house, r"\.approvals/2026-11\.json: not what `tribute period close` wrote", error=IntegrityError)


def test_the_commit_is_on_the_disk_before_it_is_rolled_forward(house, monkeypatch):
    """A power cut cannot keep the sealed month and forget the rename that it belongs to."""
    rewards, synced, late = house.workspace.rewards, [], []
    monkeypatch.setattr(closing, "sync_one", lambda path: synced.append((path, (path / ".closed-2026-11").exists())))
    monkeypatch.setattr(closing, "roll_forward", lambda closed: late.extend(synced))
    close(house, "anna")

    close(house, "ben")

    assert late == [(rewards, True)]


def test_a_forged_approval_does_not_count(house):
    """A signature over something else is none, even with the right names in the file."""
    close(house, "anna")
    path = house.workspace.rewards / recovery.APPROVALS / "2026-11.json"
    content = json.loads(path.read_text())
    content["signatures"][0]["signature"] = content["signatures"][0]["signature"][::-1].replace("=", "A")[:86] + "=="
    path.write_text(json.dumps(content))

    refused(house, r"\.approvals/2026-11\.json: not what", "ben", error=IntegrityError)
