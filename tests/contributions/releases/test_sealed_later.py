"""Theorem: with `sealed_later` no trained row came in after the evaluation that pays it, and no sealed row is old."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contributions.conftest import SCHEMA, write_rows
from tribute.contributions.dataset import read_rows
from tribute.contributions.intake import Submission, make_opening, write_opening
from tribute.contributions.registry import Registry
from tribute.contributions.releases import build_dataset, release_version, screen_dataset
from tribute.contributions.rights import commit
from tribute.contributions.screening import BASIC
from tribute.errors import RegistryError
from tribute.workspace import Workspace

HandIn = Callable[..., Submission]
FIRST, SECOND = ("Compute a median", "statistics"), ("Rotate the labels of an axis", "plotting")
HONEST, LEAKED = ("Draw a line", "plotting"), ("The middle value of a sorted list", "statistics")


@pytest.fixture
def sealed(registry: Registry, hand_in: HandIn, tmp_path: Path) -> Registry:
    """An honest row, then the evaluation, by a policy that pays on later sealed rows only."""
    registry.set_policy("docs", BASIC.model_copy(update={"sealed_later": True}), "steward", "the evaluation leaks")
    registry.contribute([hand_in("ada", HONEST)])
    registry.seal_evaluation("docs", write_rows(tmp_path / "first.jsonl", [FIRST]))
    return registry


def trained(registry: Registry, tag: str, workspace: Workspace) -> list[str]:
    release_version(registry, tag)
    return read_rows(build_dataset(registry, tag, workspace.store), "train")["text"].tolist()


def test_rows_after_the_sealing_wait_for_the_next_one(
    sealed: Registry, hand_in: HandIn, workspace: Workspace, tmp_path: Path
):
    """What may have leaked of an evaluation is not paid on it; on later rows it is a row like any other."""
    sealed.contribute([hand_in("eve", LEAKED)])
    (finding,) = screen_dataset(sealed, "docs")

    assert (finding.reason, finding.row.contributor_id) == ("after_sealing", "eve")
    assert trained(sealed, "docs@v1.0.0", workspace) == [HONEST[0]]

    sealed.seal_evaluation("docs", write_rows(tmp_path / "second.jsonl", [SECOND]))

    assert trained(sealed, "docs@v1.1.0", workspace) == [HONEST[0], LEAKED[0]]


def test_a_retired_row_is_nobodys_own(sealed: Registry, hand_in: HandIn, workspace: Workspace, tmp_path: Path):
    """Whoever knows the evaluation of an earlier version is kept out by it as before."""
    release_version(sealed, "docs@v1.0.0")
    sealed.contribute([hand_in("eve", FIRST, LEAKED)])
    sealed.seal_evaluation("docs", write_rows(tmp_path / "second.jsonl", [SECOND]))

    findings = screen_dataset(sealed, "docs")

    assert {(item.reason, item.row.row.text) for item in findings} == {("near_evaluation", FIRST[0])}
    assert {item.canonical.row_id for item in findings} == {"evaluation-v1.0.0:1"}
    assert trained(sealed, "docs@v1.1.0", workspace) == [HONEST[0], LEAKED[0]]


def test_rows_that_were_committed_to_before_the_sealing_count(
    registry: Registry, hand_in: HandIn, workspace: Workspace, tmp_path: Path
):
    """A commitment fixes the rows, so whoever reveals them later cannot have written them for the evaluation."""
    registry.set_policy("docs", BASIC.model_copy(update={"sealed_later": True}), "steward", "the evaluation leaks")
    submission = hand_in("ada", HONEST)
    opening, place = make_opening("ada", submission.file, SCHEMA), tmp_path / "opening.json"
    write_opening(opening, place)
    commit(registry, opening.root, "ada", "docs", opening.rows)
    registry.seal_evaluation("docs", write_rows(tmp_path / "first.jsonl", [FIRST]))

    registry.contribute([replace(submission, opening=place)])

    assert trained(registry, "docs@v1.0.0", workspace) == [HONEST[0]]


@pytest.mark.parametrize("again", ["compute a  MEDIAN", "Compute: a median!"])
def test_no_row_is_sealed_again(sealed: Registry, tmp_path: Path, again: str):
    """Not even in other case or punctuation: who saw it contributed since. The same file once more changes nothing."""
    file = write_rows(tmp_path / "again.jsonl", [SECOND, (again, "statistics")])

    with pytest.raises(RegistryError, match=r"found 1 row too close .* in line 2; .*`sealed_later`"):
        sealed.seal_evaluation("docs", file)

    assert sealed.seal_evaluation("docs", tmp_path / "first.jsonl") == 1


def test_no_evaluation_comes_back(sealed: Registry, tmp_path: Path):
    """A, B and A again: what was replaced long ago was sealed before, too, whether a version had it or not."""
    sealed.seal_evaluation("docs", write_rows(tmp_path / "second.jsonl", [SECOND]))

    with pytest.raises(RegistryError, match=r"found 1 row too close .* in line 1;"):
        sealed.seal_evaluation("docs", tmp_path / "first.jsonl")

    assert [entry.event for entry in sealed.entries()].count("seal") == 2


def test_without_it_rows_count_whenever_they_came(registry: Registry, hand_in: HandIn, tmp_path: Path):
    """The policy's default, under which an evaluation may be sealed before anybody contributes."""
    registry.seal_evaluation("docs", write_rows(tmp_path / "first.jsonl", [FIRST]))
    registry.contribute([hand_in("eve", LEAKED)])

    assert screen_dataset(registry, "docs") == []
