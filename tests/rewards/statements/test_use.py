"""Theorem: what a payer's money gives each contributor, added up over all who fund a period, is what that pays."""

from fractions import Fraction

import pytest
import yaml

from tests.rewards.helpers.cards import UNMEASURED
from tests.rewards.helpers.metered import STEPS, Answer, sealed
from tests.rewards.helpers.world import CARD, SHIPPED_POLICY, make_world
from tribute.formatting import percent
from tribute.rewards.allocation.evidence import sums
from tribute.rewards.period import PeriodFolder
from tribute.rewards.statements.document import Documents
from tribute.rewards.statements.page import Pages
from tribute.rewards.statements.page_parts import RegistryTexts
from tribute.rewards.statements.records import PeriodRecords
from tribute.rewards.statements.use import PeriodUse, reached
from tribute.workspace import Workspace

ACME, LAB = "payer-acme", "payer-lab"
ANSWERS = [
    Answer(ACME, 30_012_340, {"numpy": STEPS, "scipy": STEPS // 2}),
    Answer(ACME, 10_000_000, {"pandas": STEPS}, agent="scout", model="docs@fedcba9876543210"),
    Answer(LAB, 20_000_000, {"pandas": STEPS, "scrambler": -STEPS}),
    Answer(LAB, 10_000_000, {}, "no_gain"),
]
CARDS = {"credit": CARD, "half": CARD | {"seed_split": 0.525}, "content": UNMEASURED}


@pytest.fixture(scope="module", params=CARDS)
def period(request, tmp_path_factory):
    """A period that two payers and a fee fund, by a card that counts in full, by half or not at all."""
    root = tmp_path_factory.mktemp("use")
    content = yaml.safe_load(SHIPPED_POLICY.read_text(encoding="utf-8"))
    content["split"] = {"platform": "0.2", "model_owner": "0", "reserve": "0.1", "contributors": "0.7"}
    content["pools"] = {"evaluation": {"part": "0.4", "pays": "shares"}, "usage": {"part": "0.6", "pays": "queries"}}
    (root / "policy.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    work = Workspace.create(root / "work").root
    folder = sealed(work / "usage", ANSWERS)
    world = make_world(root / "made", card=CARDS[request.param])
    return PeriodFolder(world.pay(work, policy=root / "policy.yaml", usage=folder, fees=[("50.00", "EUR")]).path)


def test_the_parts_of_all_funders_are_what_is_paid(period):
    """To the unit that rounding may move."""
    [funding] = period.fundings
    paid = {}
    for line in period.allocation:
        paid[line.contributor_id] = paid.get(line.contributor_id, 0) + line.amount_minor

    given = dict.fromkeys(paid, Fraction(0))
    for funder, minor in funding.funders.items():
        for name, part in reached(period, funder, "EUR").items():
            given[name] += part * minor

    assert set(funding.funders) == {ACME, LAB, "operator"}
    assert {name: float(minor) for name, minor in given.items()} == pytest.approx(paid, abs=3)


def test_what_was_earned_by_model(period):
    """Models have the parts of what their answers cost, and say how many answers name a contributor."""
    lines = PeriodUse(period).by_model()
    pandas = {line.model: line for line in lines["pandas"]}
    [funding] = period.fundings

    [first, second] = [pandas[f"docs@{name}"] for name in ("0123456789abcdef", "fedcba9876543210")]
    assert (first.answers, first.moved, first.credit) == (3, 1, STEPS)
    assert (second.answers, second.moved) == (1, 1)
    acme = reached(period, ACME, "EUR")["pandas"] * funding.payers[ACME]
    assert second.earned == acme * Fraction(10_000_000, 40_012_340)
    assert first.earned + second.earned == acme + reached(period, LAB, "EUR")["pandas"] * funding.payers[LAB]


def test_a_statement_says_what_answers_earned(period):
    """In the JSON to 12 decimals, on the page as money, with the root of the month's receipts."""
    records = PeriodRecords(period.path)
    document = Documents(records, None, {}).make("numpy")
    page = Pages(records).render(document, RegistryTexts("docs@v1.0.0", {}, {}))

    [line] = [line for line in document["use"] if line["model"] == "docs@0123456789abcdef"]
    assert (line["answers"], line["moved"], line["credit"]) == ("3", "1", "1.000000000000")
    assert float(line["earned_minor"]) > 0
    assert document["use_seal"]["receipts_root"] == "0" * 64
    assert "What paid answers earned you" in page
    assert "Receipts of the month, root" in page
    assert "default-src 'none'" in page


def test_a_pool_that_pays_queries_alone_keeps_the_credit(tmp_path):
    """The credit on the evaluation stays in nats and what answers pay by is named as such, in JSON and on the page."""
    content = yaml.safe_load(SHIPPED_POLICY.read_text(encoding="utf-8"))
    content["pools"] = {"usage": {"part": "1", "pays": "queries"}}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    work = Workspace.create(tmp_path / "work").root
    world = make_world(tmp_path / "made")
    path = world.pay(work, policy=tmp_path / "policy.yaml", usage=sealed(work / "usage", ANSWERS), fees=[]).path
    records = PeriodRecords(path)
    document = Documents(records, None, {}).make("numpy")
    page = Pages(records).render(document, RegistryTexts("docs@v1.0.0", {}, {}))
    credit = sums(PeriodFolder(path).evidence)
    whole = sum(max(score, 0) for name, score in credit.items() if name in records.contributors)

    assert document["credit"] == {"credit": f"{credit['numpy']:f}"}
    assert f"{percent(credit['numpy'], whole)} of all the credit" in page.replace("\u00a0", " ")
    assert "Credit on paid answers" in page
    assert "by how much your rows reduced the loss" not in page
