"""The review page in a browser: filters, keys, what it downloads, and what the command makes of that."""

import csv
import json
from pathlib import Path

import pytest

from tests.helpers.browser import CHROMIUM, downloaded, open_page
from tests.helpers.terminal import tribute

SCHEMA = (
    "name: talk\ntask: sequence-classification\nlabels: [yes, no, maybe]\nlicences: [CC0-1.0]\nmax_characters: 500\n"
)
HOSTILE = '</script><script>document.title = "taken"</script> said "well, =1+1" & left'
EARLIER = [("the first sentence that somebody wrote", "yes"), (HOSTILE, "yes"), ("a third one of another kind", "no")]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A registry in which all three rows of `bob` and one of `eve` wait: their labels contradict ada's."""
    (tmp_path / "schema.yaml").write_text(SCHEMA.replace("yes, no", '"yes", "no"'))
    workspace = tmp_path / "workspace"
    assert tribute("init", workspace).code == 0
    opposite = [(text, "no" if label == "yes" else "yes") for text, label in EARLIER]
    files = {"ada": EARLIER, "bob": opposite, "eve": [(EARLIER[0][0], "maybe")], "sealed": [("kept apart", "yes")]}
    for name, rows in files.items():
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
        ended = tribute(
            *("contribute", file, "--contributor", name, "--dataset", "talk", "--licence", "CC0-1.0"),
            *("--schema", tmp_path / "schema.yaml", "-w", workspace, *(["--evaluation"] if name == "sealed" else [])),
        )
        assert ended.code == 0, ended.err
    return workspace


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
def test_decisions_made_by_keys_are_downloaded_and_taken(workspace: Path, tmp_path: Path):
    """Keys decide what is shown and nothing else; the downloaded file says why, and `decide` records all of it."""
    page, decisions = tmp_path / "review.html", tmp_path / "decisions.csv"
    ended = tribute("review", "talk", "--html", page, "-w", workspace)
    assert ended.code == 0, ended.err

    with open_page(page, tmp_path) as browser:
        rows = browser.value("entries.map(entry => entry.dataset.row)")
        bobs = [row for row in rows if row.startswith("bob")]
        browser.value("""filters.find(field => field.dataset.filter === "contributor").value = "bob"; filter()""")
        shown = browser.value("document.querySelector('[data-shown]').textContent")
        browser.value("why.value = 'both, \"really\"'")
        browser.press("ja")  # the first of bob's rows, then on to the second
        browser.press("r")
        browser.value("search.value = 'third'; filter()")
        browser.press("ja r")  # the third row: accepted, no decision, rejected
        browser.value("search.value = 'nothing has this'; filter()")
        browser.press("a")  # nothing is shown, so nothing is decided
        title = browser.value("document.title")
        browser.value("document.querySelector('[data-download]').click()")
        written = downloaded(decisions)
        faults = browser.faults
    lines = list(csv.reader(written.decode().splitlines()))
    taken = tribute("decide", "talk", decisions, "--by", "grace", "-w", workspace)
    waiting = tribute("review", "talk", "--json", "-w", workspace).data["findings"]

    assert not faults
    assert len(rows) == len(bobs) + 1 == 4
    assert shown == "3 of 4 shown"
    assert title == "Review of talk"
    reason = 'both, "really"'
    assert lines == [
        ["row", "verdict", "why"],
        *([row, verdict, reason] for row, verdict in zip(bobs, ("accept", "reject", "reject"), strict=True)),
    ]
    assert taken.code == 0, taken.err
    assert {finding["row"] for finding in waiting} == set(rows) - set(bobs)


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
@pytest.mark.parametrize("width", [390, 800, 1200])
def test_nothing_reaches_over_the_edge(workspace: Path, tmp_path: Path, width: int):
    """At every width the page is as wide as its window, and so is every entry of it."""
    page = tmp_path / "review.html"
    tribute("review", "talk", "--html", page, "-w", workspace)

    with open_page(page, tmp_path) as browser:
        browser.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        wide = browser.value(
            "[...document.querySelectorAll('body *')]"
            ".filter(part => part.getBoundingClientRect().right > innerWidth).map(part => part.outerHTML.slice(0, 80))"
        )

    assert wide == []
