"""What is fetched is what was published, or nothing at all.

Upstream is stood in for by files and a git repository made here; only the places differ.
"""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tribute.contributions.sources.download import CLINC150_SHA256, fetch, fetch_clinc150, fetch_tldr
from tribute.contributions.sources.tldr_git import plain_command
from tribute.errors import ContributionError, IntegrityError


def serve(folder: Path, splits: dict[str, Iterable[dict[str, str]]]) -> str:
    """Upstream's two files, rebuilt from our rows; returns their place as a URL."""
    rows = {split: list(rows) for split, rows in splits.items()}
    domains: dict[str, list[str]] = {}
    for row in (row for split in rows.values() for row in split if "domain" in row):
        if row["label"] not in domains.setdefault(row["domain"], []):
            domains[row["domain"]].append(row["label"])
    full = {split: [[row["text"], row["label"]] for row in some] for split, some in rows.items()}
    folder.mkdir()
    (folder / "data_full.json").write_text(json.dumps(full))
    (folder / "domains.json").write_text(json.dumps(domains))
    return folder.as_uri() + "/"


def test_clinc150_is_converted_to_the_pinned_bytes(published, tmp_path: Path):
    """From upstream's form every file comes out with its pinned sha256, equal to the published rows."""
    folder = published("clinc150")
    read = {split: (folder / f"{split}.jsonl").read_text(encoding="utf-8") for split in CLINC150_SHA256}
    url = serve(tmp_path / "up", {split: map(json.loads, text.splitlines()) for split, text in read.items()})

    got = fetch_clinc150(tmp_path / "got", url)

    assert {split: (got / f"{split}.jsonl").read_text(encoding="utf-8") for split in CLINC150_SHA256} == read


def test_a_changed_dataset_is_refused(tmp_path: Path):
    """One other row and nothing is written."""
    row = {"text": "a", "label": "b", "domain": "c"}
    url = serve(tmp_path / "up", {split: [row] for split in CLINC150_SHA256})

    with pytest.raises(IntegrityError, match=r"train\.jsonl made from it has sha256 \w+, expected 0856ad7c"):
        fetch_clinc150(tmp_path / "got", url)

    assert [path.name for path in tmp_path.iterdir()] == ["up"]


def test_no_network(tmp_path: Path):
    """An address that does not answer is named; nothing is left behind."""
    with pytest.raises(ContributionError, match=r"data_full\.json: cannot be downloaded"):
        fetch_clinc150(tmp_path / "got", (tmp_path / "gone").as_uri() + "/")

    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use(tmp_path: Path):
    """What is there is never overwritten, and an unknown dataset is named."""
    (tmp_path / "mine.txt").touch()

    with pytest.raises(ContributionError, match="is not empty; give a new folder"):
        fetch("clinc150", tmp_path)
    with pytest.raises(ContributionError, match="unknown dataset 'imagenet'; clinc150 and tldr"):
        fetch("imagenet", tmp_path / "new")


def page(*pairs: tuple[str, str]) -> str:
    return "# tar\n\n> Archives.\n\n" + "\n".join(f"- {text}:\n\n`{command}`\n" for text, command in pairs)


@pytest.fixture
def upstream(tmp_path: Path) -> tuple[str, str]:
    """Pages with a history: Bo edits and moves what Al wrote, and adds a pair; returns URL and commit."""
    root = tmp_path / "upstream"

    def git(*arguments: str, author: str = "Al") -> str:
        identity = ["-c", f"user.name={author}", "-c", "user.email=x@localhost", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(author: str, day: str) -> None:
        git("add", "--all")
        git("commit", "--message", "Edit", "--date", f"{day}T12:00:00+00:00", author=author)

    create, extract = (
        ("[c]reate an archive", "tar {{[-c|--create]}} {{file}}"),
        ("Extract", "tar -x {{file}}"),
    )
    (root / "pages" / "linux").mkdir(parents=True)
    git("init")
    (root / "pages" / "linux" / "tar.md").write_text(page(create))
    commit("Al", "2020-01-01")
    (root / "pages" / "common").mkdir()
    (root / "pages" / "linux" / "tar.md").rename(root / "pages" / "common" / "tar.md")
    (root / "pages" / "common" / "tar.md").write_text(page((create[0], "tar cf {{file}}"), extract))
    (root / "pages.de").mkdir()
    (root / "pages.de" / "tar.md").write_text(page(("Erzeugen", "tar -c")))
    commit("Bo", "2021-02-03")
    return root.as_uri(), git("rev-parse", "HEAD")


def test_tldr_goes_to_who_wrote_first(upstream: tuple[str, str], tmp_path: Path):
    """Moving a page and editing a command leave a description with its first author."""
    url, commit = upstream

    folder = fetch_tldr(tmp_path / "got", url, commit, least_pairs=1)
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]

    assert [(row["contributor_id"], row["day"], row["prompt"], row["response"]) for row in rows] == [
        ("tldr-0000", "2020-01-01", "[c]reate an archive", "tar cf <file>"),
        ("tldr-0001", "2021-02-03", "Extract", "tar -x <file>"),
    ]
    assert {(row["page"], row["platform"]) for row in rows} == {("tar", "common")}
    assert "Al" not in (folder / "pairs.jsonl").read_text()


def test_authors_with_few_pairs_are_left_out(upstream: tuple[str, str], tmp_path: Path):
    """Below the least number of pairs an author is not in the file."""
    url, commit = upstream

    assert (fetch_tldr(tmp_path / "got", url, commit, least_pairs=2) / "pairs.jsonl").read_text() == ""


def test_a_commit_that_is_not_there(upstream: tuple[str, str], tmp_path: Path):
    """A clone without the pinned commit is refused, and nothing is left behind."""
    url, _ = upstream

    with pytest.raises(ContributionError, match="git cat-file failed"):
        fetch_tldr(tmp_path / "got", url, "0" * 40)

    assert [path.name for path in tmp_path.iterdir()] == ["upstream"]


def test_commands_are_plain():
    """Options are written long, placeholders in angle brackets."""
    assert plain_command("tar {{[-x|--extract]}} {{path/to/file}}") == "tar --extract <path/to/file>"
