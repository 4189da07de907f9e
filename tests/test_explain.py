"""`tribute explain` on a finished run: what moved an answer, as text, as JSON and as a page."""

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.terminal import Ended, tree, tribute

TEXT = "draw word3 axes"


def run_of(workspace: Path) -> str:
    """The id of the workspace's only run."""
    (run,) = (workspace / "runs").iterdir()
    return run.name


def explain(workspace: Path, *options: object, text: str = TEXT) -> Ended:
    return tribute("explain", run_of(workspace), "--text", text, "-w", workspace, *options)


@pytest.fixture(scope="module")
def indexed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished workspace in which an answer was explained before; read only."""
    workspace = shutil.copytree(finished, tmp_path_factory.mktemp("indexed") / "workspace", symlinks=True)
    ended = explain(workspace)
    assert ended.code == 0, ended.err
    return workspace


def test_who_moved_an_answer(indexed: Path):
    """Contributors and rows with intervals, best first; nothing is indexed a second time."""
    before = tree(indexed / "artifacts")

    found = explain(indexed, "--json").data

    assert tree(indexed / "artifacts") == before
    assert found["answer"] in ("plotting", "statistics", "graphs")
    assert found["predicted"] is True
    assert {one["contributor"] for one in found["contributor_scores"]} == {"ada", "bob", "cy", "scrambler"}
    for table in (found["contributor_scores"], found["row_scores"]):
        assert [one["score"] for one in table] == sorted((one["score"] for one in table), reverse=True)
        assert all(one["low"] <= one["score"] <= one["high"] for one in table)
    assert all(one["text"] and one["target"] for one in found["row_scores"])
    assert -1 <= found["rank_correlation"] <= 1


def test_a_text_that_is_cut_is_told(indexed: Path):
    """No more of it is seen than of a training row."""
    whole, cut = explain(indexed), explain(indexed, text=f"{TEXT} " * 200)

    assert "max_tokens" not in whole.out
    assert "text and answer fill finetuning.max_tokens: what is beyond was not seen" in cut.out


def test_the_answer_matters(indexed: Path):
    """Who made one label more probable made the others less probable."""
    labels = ("plotting", "statistics", "graphs")

    scores = []
    for label in labels:
        found = explain(indexed, "--label", label, "--json").data
        assert found["answer"] == label
        scores.append(
            {one["contributor"]: one["score"] * (1 - found["probability"]) for one in found["contributor_scores"]}
        )

    assert any(len({one[name] > 0 for one in scores}) == 2 for name in scores[0])


def test_as_text_and_as_a_page(indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Tables in the terminal, with the page's place below; the page is one file."""
    monkeypatch.setenv("COLUMNS", "120")
    page = tmp_path / "page.html"

    ended = explain(indexed, "--html", page, "--rows", "2")

    assert ended.code == 0, ended.err
    assert "Contributors who moved this answer" in ended.out
    assert ended.out.count("→") <= 4
    assert ended.out.rstrip().endswith(f"page: {page}")
    assert list(tmp_path.iterdir()) == [page]
    html = page.read_text()
    assert TEXT in html
    assert "scrambler" in html


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--label", "cooking"), "tiny@v1.0.0 has no label 'cooking'; known are statistics, graphs, plotting"),
        (
            ("--response", "line"),
            "tiny@v1.0.0 teaches labels: give --label, or neither for the label that is predicted",
        ),
        (("--html", "nowhere/page.html"), "--html nowhere/page.html: there is no folder"),
        (("--html", "/"), "--html / is a folder: name a file in it"),
    ],
)
def test_bad_options(options: tuple[str, ...], message: str, finished: Path):
    """One line before anything is computed, nothing written."""
    before = tree(finished)

    ended = explain(finished, *options)

    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert tree(finished) == before


def test_no_question_and_no_run(finished: Path):
    """An empty text and a run that does not exist are told."""
    empty = explain(finished, text=" ")
    unknown = tribute("explain", "tiny-000000000000", "--text", TEXT, "-w", finished)

    assert (empty.code, empty.err) == (2, "tribute: --text is empty: give what the model is asked\n")
    assert unknown.code == 2
    assert "there is no run tiny-000000000000" in unknown.err


def test_a_dry_run_indexes_nothing(finished: Path):
    """It only says what would be done."""
    before = tree(finished)

    ended = explain(finished, "--dry-run", "--json")

    assert json.loads(ended.out)["dry_run"] is True
    assert tree(finished) == before


@pytest.mark.parametrize("name", ["shards/000000.safetensors", "contributors.safetensors", "curvature.safetensors"])
def test_a_damaged_index_is_named(name: str, indexed: Path, tmp_path: Path):
    """The file, and what to do; the explanation is not made of half of it."""
    workspace = shutil.copytree(indexed, tmp_path / "workspace", symlinks=True)
    path = sorted((workspace / "artifacts" / "index").iterdir())[0] / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    ended = explain(workspace)

    assert (ended.code, ended.out) == (2, "")
    assert str(path) in ended.err
    assert "delete " in ended.err
    assert "again" in ended.err


def test_the_index_is_an_artifact_that_can_be_verified(indexed: Path):
    """Its manifest lists every file."""
    (first, *_) = sorted((indexed / "artifacts" / "index").iterdir())

    ended = tribute("verify", first, "-w", indexed)

    assert ended.code == 0, ended.err
    facts = json.loads((first / "index.json").read_text())
    assert facts["rows"] == 110
    assert facts["retrainings"] >= 8
