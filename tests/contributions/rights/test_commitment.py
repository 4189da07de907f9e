"""Theorem: rows that were promised in time come before whoever shows them first, and no released version changes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contributions.conftest import SCHEMA, write_rows
from tests.helpers.terminal import tribute
from tribute.contributions.intake import make_opening, write_opening
from tribute.contributions.registry import Registry
from tribute.contributions.releases import build_dataset, release_version
from tribute.contributions.rights import commit, commitments_of
from tribute.contributions.rights.vault import write_people
from tribute.errors import ContributionError, RegistryError
from tribute.workspace import Workspace

ROWS = (("Draw a red line", "plotting"), ("Take the mean of a column", "statistics"))
OTHER = (("Fill the area below a curve", "plotting"),)


@pytest.fixture
def sealed(registry: Registry, tmp_path: Path) -> Registry:
    registry.seal_evaluation("docs", write_rows(tmp_path / "evaluation.jsonl", [("Compute a median", "statistics")]))
    return registry


def promise(registry: Registry, hand_in, contributor: str, *rows: tuple[str, str]):
    """A submission of rows that a recorded commitment holds."""
    submission = hand_in(contributor, *rows)
    opening = make_opening(contributor, submission.file, SCHEMA)
    place = submission.file.with_suffix(".opening.json")
    write_opening(opening, place)
    commit(registry, opening.root, contributor, "docs", opening.rows)
    return replace(submission, opening=place)


def owners(registry: Registry, tag: str, workspace) -> list[str]:
    release_version(registry, tag)
    import pandas as pd

    return sorted(
        set(pd.read_parquet(build_dataset(registry, tag, workspace.store).file("train.parquet"))["contributor_id"])
    )


def test_a_front_runner_gets_nothing(sealed: Registry, hand_in, workspace):
    """The rows are shown by another name first, word for word: revealed, they are their author's."""
    promised = promise(sealed, hand_in, "ada", *ROWS)
    sealed.contribute([hand_in("eve", *ROWS)])
    (revealed,) = sealed.contribute([promised])

    assert revealed.seq == sealed.snapshot().commitments[commitments_of(sealed.snapshot(), "ada")[0].root].seq
    assert owners(sealed, "docs@v1.0.0", workspace) == ["ada"]


def test_a_late_reveal_counts_from_its_own_entry(sealed: Registry, hand_in, workspace):
    """After a release the commitment has lost its place: the version stands, and so does the order in the next."""
    promised = promise(sealed, hand_in, "ada", *ROWS)
    sealed.contribute([hand_in("eve", *ROWS)])
    assert owners(sealed, "docs@v1.0.0", workspace) == ["eve"]
    before = build_dataset(sealed, "docs@v1.0.0", workspace.store).file("train.parquet").read_bytes()

    (revealed,) = sealed.contribute([promised])
    sealed.contribute([hand_in("cy", *OTHER)])

    assert owners(sealed, "docs@v1.1.0", workspace) == ["cy", "eve"]
    assert revealed.seq == len(sealed.entries()) - 2
    assert build_dataset(sealed, "docs@v1.0.0", workspace.store).file("train.parquet").read_bytes() == before


def test_unrevealed_commitments_are_counted(sealed: Registry, hand_in):
    """Whoever promises many files and shows the best leaves the others in the log."""
    promise(sealed, hand_in, "ada", *OTHER)
    sealed.contribute([promise(sealed, hand_in, "ada", *ROWS)])

    kept = [bool(commitment.revealed) for commitment in commitments_of(sealed.snapshot(), "ada")]

    assert kept == [False, True]


def test_commitments_of_one_bank_account_are_counted_together(
    sealed: Registry, hand_in, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    """Promising under a name that shows nothing is seen at the name that is paid."""
    monkeypatch.setenv("TRIBUTE_VAULT_PASSPHRASE", "four plain words here")
    account = {"iban": "DE89370400440532013000"}
    write_people(workspace.vault, {"ada": {"name": "Ada L", **account}, "eve": {"name": "Eve L", **account}})
    promise(sealed, hand_in, "eve", *OTHER)
    sealed.contribute([promise(sealed, hand_in, "ada", *ROWS)])

    def counted(contributor: str) -> list[int]:
        shown = tribute("show", contributor, "-w", workspace.root, "--json").data
        return [shown[f"{whose}{what}_count"] for whose in ("", "payee_") for what in ("commitment", "unrevealed")]

    assert counted("ada") == [1, 0, 2, 1]

    monkeypatch.delenv("TRIBUTE_VAULT_PASSPHRASE")
    assert counted("ada") == [1, 0, 1, 0]


def test_a_commitment_shows_nothing(tmp_path: Path):
    """The same rows give another root each time: without the salt nobody finds them by trying."""
    file = write_rows(tmp_path / "rows.jsonl", ROWS)

    assert make_opening("ada", file, SCHEMA).root != make_opening("ada", file, SCHEMA).root


@pytest.mark.parametrize(
    ("rows", "contributor", "message"),
    [(OTHER, "ada", "the commitment is to other rows"), (ROWS, "bob", "the commitment is ada's to docs")],
)
def test_other_rows_or_names_keep_no_commitment(sealed: Registry, hand_in, rows, contributor: str, message: str):
    """Only the very rows, by the very contributor; a refused file leaves nothing in the log."""
    promised = promise(sealed, hand_in, "ada", *ROWS)
    entries = len(sealed.entries())

    with pytest.raises(ContributionError, match=message):
        sealed.contribute([replace(hand_in(contributor, *rows), opening=promised.opening)])

    assert len(sealed.entries()) == entries


def test_an_unknown_or_repeated_commitment(sealed: Registry, hand_in):
    """What is not in the log opens nothing, and nobody records another's root again as one's own."""
    promised = promise(sealed, hand_in, "ada", *ROWS)
    root = json.loads(promised.opening.read_text())["root"]

    with pytest.raises(RegistryError, match="recorded already"):
        commit(sealed, root, "eve", "docs", 2)
    with pytest.raises(RegistryError, match="no commitment"):
        commit(sealed, "beef", "eve", "docs", 2)

    stranger = make_opening("ada", promised.file, SCHEMA)
    write_opening(stranger, promised.file.with_suffix(".other.json"))
    with pytest.raises(RegistryError, match="not in the registry's log"):
        sealed.contribute([replace(promised, opening=promised.file.with_suffix(".other.json"))])
