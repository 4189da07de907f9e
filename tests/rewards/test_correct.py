"""Theorem: above the policy's amount a correction is posted only once two closers have signed exactly the same."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.terminal import tree, tribute
from tests.rewards.helpers import people
from tests.rewards.helpers.disputing import decided, opened
from tests.rewards.helpers.people import House, make_house
from tribute.errors import IntegrityError, RewardError
from tribute.rewards import correct
from tribute.rewards.ledger import Cause, ledger
from tribute.rewards.second_name import FOLDER, Signing

DAY = "2026-12-05"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> House:
    """November is closed by a policy that lets one person correct up to 10.00 EUR; read only."""
    patch = pytest.MonkeyPatch()
    patch.setattr(people, "POLICY", people.POLICY + 'second_name_above: {EUR: "10.00"}\n')
    house = make_house(tmp_path_factory.mktemp("strict") / "workspace")
    patch.undo()
    house.close("2026-11")
    return house


@pytest.fixture
def house(strict: House, tmp_path) -> House:
    import shutil

    return House(shutil.copytree(strict.root, tmp_path / "workspace"), strict.world)


def entry(house: House, event: str = "ACCRUE") -> str:
    return ledger.load(house.workspace).find(f"2026-11/{event}/evaluation/EUR/numpy")[0].entry_id


def cause(house: House, day: str = DAY, reason: str = "rows counted late") -> Cause:
    return Cause("numpy", "EUR", entry(house), reason, day)


def by(house: House, name: str, key: str = "") -> Signing:
    return Signing(name, house.key(key or name))


def test_two_closers_post_what_both_signed(house: House):
    """The first signs and nothing moves; the second posts, on a later day, too; both signatures stay."""
    before = len(ledger.load(house.workspace).postings)

    first = correct.correct(house.workspace, cause(house), 1001, by(house, "anna"))
    between = len(ledger.load(house.workspace).postings)
    second = correct.correct(house.workspace, cause(house, "2026-12-06"), 1001, by(house, "ben"))

    assert (first.waits, list(first.postings), first.signers) == (True, [], ["anna"])
    assert between == before
    assert (second.waits, second.signers) == (False, ["anna", "ben"])
    assert {posting.event for posting in second.postings} == {"ADJUST"}
    [record] = (house.workspace.rewards / FOLDER).glob("*.json")
    assert [one["signer"] for one in json.loads(record.read_text())["signatures"]] == ["anna", "ben"]
    assert not correct.correct(house.workspace, cause(house, "2026-12-06"), 1001, by(house, "anna")).postings


def test_up_to_the_amount_one_person_is_enough(house: House):
    """Exactly the policy's amount needs no signature, for a correction in favour or against."""
    assert correct.correct(house.workspace, cause(house), 1000).postings


def test_small_corrections_add_up(house: House):
    """Many corrections of one contributor in a month take a second name like a large one; another's do not count."""
    correct.correct(house.workspace, cause(house), -600)

    with pytest.raises(RewardError, match=r"10\.01 EUR in 2026-12 is above the 10\.00 EUR"):
        correct.claw_back(house.workspace, cause(house, reason="copies"), 401)
    assert correct.claw_back(house.workspace, cause(house, reason="copies"), 400).postings
    scipy = ledger.load(house.workspace).find("2026-11/ACCRUE/evaluation/EUR/scipy")[0].entry_id
    assert correct.correct(house.workspace, Cause("scipy", "EUR", scipy, "late", DAY), 1000).postings


@pytest.mark.parametrize("step", ["correct", "claw_back", "reverse"])
def test_each_of_the_three_takes_a_second_name(house: House, step: str):
    """Corrections, claw-backs and reversals alike; unsigned they change nothing."""
    steps = {
        "correct": lambda signing: correct.correct(house.workspace, cause(house), -5000, signing),
        "claw_back": lambda signing: correct.claw_back(house.workspace, cause(house), 5000, signing),
        "reverse": lambda signing: correct.reverse(house.workspace, entry(house, "HOLD"), "slip", DAY, signing),
    }
    before = tree(house.workspace.rewards)

    with pytest.raises(RewardError, match="two of anna, ben have to give the command"):
        steps[step](None)
    assert tree(house.workspace.rewards) == before

    assert steps[step](by(house, "ben")).waits
    assert steps[step](by(house, "anna")).postings


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("rita", "rita", "rita is not among the policy's closers"),
        ("ben", "rita", "the key given is not the latest of ben"),
        ("anna", "anna", ""),
    ],
)
def test_who_is_no_second_closer(house: House, name: str, key: str, message: str):
    """Another role, another's key, and the same person again: nothing is posted."""
    correct.correct(house.workspace, cause(house), 2000, by(house, "anna"))
    before = ledger.load(house.workspace).postings

    if message:
        with pytest.raises(RewardError, match=message):
            correct.correct(house.workspace, cause(house), 2000, by(house, name, key))
    else:
        assert correct.correct(house.workspace, cause(house), 2000, by(house, name, key)).waits
    assert ledger.load(house.workspace).postings == before


def test_a_signature_is_over_exactly_what_is_posted(house: House):
    """Another amount or reason is another correction, which the first closer has not signed."""
    correct.correct(house.workspace, cause(house), 2000, by(house, "anna"))

    assert correct.correct(house.workspace, cause(house), 2001, by(house, "ben")).waits
    assert correct.correct(house.workspace, cause(house, reason="a gift"), 2000, by(house, "ben")).waits


def test_a_forged_record_posts_nothing(house: House):
    """A signature that was moved into the file of another correction does not hold."""
    correct.correct(house.workspace, cause(house), 2000, by(house, "anna"))
    [record] = (house.workspace.rewards / FOLDER).glob("*.json")
    correct.correct(house.workspace, cause(house), 9000, by(house, "ben"))
    [other] = set((house.workspace.rewards / FOLDER).glob("*.json")) - {record}
    other.write_text(record.read_text())

    with pytest.raises(IntegrityError, match="its entries belong to"):
        correct.correct(house.workspace, cause(house), 9000, by(house, "ben"))


def test_the_command_says_who_has_to_sign(house: House):
    """Amounts in major units, then a line per step."""
    words = ("period", "correct", entry(house), "--contributor", "numpy", "--amount", "50.00", "--why", "late")
    words = (*words, "--date", DAY, "-w", house.root)
    keys = house.root / "keys"

    asked = tribute(*words)
    half = tribute(*words, "--as", "anna")
    first = tribute(*words, "--as", "anna", "--key", keys / "anna")
    second = tribute(*words, "--as", "ben", "--key", keys / "ben")

    assert "50.00 EUR in 2026-12 is above the 10.00 EUR that the policy lets one person post" in asked.err
    assert "--as ID and --key FILE belong together" in half.err
    assert first.out == "this is signed by anna; another closer has to give the same command\n"
    assert "ADJUST" in second.out


@pytest.fixture
def corrected(house: House) -> House:
    """A correction of 20.00 EUR that both signed, and a dispute's outcome, which reviewers sign; December is closed."""
    for name in ("anna", "ben"):
        correct.correct(house.workspace, cause(house), 2000, by(house, name))
    decided(house, opened(house, "numpy").id, 1200)
    house.close("2026-12")
    return house


def test_verify_checks_second_names(corrected: House):
    """What two signed passes, and so does what reviewers decided above the same amount."""
    ended = tribute("verify", "period", "2026-12", "-w", corrected.root)

    assert ended.code == 0, ended.err
    assert "1 file of second names is signed with keys in the registry, and no correction lacks one" in ended.out


def _without_file(path: Path) -> None:
    path.unlink()


def _without_signature(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"signatures": content["signatures"][:1]}))


def _twice_by_one(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"signatures": content["signatures"][:1] * 2}))


def _other_amount(path: Path) -> None:
    path.write_text(path.read_text().replace("=2000", "=2001").replace("=-2000", "=-2001"))


def _other_signer(path: Path) -> None:
    path.write_text(path.read_text().replace('"anna"', '"rita"'))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_file, "has 0 signatures over it"),
        (_without_signature, "has 1 signatures over it"),
        (_twice_by_one, "has 1 signatures over it"),
        (_other_amount, "its entries belong to"),
        (_other_signer, "rita never had the key"),
    ],
)
def test_a_second_name_that_is_gone_or_false(corrected: House, spoil: Callable[[Path], None], message: str):
    """A closed month with a large correction does not verify without both signatures over exactly that."""
    [path] = (corrected.workspace.rewards / FOLDER).glob("*.json")

    spoil(path)
    ended = tribute("verify", "period", "2026-12", "-w", corrected.root)

    assert ended.code == 2
    assert message in ended.err
