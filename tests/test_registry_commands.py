"""The steward's way by hand: declare, hand in, seal, release. The dry runs foretell exactly that."""

from pathlib import Path

import pytest

from tests.helpers.terminal import Ended, tribute
from tests.helpers.tiny import HONEST, TAG

NAMES = (*HONEST, "copycat", "scrambler")


def hand_in(workspace: Path, tiny: Path, name: str, *options: object) -> Ended:
    """`tribute contribute` of one of the tiny files."""
    terms = ("--contributor", name, "--dataset", "tiny", "--licence", "MIT", "-w", workspace, "--json")
    return tribute("contribute", tiny / f"{name}.jsonl", *terms, *options)


@pytest.fixture(scope="module")
def steward(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Ended]]:
    """A workspace that was filled by hand, and what every command said."""
    workspace = tmp_path_factory.mktemp("steward") / "workspace"
    schema = ("--schema", tiny / "schema.yaml")
    said = {
        "init": tribute("init", workspace, "--json"),
        "foretold": hand_in(workspace, tiny, "ada", *schema, "--dry-run"),
        "ada": hand_in(workspace, tiny, "ada", *schema),
    }
    said |= {name: hand_in(workspace, tiny, name) for name in NAMES[1:]}
    said |= {
        "again": hand_in(workspace, tiny, "bob"),
        "foretold evaluation": hand_in(workspace, tiny, "evaluation", "--evaluation", "--dry-run"),
        "evaluation": hand_in(workspace, tiny, "evaluation", "--evaluation"),
        "foretold release": tribute("release", TAG, "-w", workspace, "--dry-run", "--json"),
        "release": tribute("release", TAG, "-w", workspace, "--json"),
        "versions": tribute("versions", "-w", workspace, "--json"),
        "verify": tribute("verify", "registry", "-w", workspace, "--json"),
    }
    for name, ended in said.items():
        assert ended.code == 0, f"{name}: {ended.err}"
    return workspace, said


def test_a_dry_run_foretells(steward: tuple[Path, dict[str, Ended]]):
    """Before anything is declared the dry run names the contribution that the real one records."""
    said = steward[1]

    assert said["foretold"].data["files"][0]["contribution"] == said["ada"].data["contributions"][0]["contribution"]
    assert said["foretold"].data["files"][0]["rows"] == said["ada"].data["contributions"][0]["rows"] == 30
    assert said["foretold evaluation"].data["rows"] == said["evaluation"].data["rows"] == 36
    assert said["foretold release"].data["rows_excluded"] == said["release"].data["rows_excluded"]


def test_the_same_file_again_is_found(steward: tuple[Path, dict[str, Ended]]):
    """Handing in twice records once."""
    said = steward[1]

    assert said["again"].data == said["bob"].data


def test_a_release_counts(steward: tuple[Path, dict[str, Ended]]):
    """The version counts contributors, rows and what was excluded; the list of versions says the same."""
    said = steward[1]

    assert said["versions"].data["versions"] == [said["release"].data]
    assert (said["release"].data["contributor_count"], said["release"].data["rows"]) == (5, 120)
    assert said["release"].data["rows_excluded"] >= 10


def test_the_registry_verifies(steward: tuple[Path, dict[str, Ended]]):
    """Every ledger entry, pointer and tag is as recorded."""
    assert steward[1]["verify"].data["ok"]


def test_one_evaluation_file(steward: tuple[Path, dict[str, Ended]], tiny: Path):
    """Two evaluation files cannot both be the evaluation."""
    ended = hand_in(steward[0], tiny, "ada", "--evaluation", tiny / "bob.jsonl")

    assert ended.code == 2
    assert "--evaluation takes one file, found 2" in ended.err
