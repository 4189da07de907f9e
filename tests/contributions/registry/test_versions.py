"""A version's number says what changed; a decision and a difference can be looked up at any time."""

import json
from collections.abc import Callable
from pathlib import Path

import mlcroissant
import pytest

from tribute.contributions.cards.dataset_card import write_card
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.verify import verify_registry
from tribute.contributions.registry.versions import next_number, refuse_number
from tribute.contributions.releases import decide, diff, review
from tribute.contributions.releases.dataset import build_dataset
from tribute.contributions.releases.release import check_release, release_version
from tribute.contributions.rights.withdrawal import withdraw
from tribute.contributions.screening.policy import ScreeningPolicy
from tribute.errors import RegistryError
from tribute.workspace import Workspace

MORE = [("Take the median", "statistics"), ("Take the mode", "statistics")]


@pytest.mark.parametrize(
    ("tag", "added", "removed", "expected"),
    [
        ("docs@v1.2.3", 0, 0, "no row changed since docs@v1.2.3, which is a patch step: expected docs@v1.2.4"),
        ("docs@v1.2.4", 3, 0, "3 rows were added since docs@v1.2.3, which is a minor step: expected docs@v1.3.0"),
        ("docs@v1.3.0", 3, 2, "2 rows were removed since docs@v1.2.3, which is a major step: expected docs@v2.0.0"),
        ("docs@v0.9.0", 3, 0, "expected docs@v1.3.0 or later"),
    ],
)
def test_numbers_that_say_too_little(tag: str, added: int, removed: int, expected: str):
    """Rows removed are a major step, rows added a minor one, all else a patch."""
    with pytest.raises(RegistryError, match=expected):
        refuse_number(tag, "docs@v1.2.3", added, removed)


def test_numbers_that_say_enough():
    """The step that is asked for, or a larger one."""
    refuse_number("docs@v1.2.4", "docs@v1.2.3", 0, 0)
    refuse_number("docs@v1.3.0", "docs@v1.2.3", 5, 0)
    refuse_number("docs@v3.0.0", "docs@v1.2.3", 5, 5)

    assert [next_number((1, 2, 3), level) for level in ("major", "minor", "patch")] == [(2, 0, 0), (1, 3, 0), (1, 2, 4)]


def test_a_growing_and_shrinking_dataset(released: Registry, hand_in: Callable):
    """Added rows ask for a minor step, withdrawn ones for a major; the differences count them."""
    released.contribute([hand_in("cy", *MORE)])
    with pytest.raises(RegistryError, match=r"2 rows were added since docs@v1\.0\.0"):
        release_version(released, "docs@v1.0.1")
    release_version(released, "docs@v1.1.0")
    bob = released.snapshot().contributions("docs")[1]
    withdraw(released, bob.id, "steward", "asked for")
    release_version(released, "docs@v2.0.0")

    grown = diff(released, "docs@v1.0.0", "docs@v1.1.0")
    shrunk = diff(released, "docs@v1.1.0", "docs@v2.0.0")

    assert (grown.rows_added, grown.rows_removed, grown.contributors_added) == (2, 0, ["cy"])
    assert grown.labels["statistics"] == (round(1 / 3, 6), 0.6)
    assert grown.label_shift == pytest.approx(0.6 - 1 / 3, abs=1e-5)
    assert (shrunk.rows_added, shrunk.rows_removed, shrunk.contributors_removed) == (0, 1, ["bob"])
    assert released.snapshot("docs@v1.1.0").contributions("docs")[1].id == bob.id
    assert verify_registry(released.repository).signed == 3


def test_a_row_waits_until_somebody_decides(released: Registry, hand_in: Callable):
    """A conflicting label is out until it is accepted; a rejected row is out; who and why are in the ledger."""
    (cy,) = released.contribute([hand_in("cy", ("Draw a line", "statistics"), ("Take the mode", "statistics"))])
    waiting = [(one.row.row_id, one.reason) for one in review(released, "docs")]
    before = {one.row.row_id: one.reason for one in check_release(released, "docs@v1.1.0")}

    decide(released, "accept", [f"{cy.id}:1"], "grace", "both are right")
    decide(released, "reject", [f"{cy.id}:2"], "grace", "off topic")
    after = {one.row.row_id: one.reason for one in check_release(released, "docs@v1.1.0")}

    assert waiting == [(f"{cy.id}:1", "conflicting_label")]
    assert before[f"{cy.id}:1"] == "conflicting_label"
    assert f"{cy.id}:1" not in after
    assert after[f"{cy.id}:2"] == "rejected"
    assert review(released, "docs") == []
    assert released.entries()[-1].details == {"rows": [f"{cy.id}:2"], "by": "grace", "why": "off topic"}


def test_a_copy_cannot_be_accepted(released: Registry):
    """No acceptance turns a duplicate into somebody's own row."""
    bob = released.snapshot().contributions("docs")[1]

    decide(released, "accept", [f"{bob.id}:1"], "grace", "why not")

    assert [one.reason for one in check_release(released, "docs@v1.0.1")] == ["duplicate"]


@pytest.mark.parametrize("row", ["nobody-00000000:1", "evaluation:1", "nonsense"])
def test_decisions_about_no_row(row: str, released: Registry):
    """A row that is not there cannot be decided about, nor can anybody decide without saying why."""
    with pytest.raises(RegistryError, match=f"there is no row {row}"):
        decide(released, "accept", [row], "grace", "looks good")
    with pytest.raises(RegistryError, match="say who decides and why"):
        decide(released, "reject", [row], "grace", " ")


def test_a_policy_holds_from_the_next_release(released: Registry, hand_in: Callable):
    """With a policy near copies of another contributor's rows are out; setting it again changes nothing."""
    released.contribute([hand_in("cy", ("line a Draw", "plotting"))])
    assert len(check_release(released, "docs@v1.1.0")) == 1

    released.set_policy("docs", ScreeningPolicy(), "grace", "more contributors")
    entries = len(released.entries())
    released.set_policy("docs", ScreeningPolicy(), "grace", "again")

    assert [one.reason for one in check_release(released, "docs@v1.1.0")] == ["duplicate", "near_duplicate"]
    assert len(released.entries()) == entries


def test_card_and_croissant(released: Registry, tmp_path: Path):
    """The card names contributors, licences and what screening left out; mlcroissant finds no fault and reads rows."""
    workspace = Workspace.open(released.repository.root.parent)
    dataset = build_dataset(released, "docs@v1.0.0", workspace.store)

    card, metadata = write_card(released, "docs@v1.0.0", dataset, tmp_path / "card")
    found = mlcroissant.Dataset(jsonld=metadata)
    rows = [row["train/text"] for row in found.records(record_set="train")]

    assert found.metadata.issues.errors == set()
    assert [text.decode() if isinstance(text, bytes) else text for text in rows] == [
        "Draw a line",
        "Draw a circle",
        "Take the mean",
    ]
    assert "| ada | 1 | 2 | MIT |" in card.read_text()
    assert "| duplicate | 1 | This row repeats a row that was recorded earlier. | left out |" in card.read_text()
    assert json.loads(metadata.read_text())["license"] == ["https://spdx.org/licenses/MIT.html"]
