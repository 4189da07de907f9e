"""The page says what the artifacts say, loads nothing, and lets no text become markup."""

import csv
import html
import json
import re
from html.parser import HTMLParser

import pytest

from tests.report.conftest import UNCHECKED
from tests.rewards.helpers.forging import rehash
from tribute.artifacts import read_artifact, write_manifest
from tribute.contributions.screening import REASONS
from tribute.errors import IntegrityError, WorkspaceError
from tribute.formatting import number, signed
from tribute.report.load import read_view
from tribute.report.run_page import LATEST, write_report
from tribute.rewards.allocation.gate import judge
from tribute.rewards.period.draft import REWARDS
from tribute.rewards.policy.policy import Gate


@pytest.fixture
def page(made):
    return report_of(made)


def report_of(made):
    """The latest report."""
    write_report(made.workspace, made.run_id)
    return (made.workspace.root / LATEST).read_text(encoding="utf-8")


def words(page: str) -> str:
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.S)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def tips(page: str) -> list[str]:
    return [html.unescape(tip) for tip in re.findall(r'data-tip="([^"]*)"', page)]


def minor_of(tip: str) -> int:
    return int(tip.rsplit(": ", 1)[1].removesuffix(" EUR").replace(",", "").replace(".", ""))


def table_rows(page: str, section: str) -> list[list[str]]:
    """The cells of every table row of a section, as text."""
    part = page.split(f'id="{section}"', 1)[1].split("</section>", 1)[0]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", part, flags=re.S)
    return [[words(cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, flags=re.S)] for row in rows]


def test_headline_is_the_artifacts(made, page):
    """Pool, contributors, rows, loss and accuracy are those that were stored."""
    gain = made.evaluation["before"]["loss"] - made.evaluation["loss"]

    text = words(page)

    rows = sum(int(line["rows_canonical"]) for line in made.allocation)
    assert "1,000.00 EUR for 17 of 19 contributors" in text
    assert f"Their {rows:,} rows lowered the evaluation loss by {gain:.2f} nats" in text
    assert "raised accuracy from 0.48 to 0.70" in text
    assert all(fact in text for fact in (made.run_id, "docs@v1.0.0", "2026-11"))


def test_rows_held_out_are_not_counted_as_trained_on(make_run):
    """Nor among their contributor's; the chart has their losses, and the page says what they are for."""
    made = make_run(held_out=7)
    held_out, everything = report_of(made), sum(int(line["rows_canonical"]) for line in made.allocation)
    view = read_view(made.workspace, made.run_id)

    assert (view.rows, view.held_out_rows) == (everything - 7, 7)
    of_first = next(line for line in made.allocation if line["contributor_id"] == "numpy")
    counted = next(person.rows for person in view.contributors if person.id == "numpy")
    assert counted == int(of_first["rows_canonical"]) - 7
    assert f"Their {everything - 7:,} rows lowered" in words(held_out)
    assert "7 more rows were held out of the training." in words(held_out)
    shown = [tip for tip in tips(held_out) if "validation loss" in tip]
    assert [tip.split(":")[0] for tip in shown] == [f"step {step}" for step in range(20, 181, 20)]


def test_sankey_adds_up_to_the_allocation(made, page):
    """Into every contributor flows what allocation.csv says, to the cent; from the pool flows the pool."""
    owed = {
        line["contributor_id"]: int(line["amount_minor"]) for line in made.allocation if line["amount_minor"] != "0"
    }

    flows = [tip for tip in tips(page) if " → " in tip]
    got = dict.fromkeys(owed, 0)
    for tip in flows:
        if not tip.startswith("pool"):
            got[tip.split(" → ")[1].split(":")[0]] += minor_of(tip)

    assert got == owed
    assert sum(minor_of(tip) for tip in flows if tip.startswith("pool")) == 100000


def test_every_contributor_has_its_line(made, page):
    """Rows, credit, interval, share and amount beside the whiskers are the artifacts'."""
    lines = {row[0]: row for row in table_rows(page, "shares") if row}

    for share in made.shares:
        paid = next(line for line in made.allocation if line["contributor_id"] == share["contributor_id"])
        name, amount, part, rows, _, credit, interval = lines[share["contributor_id"]]
        assert rows == paid["rows_canonical"]
        assert minor_of(f"{name}: {amount} EUR") == int(paid["amount_minor"])
        assert part == f"{100 * share['share']:.1f} %"
        if name != "copycat":
            places = len(credit.split(".")[1])
            assert credit == signed(share["credit"], places)
            assert interval == f"{number(share['low'], places)} to {number(share['high'], places)}"


def test_who_earned_nothing_is_told_why(page):
    """The planted contributors stand under the reason that the allocation gives."""
    text = words(page)

    assert re.search(r"Earned nothing: credit below zero scrambler \(−[\d.]+ nats\)", text)
    assert "Earned nothing: every row was excluded copycat (60 of 60 rows excluded)" in text


def test_checks_are_the_card_s(made, page):
    """Measured and integrated gain and mismatch are printed as they are."""
    rows = table_rows(page, "check")

    for seed, measured, integrated in zip(
        made.card["seeds"], made.card["measured"], made.card["integrated"], strict=True
    ):
        mismatch = f"{100 * (integrated / measured - 1):+.2f} %"
        assert [str(seed), f"{measured:.4f}", f"{integrated:.4f}", mismatch] in rows
    assert "The mismatch is integrated ÷ measured − 1." in words(page)


def test_the_card_is_a_panel_of_figures_beside_their_best(page):
    """Every figure stands beside the ceiling or what would be right, and beside what the policy asks for."""
    rows = table_rows(page, "check")

    ceiling = "0.960 (seed against seed)"
    needed = "✓ 0.860 or more (seed against seed 0.960, less 0.1)"
    assert ["Leave-one-out rank", "0.940", ceiling, needed] in rows
    assert ["Leave-one-out rank of the credits", "0.810", ceiling, "–"] in rows
    assert ["Random rows removed (LDS)", "0.861", "0.774 (seed against seed)", "–"] in rows
    assert ["Intervals that held", "90.5 % of 210", "90 %", "–"] in rows
    assert ["Coalitions", "3.1 points off", "0", "–"] in rows
    assert ["Stand-in for full trainings", "0.930 (layers 5)", "1", "–"] in rows
    assert ["Planted duplicates", "32 of 32 rows excluded", "all", "✓ every row excluded"] in rows
    made = "61.2 on all rows (walking them again for credit and predictions not counted)"
    assert f"Method: in-run + rate design; trainings made: {made}; validation: full." in words(page)


def test_the_baselines_stand_beside_tribute_s_own(page):
    """The ceiling first, Tribute's own, then the simple methods; a figure that is missing says so."""
    rows = table_rows(page, "check")
    first = rows.index(["seed against seed, the ceiling", "0.960", "0.774"])

    assert rows[first + 1 : first + 10] == [
        ["predicted effects", "0.940", "0.861"],
        ["credits that are paid", "0.810", "not measured"],
        ["rows counted", "0.530", "0.120"],
        ["tokens counted", "0.550", "0.130"],
        ["words shared with the evaluation (BM25)", "0.610", "0.220"],
        ["similarity of embeddings", "0.640", "not measured"],
        ["gradient dot product", "0.760", "0.410"],
        ["influence at the end of training", "0.700", "0.310"],
        ["harmful contributors’ removed rows", "not measured", "0.744"],
    ]


def test_without_validation_every_figure_says_that_it_was_not_measured(make_run):
    """No cell of the panel is blank, and no figure is made up."""
    made = make_run(**UNCHECKED)

    page = report_of(made)

    panel = page.split('class="two panel"', 1)[1].split('class="two"', 1)[0]
    cells = [words(cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", panel, flags=re.S)]
    assert all(cells)
    assert {cell for cell in cells if cell[0].isdigit()} == {"0", "1", "0 or below", "90 %", "0.021"}
    assert cells.count("not measured") > 30


def test_a_period_paid_by_tokens_says_so_and_why(make_run):
    """Headline, shares and card name the rule; the table shows the tokens that decided."""
    made = make_run(**UNCHECKED)

    page = report_of(made)

    text = words(page)
    failed = "leave-one-out rank, planted duplicates, planted shuffled labels, two halves of the seeds"
    assert "are paid by training tokens, since the attribution card did not pass the policy’s gate." in text
    assert text.count(f"What did not pass: {failed}.") == 2
    assert "for what their rows taught" not in text
    assert "Pay is in proportion to credit" not in text
    numpy = next(row for row in table_rows(page, "shares") if row and row[0] == "numpy")
    rows = next(line["rows_canonical"] for line in made.allocation if line["contributor_id"] == "numpy")
    assert numpy[2] == f"{17 * int(rows):,}"


def test_a_period_paid_by_credit_says_so(page):
    """Where the card passed, the page says that credit paid, and shows no tokens."""
    text = words(page)

    assert "This period is paid by credit: the measurement of credit passed every check" in text
    assert "Pay is in proportion to credit less 1 standard error" in text
    assert "training tokens" not in text


def test_a_blended_period_says_how_far_credit_counts(make_run):
    """Headline, shares and card say w and its rest; each check says what it counts."""
    made = make_run(seed_split=0.525)
    verdict = judge(made.card, Gate(), "content")
    folder = made.workspace.rewards / "2026-11"
    before = read_artifact(folder)
    (folder / "gate.json").write_text(json.dumps(verdict.document()))
    rehash_for_run(made, before)

    text = words(report_of(made))

    assert "are paid, 50.0 % by credit and 50.0 % by distinct content, since the measurement" in text
    assert text.count(verdict.sentence) == 2
    assert "0.3 or less; counts 0.500" in text
    assert "Pay is in proportion to credit" not in text


def test_a_better_baseline_is_named(page):
    """Where logistic regression wins, the page says so and by how much."""
    rows = table_rows(page, "training")

    assert "Logistic regression on frozen embeddings wins by 0.011." in words(page)
    assert [row[-1] for row in rows if row][:4] == ["0.709", "0.698", "0.481", "0.071"]


def test_exclusions_are_counted(made, page):
    """Counts by contributor and reason, and their sum."""
    rows = table_rows(page, "excluded")

    assert f"{len(made.exclusions)} rows never reached the model." in words(page)
    assert ["copycat", "–", "60", "–"] in rows


def test_lineage_holds_every_id_in_full(made, page):
    """From the ledger's head to the rewards manifest, each id can be selected whole."""
    store = made.workspace.store
    attribution = store.get("attribution", made.run["attribution"])
    ids = [made.run["dataset"], made.run["attribution"], made.run["baselines"], made.run["rewards"]]
    ids += [*made.run["adapters"].values(), *made.run["mlflow_runs"].values(), *attribution.inputs.values()]
    ids += [store.get("adapter", made.run["adapters"]["0"]).inputs["base"]]
    ids += [read_artifact(made.workspace.rewards / "2026-11").inputs["policy"]]

    assert len(ids) > 15
    assert all(f">{id_}</code>" in page for id_ in ids)


def rehash_for_run(made, old):
    """Let the manifest fit a folder that was changed, and the run name it."""
    run = made.workspace.runs / made.run_id / "run.json"
    run.write_text(run.read_text(encoding="utf-8").replace(old.id, rehash(old.path)), encoding="utf-8")


def test_a_contribution_keeps_its_own_version_and_licence(made):
    """What the contributor handed in later does not relabel it; where it has none, the contributor's are shown."""
    dataset = made.workspace.store.get("dataset", made.run["dataset"])
    about = dataset.json("dataset.json")
    about["contributions"]["numpy-docs"] |= {"version": "1.0.0", "licence": "MIT"}
    dataset.file("dataset.json").write_text(json.dumps(about), encoding="utf-8")
    rehash_for_run(made, dataset)

    shown = {one.id: (one.version, one.licence) for one in read_view(made.workspace, made.run_id).contributions}

    assert shown["numpy-docs"] == ("1.0.0", "MIT")
    assert shown["scipy-docs"] == ("2.1.0", "BSD-3-Clause")


def test_seconds_are_work_not_duration(page):
    """The sum is called work, and what came from cache says when it counts from."""
    text = words(page)

    assert "136.6 seconds of work, added up over tasks that may run side by side." in text
    assert "2 of 4 stages came from cache and count as when they were made." in text
    assert "seconds in all" not in text


def test_texts_are_escaped(page):
    """A row with a script in it is shown, not run."""
    assert "&lt;script&gt;alert(" in page
    assert "<script>alert(" not in page
    assert page.count("<script") == 1


def test_nothing_is_loaded_from_elsewhere(page):
    """No address in any attribute or style, but links to the statements beside the page."""

    class Addresses(HTMLParser):
        found: list[tuple[str, str]]

        def handle_starttag(self, tag, attrs):
            self.found += [(tag, value) for key, value in attrs if key in ("src", "href", "srcset", "data", "action")]

    reader = Addresses()
    reader.found = []
    reader.feed(page)

    assert {tag for tag, _ in reader.found} == {"a"}
    assert all(re.fullmatch(r"statements/2026-11/[a-z-]+\.html", value) for _, value in reader.found)
    assert not re.search(r"https?://|url\(|@import", page)
    assert "default-src 'none'" in page


def test_76_contributors_and_60_topics_are_grouped(make_run):
    """The figure stays readable, the table keeps everyone, and the cents still add up."""
    made = make_run([f"author-{number:02d}" for number in range(76)], [f"command {number}" for number in range(60)])

    page = report_of(made)

    arriving = [tip for tip in tips(page) if " → " in tip and not tip.startswith("pool")]
    names = {tip.split(" → ")[1].split(":")[0] for tip in arriving}
    assert len(names) == 21
    assert any(re.fullmatch(r"\d+ others", name) for name in names)
    assert len({tip.split(" → ")[0] for tip in arriving}) == 16
    assert sum(minor_of(tip) for tip in arriving) == 100000
    lines = [row[0] for row in table_rows(page, "shares") if row]
    assert {line["contributor_id"] for line in made.shares} <= set(lines)


def test_causal_lm_is_compared_by_loss(make_run):
    """Without accuracy the page speaks of loss alone."""
    made = make_run(["ann", "bob"], ["haiku", "sonnet"], accuracy=False)

    text = words(report_of(made))

    assert "Loss on the 743 evaluation rows" in text
    assert "accuracy" not in text.lower()


def test_no_payee_means_no_diagram(made):
    """A period in which nobody is paid still has a page."""
    path = made.workspace.rewards / "2026-11" / "allocation.csv"
    lines = [line | {"amount_minor": "0"} for line in made.allocation]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    rehash_for_run(made, read_artifact(path.parent))

    page = report_of(made)

    assert 'class="sankey"' not in page


def test_nothing_is_shown_from_a_table_that_was_changed(made):
    """The file is named."""
    path = made.workspace.rewards / "2026-11" / "allocation.csv"
    path.write_bytes(path.read_bytes() + b"\n")

    with pytest.raises(IntegrityError, match=r"allocation\.csv: sha256 .*; restore the file$"):
        read_view(made.workspace, made.run_id)


def test_same_artifacts_give_the_same_bytes(made, page):
    """Written twice, the page is identical: it holds no time of day."""
    again = report_of(made)

    assert again == page


def test_an_unknown_run_is_refused(made):
    """The message says what is missing and what to do."""
    with pytest.raises(WorkspaceError, match=r"there is no run docs-0 in .*; run `tribute run` first"):
        read_view(made.workspace, "docs-0")


def test_a_period_paid_anew_by_another_run_is_refused(made):
    """The money on the page is the run's own, never another's."""
    write_manifest(made.workspace.rewards / "2026-11", REWARDS, {"attribution": "another"}, {"policy": {}}, {})

    with pytest.raises(WorkspaceError, match="has paid this period since"):
        read_view(made.workspace, made.run_id)


def test_a_later_run_overwrites_no_report(made, page):
    """Each run's page stays under its period and id; `report.html` is the latest of those that pay."""
    later = made.run | {"run_id": "docs-0123456789ab"}
    (made.workspace.runs / later["run_id"]).mkdir()
    (made.workspace.runs / later["run_id"] / "run.json").write_text(json.dumps(later))

    path = write_report(made.workspace, later["run_id"])

    first = made.workspace.reports / "2026-11" / f"{made.run_id}.html"
    assert path == made.workspace.reports / "2026-11" / "docs-0123456789ab.html"
    assert made.run_id in words(first.read_text(encoding="utf-8"))
    assert page == first.read_text(encoding="utf-8").replace("../../statements/", "statements/")
    assert "docs-0123456789ab" in (made.workspace.root / LATEST).read_text(encoding="utf-8")


def test_an_experiment_has_a_page_without_money(made, page):
    """A run that pays nobody shows credit and card, stays under its own name, and leaves the paid run's page."""
    later = made.run | {"run_id": "try-0123456789ab", "period": None, "rewards": None}
    (made.workspace.runs / later["run_id"]).mkdir()
    (made.workspace.runs / later["run_id"] / "run.json").write_text(json.dumps(later))
    before = (made.workspace.root / LATEST).read_bytes()

    path = write_report(made.workspace, later["run_id"])

    text = words(path.read_text(encoding="utf-8"))
    assert path == made.workspace.reports / "try-0123456789ab.html"
    assert "This run pays nobody." in text
    assert all(line["contributor_id"] in text for line in made.shares)
    assert not any(word in text for word in ("EUR", "period", "policy"))
    assert (made.workspace.root / LATEST).read_bytes() == before


def test_rows_near_the_evaluation_are_counted_and_not_shown(made, page):
    """Which rows came close to the sealed evaluation would tell what is in it."""
    near = {line["row_id"] for line in made.exclusions if line["reason"] == "near_evaluation"}

    assert near
    assert not any(row in page for row in near)
    assert f"Near evaluation: {REASONS['near_evaluation']}." in words(page)
