"""Theorem: a statement says what the period's folder says, shows nobody else's rows, and nothing in it can act."""

import dataclasses
import html
import json
import re
import shutil
import subprocess
import time
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.rewards.cards import CARD, UNMEASURED
from tests.rewards.people import House, make_house, words
from tests.rewards.world import World, make_world
from tribute.artifacts import verify_artifact
from tribute.errors import RewardError
from tribute.rewards import card, charts, leaves, ledger, read_rewards, resolution
from tribute.rewards.documents import _extremes
from tribute.rewards.statements import write_statements
from tribute.rewards.views import shortened
from tribute.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Stated:
    """A period with everybody's statement."""

    world: World
    path: Path

    def page(self, name: str) -> str:
        """Somebody's page."""
        return (self.folder / f"{name}.html").read_text(encoding="utf-8")

    def document(self, name: str) -> dict:
        """Somebody's JSON."""
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))

    @property
    def folder(self) -> Path:
        """Where the statements are."""
        return self.path.parents[1] / "statements" / self.path.name


def stated(root: Path, **changes: object) -> Stated:
    """The small world, paid for two months and stated for the second."""
    Workspace.create(root)
    world = make_world(root, **changes)
    world.pay(root, period="2026-10", fees=[("800.00", "EUR")])
    paid = world.pay(root)
    write_statements(Workspace.open(root), "2026-11", words=lambda name: words(world, name))
    return Stated(world, paid.path)


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Stated:
    """Paid by credit; read only."""
    return stated(tmp_path_factory.mktemp("stated") / "workspace")


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Stated:
    """Paid by tokens, because the card was not measured; read only."""
    return stated(tmp_path_factory.mktemp("fallen") / "workspace", card=UNMEASURED)


def page(paid: Stated, name: str) -> str:
    """Somebody's page."""
    return paid.page(name)


class Tags(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self):
        super().__init__()
        self.names, self.attributes = [], []

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        self.attributes += attributes


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("numpy", "The model learned from your 24 rows, and they made it better"),
        ("copycat", "None of your rows was counted"),
        ("scrambler", "By the calculation the model would be better without your 24 rows"),
        ("faint", "by no more than the measurement could be wrong"),
        ("absent", "The model was not trained on any row of yours"),
    ],
)
def test_the_page_says_why(paid, name, sentence):
    """Everybody reads in words why the amount is what it is."""
    assert sentence in page(paid, name)


def test_every_amount_is_the_allocated_one(paid):
    """The amount on page and in JSON is that of allocation.csv."""
    for name, amount in read_rewards(paid.path)[["contributor_id", "amount"]].itertuples(index=False):
        assert f"<strong>{amount:,} <span>EUR</span></strong>" in page(paid, name)
        [line] = paid.document(name)["proof"]["figures"]["allocation"]
        assert Decimal(line["amount_minor"]) == 100 * amount


def test_a_page_is_self_contained(paid):
    """No script, nothing loaded, no link out of the page."""
    tags = Tags()
    tags.feed(page(paid, "numpy"))

    assert not {"script", "link", "img", "iframe", "object"} & set(tags.names)
    assert not {"src", "href"} & {name for name, _ in tags.attributes}
    assert "url(" not in page(paid, "numpy")


def test_contributed_text_is_never_markup(tmp_path):
    """A row that is HTML is shown as text."""
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"

    shown = stated(tmp_path / "workspace", text=attack).page("numpy")

    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "{{ 7 * 7 }}" in shown


def test_a_page_shows_own_rows_only(paid):
    """No row id of another contributor stands on a page."""
    for name in ("numpy", "scrambler", "faint"):
        owners = set(re.findall(r"([a-z]+)-1:\d+", page(paid, name)))
        assert owners == {name}


def test_the_json_holds_no_text(paid):
    """Hashes and numbers only: what is erased lives on in no statement."""
    texts = [text for name in ("numpy", "scipy") for _, text, _ in words(paid.world, name).rows.values()]
    document = json.dumps(paid.document("numpy"))

    assert texts
    assert not any(text in document for text in texts)


def test_an_erased_text_vanishes_from_the_next_page(paid, tmp_path):
    """A page made after the registry forgot a row shows its hash instead."""
    root = shutil.copytree(paid.path.parents[1], tmp_path / "workspace")
    gone = dataclasses.replace(words(paid.world, "numpy"), rows={})

    write_statements(Workspace.open(root), "2026-11", ["numpy"], lambda _: gone)

    shown = (root / "statements" / "2026-11" / "numpy.html").read_text(encoding="utf-8")
    digest = paid.document("numpy")["rows"]["helped"][0]["row_hash"]
    assert f"taken back; hash {digest[:16]}" in shown
    assert "example" not in shown


def test_excluded_rows_name_whose_came_first(paid):
    """The copied rows are counted and listed with their reason and the earlier contributor."""
    shown = page(paid, "copycat")

    assert shown.count("repeats a row that came first") == 1 + 10
    assert "14 – repeats a row that came first. exclusions.csv lists every one." in " ".join(shown.split())
    assert "first: NumPy" in shown


def test_every_id_is_on_the_page(paid):
    """Dataset, adapters, attribution, policy and evidence can be looked up from the page."""
    shown, world = page(paid, "numpy"), paid.world

    ids = [world.dataset.id, world.attribution.id, *(adapter.id for adapter in world.adapters)]
    [line] = paid.document("numpy")["proof"]["figures"]["allocation"]
    ids += [verify_artifact(paid.path).inputs["policy"], "docs@v1.0.0", line["evidence_sha256"]]
    assert all(id_ in shown for id_ in ids)
    assert "tribute verify period 2026-11" in shown


@pytest.mark.parametrize("name", ["numpy", "copycat", "absent"])
def test_the_proof_leads_to_the_root_in_the_manifest(paid, name):
    """With the JSON alone anybody climbs from the figures to the root; changed figures lead elsewhere."""
    proof = paid.document(name)["proof"]
    root = verify_artifact(paid.path).identity["config"]["merkle"]["root"]
    forged = json.loads(json.dumps(proof))
    forged["figures"]["allocation"][0]["amount_minor"] = "1"

    assert leaves.proves(proof, root)
    assert not leaves.proves(forged, root)


def test_the_change_since_the_period_before_adds_up(paid):
    """Pool, own data, others and policy sum to the change; here only the pool grew."""
    change = paid.document("numpy")["change"]
    parts = {name: int(minor) for name, minor in change["currencies"]["EUR"].items()}

    assert change["since"] == "2026-10"
    assert parts["now"] - parts["before"] == parts["pool"] > 0
    assert parts["own_data"] == parts["others"] == parts["policy"] == 0
    assert "Since October 2026: +" in page(paid, "numpy")


def test_what_the_model_would_lose_is_measured_or_said_not_to_be(paid):
    """Measured by retraining for whom it was, with its error where there is one; else it says so."""
    assert "loss would be higher by 12.3 ± 2.0 thousandths of a nat, 1.4 % of all" in " ".join(
        page(paid, "numpy").split()
    )
    assert "loss would be lower by 2.1 thousandths of a nat" in " ".join(page(paid, "scrambler").split())
    assert "was not measured this month" in page(paid, "scipy")


def test_the_balance_adds_up(paid):
    """What is owed is what came in less what went out, and stands on the accounts that are named."""
    document = paid.document("numpy")
    [balance] = document["proof"]["figures"]["balances"]

    signed = sum(int(balance[name]) for name in ("opening", "accrued", "adjusted"))
    assert signed - int(balance["withheld"]) - int(balance["paid"]) == int(balance["closing"])
    assert sum(map(int, document["standing"]["EUR"].values())) == int(balance["closing"])
    assert "open to dispute until 30 December 2026" in page(paid, "numpy")


def test_somebody_unknown_has_no_statement(paid):
    """One line says so."""
    with pytest.raises(RewardError, match="nobody is unknown to 2026-11"):
        write_statements(
            Workspace.open(paid.path.parents[1]), "2026-11", ["nobody"], lambda name: words(paid.world, name)
        )


def test_the_same_period_gives_the_same_bytes(paid, tmp_path):
    """A statement made again, alone, is the same to the byte."""
    root = shutil.copytree(paid.path.parents[1], tmp_path / "workspace")
    before = {path.name: path.read_bytes() for path in (root / "statements" / "2026-11").glob("numpy.*")}

    write_statements(Workspace.open(root), "2026-11", ["numpy"], lambda name: words(paid.world, name))

    assert {path.name: path.read_bytes() for path in (root / "statements" / "2026-11").glob("numpy.*")} == before
    assert len(before) == 2


def test_a_hundred_a_second(paid):
    """Made on demand, a statement takes no more than 10 ms of one processor, the period's opening included."""
    home, known = Workspace.open(paid.path.parents[1]), words(paid.world, "numpy")
    names = list(read_rewards(paid.path)["contributor_id"])
    write_statements(home, "2026-11", names, lambda _: known)

    started = time.process_time()
    write_statements(home, "2026-11", names * 20, lambda _: known)
    rate = 20 * len(names) / (time.process_time() - started)

    write_statements(home, "2026-11", names, lambda name: words(paid.world, name))
    assert rate >= 100, f"{rate:.0f} a second"


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize("name", ["numpy", "copycat"])
def test_printed_it_fits_two_sheets(paid, name, tmp_path):
    """A page with twenty rows, a whole card and a change prints on two sheets."""
    out = tmp_path / "page.pdf"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={tmp_path}/profile"]
    source = (paid.folder / f"{name}.html").resolve().as_uri()
    subprocess.run(
        ["chromium", *options, "--no-pdf-header-footer", f"--print-to-pdf={out}", source],
        check=True,
        capture_output=True,
    )

    assert len(re.findall(rb"/Type\s*/Page[^s]", out.read_bytes())) == 2


def test_a_closed_period_is_stated_with_what_was_paid_and_disputed(tmp_path):
    """After closing a page is no draft any more; what December decided is on December's statement."""
    house = make_house(tmp_path / "workspace")
    house.close("2026-11")
    resolution.open_dispute(house.workspace, "2026-11", "numpy", "numpy", "why", "2026-12-05", "")
    for name in ("rita", "ron"):
        resolution.decide(house.workspace, "2026-11-numpy-1", 1250, name, house.key(name), "ok", "2026-12-06")
    house.close("2026-12")

    for period in ("2026-11", "2026-12"):
        write_statements(house.workspace, period, ["numpy"], house.words)

    november, december = (stated_page(house, period) for period in ("2026-11", "2026-12"))
    assert "draft" not in november
    assert "corrections" not in november
    assert "<b>+12.50 EUR</b><span>corrections</span>" in december
    assert "Dispute 2026-11-numpy-1" in november
    assert ledger.read(house.workspace).closed == ["2026-11", "2026-12"]


def stated_page(house: House, period: str) -> str:
    """Numpy's page."""
    return (house.root / "statements" / period / "numpy.html").read_text(encoding="utf-8")


def credits(*values: int) -> list[tuple[str, Decimal]]:
    """Row hashes with credits."""
    return [(f"h{place}", Decimal(value)) for place, value in enumerate(values)]


def test_no_row_is_both_best_and_worst():
    """With few rows, the two lists share none; only rows above zero count as helping."""
    found = _extremes(credits(5, 3, 1, 0, -2))

    assert [row["credit"] for row in found["helped"]] == ["5", "3", "1"]
    assert [row["credit"] for row in found["least"]] == ["-2", "0"]


def test_many_slices_are_summed_up():
    """Beyond eight slices the smallest stand as one, and the sum stays the same."""
    slices = [(f"s{n:03d}", Decimal(100 - n)) for n in range(150)]

    short = shortened(slices)

    assert len(short) == 8
    assert short[-1][0] == "143 others"
    assert sum(value for _, value in short) == sum(value for _, value in slices)


def test_bars_start_at_zero_and_stay_on_the_page():
    """Positive bars run right of the zero, negative ones left, all within 0 and 100 %."""
    plus, minus = charts.bars([("a", Decimal(3)), ("b", Decimal(-1))])

    assert plus.start == plus.zero == minus.zero == "26.00%"
    assert (minus.start, minus.width, plus.width) == ("2.00%", "24.00%", "72.00%")
    assert (plus.tone, minus.tone) == ("plus", "minus")


def test_a_ladder_ends_where_it_should():
    """Each step starts where the one before ended."""
    up, down = charts.ladder(Decimal(50), [("a", Decimal(50)), ("b", Decimal(-75))])

    assert (up.start, up.width) == ("50.00%", "48.00%")
    assert (down.start, down.width) == ("26.00%", "72.00%")


def test_nothing_to_draw_is_drawn_as_nothing():
    """All values zero is no division by zero."""
    assert charts.bars([("a", Decimal(0))])[0].width == "0.00%"


def text(paid, name):
    """A page's words, without markup."""
    body = page(paid, name).split("</style>", 1)[1]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


NAMES = ("numpy", "faint", "copycat", "absent", "scrambler")


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_says_that_credit_paid(paid, name):
    """Where the card passed, the page says so, and what was found and needed."""
    words = text(paid, name)

    assert "paid by credit: the measurement of credit passed every check that the policy asks for" in words
    assert "0.900 0.850 or more (seed against seed 0.950, less 0.1)" in words
    assert "✗" not in words
    assert "tokens instead" in words
    assert "paid by training tokens" not in words


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_says_that_tokens_paid_and_why(fallen, name):
    """On the fall-back each page, also of who gets nothing, names the checks that did not pass."""
    words = text(fallen, name)

    assert (
        "This period is paid by training tokens, not by credit, because the measurement of credit did not pass its "
        "checks. What did not pass: leave-one-out rank, planted duplicates, planted shuffled labels." in words
    )
    assert words.count("✗") == 3
    assert words.count("✓") == 1
    assert "passed every check" not in words


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("numpy", r"Yours are [\d,]+ tokens, \d\d\.\d % of all that count\."),
        ("scrambler", "Nothing goes to rows whose credit is surely below zero, as that of your 24 rows"),
        ("copycat", "None of your rows was counted"),
        ("absent", "The model was not trained on any row of yours"),
    ],
)
def test_by_tokens_the_page_says_why_the_amount_is_what_it_is(fallen, name, sentence):
    """The reason speaks of tokens, never of credit that was paid."""
    assert re.search(sentence, text(fallen, name))


def test_by_tokens_the_steps_lead_from_tokens_to_the_amount(fallen):
    """The calculation starts with the contributor's tokens, and the weight is in tokens."""
    line = read_rewards(fallen.path).set_index("contributor_id").loc["numpy"]
    words = text(fallen, "numpy")

    assert f"duplicates left out {line['weight_num']:,} tokens" in words
    assert f"where the upper end is below zero {line['weight_num']:,} tokens" in words
    assert "× standard error, never below zero" not in words
    assert "counted after uncertainty" not in words


def test_the_whole_card_is_on_every_statement(paid, fallen):
    """Every figure stands there with the best to be found; what was not measured says so."""
    passed, failed = text(paid, "copycat"), text(fallen, "copycat")

    for figure in card.figures(CARD):
        assert figure.name.lower() in passed.lower()
        assert figure.found == card.NOT_MEASURED or figure.found in passed
    assert "rank of the credits: 0.700 at best 0.950 (seed against seed)" in passed
    assert "Not measured this month: random rows removed (LDS), LDS without harmful contributors, coalitions." in passed
    assert "Not measured this month: leave-one-out rank of the credits, " in failed
    assert "Method: in-run; cost: 19.4 trainings on all rows; validation: quick." in passed
