"""Theorems of pools that are what was metered: each payer's money stays with what the payer asked, and is all paid."""

import subprocess
import sys
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rewards.helpers.metered import STEPS, Answer, sealed
from tests.rewards.helpers.world import SHIPPED_POLICY
from tribute.artifacts import Store
from tribute.errors import IntegrityError, RewardError
from tribute.rewards import tables
from tribute.rewards.allocation.allocate import largest_remainder
from tribute.rewards.allocation.answers import payer_rows
from tribute.rewards.allocation.funding import Funding
from tribute.rewards.allocation.payers import PayerDivision, by_contributor
from tribute.rewards.allocation.weights import ContributorScore
from tribute.rewards.usage.queries import PAID_STEPS, QueryCredits
from tribute.rewards.usage.sealed_usage import SealedUsage
from tribute.rewards.verification.recompute import verify_deep
from tribute.rewards.verification.verify import verify_period
from tribute.workspace import Workspace

TOOL = Path(__file__).parents[3] / "tools" / "verify_rewards.py"
ACME, GLOBEX = "payer-acme", "payer-globex"
EUR = 1_000_000
UNIT = PAID_STEPS // 100
NAMES = "abcd"
CREDITS = st.dictionaries(st.sampled_from(NAMES), st.integers(-STEPS, STEPS))
MARKETS = st.lists(
    st.builds(
        Answer,
        payer=st.sampled_from([ACME, GLOBEX]),
        micro=st.integers(1, 500_000),
        credits=CREDITS,
        status=st.sampled_from(["explained", "explained", "no_gain", "not_drawn", None]),
        probability=st.sampled_from([STEPS, STEPS // 2, STEPS // 7]),
        part=st.sampled_from([STEPS, STEPS // 3]),
    ),
    max_size=8,
)


@pytest.fixture
def policy(tmp_path):
    """The shipped policy with three tenths for others, and answers beside the evaluation."""
    content = yaml.safe_load(SHIPPED_POLICY.read_text(encoding="utf-8"))
    content["split"] = {"platform": "0.2", "model_owner": "0", "reserve": "0.1", "contributors": "0.7"}
    content["pools"] = {"evaluation": {"part": "0.1", "pays": "shares"}, "answers": {"part": "0.9", "pays": "queries"}}
    path = tmp_path / "metered.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path):
    """An empty workspace, in which the month is sealed."""
    return Workspace.create(tmp_path / "work").root


def answers():
    """Two payers who asked other things; one answer helped by nobody, one forbidden to explain, one refunded."""
    return [
        Answer(ACME, 3 * EUR, {"numpy": STEPS, "scipy": STEPS // 2}),
        Answer(ACME, EUR, {}, "no_gain"),
        Answer(GLOBEX, 2 * EUR, {"pandas": STEPS, "scrambler": -STEPS}),
        Answer(GLOBEX, EUR, {}, None),
        Answer(GLOBEX, 5 * EUR, {"sympy": STEPS}, refund=5 * EUR),
        Answer("payer-owner", 9 * EUR, {"scrambler": STEPS}, affiliated=True),
    ]


def paid(world, root, folder, policy, **changes):
    """The draft that this usage pays, with no other money."""
    return world.pay(root, policy=policy, usage=folder, **({"fees": []} | changes))


def test_the_pool_is_what_was_metered(world, root, policy):
    """Affiliated and refunded use funds nothing; the payers' parts are those of their own answers."""
    folder = sealed(root / "usage", answers())
    draft = paid(world, root, folder, policy)
    [funding] = draft.identity["config"]["funding"]
    rows = tables.read(draft.path / "payers.csv", tables.PAYERS)

    assert (funding["net_minor"], funding["payers_minor"]) == ("700", {ACME: "400", GLOBEX: "300"})
    spent = {(row.payer, row.basis): row.paid for row in rows}
    assert spent == {
        (ACME, "answers"): 300 * UNIT,
        (ACME, "evaluation"): 100 * UNIT,
        (GLOBEX, "answers"): 200 * UNIT,
        (GLOBEX, "evaluation"): 100 * UNIT,
    }
    by_answers = {row.contributor_id: row.payer for row in rows if row.basis == "answers"}
    assert by_answers == {"numpy": ACME, "scipy": ACME, "pandas": GLOBEX}
    journal = tables.read_csv(draft.path / "journal.csv", tables.JOURNAL)
    funded = {row["account"]: int(row["debit_minor"]) for row in journal if row["event_type"] == "FUND"}
    assert funded[f"Assets:Payers:{ACME}"] == 360
    assert "Expenses:DataRewards" not in funded


def test_what_was_metered_is_verified(world, root, policy):
    """From the folder, from the sealed month, and by the script that needs no Tribute."""
    folder = sealed(root / "usage", answers())
    draft = paid(world, root, folder, policy, fees=[("10.00", "EUR")])
    checks = verify_period(draft.path)
    alone = subprocess.run([sys.executable, "-I", TOOL, draft.path], capture_output=True, text=True)

    assert any("the money of 3 payers" in check for check in checks)
    assert any("as it was sealed" in check for check in verify_deep(draft.path, Store(world.dataset.path.parents[2])))
    assert alone.returncode == 3, alone.stdout + alone.stderr


def test_use_of_another_dataset_is_owed_to_it(world, root, policy):
    """A period pays one dataset; what others were used for leaves the payers' accounts all the same."""
    other = "tldr@fedcba9876543210"
    used = [Answer(ACME, 4 * EUR, model=other), Answer("payer-owner", EUR, model=other, affiliated=True)]
    draft = paid(world, root, sealed(root / "usage", [*answers(), *used]), policy)
    journal = tables.read_csv(draft.path / "journal.csv", tables.JOURNAL)
    moved = Counter()
    for row in journal:
        moved[row["event_type"], row["account"]] += int(row["debit_minor"]) - int(row["credit_minor"])
    alone = subprocess.run([sys.executable, "-I", TOOL, draft.path], capture_output=True, text=True)

    assert draft.identity["config"]["funding"][0]["net_minor"] == "700"
    assert moved["DEFER", "Liabilities:Datasets:tldr"] == -400
    assert moved["DEFER", f"Assets:Payers:{ACME}"] == 400
    assert moved["INCOME", "Income:Platform"] == -1000
    assert sum(moved[event, f"Assets:Payers:{ACME}"] for event in ("FUND", "RESERVE", "DEFER")) == 800
    assert verify_period(draft.path)
    assert alone.returncode == 3, alone.stdout + alone.stderr


def test_changed_usage_is_found(world, root, policy):
    """A file of the sealed month that is not the sealed one pays nobody, and fails a period that it paid."""
    folder = sealed(root / "usage", answers())
    draft = paid(world, root, folder, policy)
    sealed(root.parent / "other", answers()[:1])
    (folder / "credits.parquet").write_bytes((root.parent / "other" / "2026-11" / "credits.parquet").read_bytes())

    with pytest.raises(IntegrityError, match=r"credits\.parquet: not the file that was sealed"):
        verify_deep(draft.path, Store(world.dataset.path.parents[2]))
    with pytest.raises(RewardError, match="is the usage of 2026-11, 2026-12 is to be paid"):
        paid(world, root, folder, policy, period="2026-12")


def test_a_month_without_use_pays_nobody(world, root, policy):
    """There is nothing to divide."""
    with pytest.raises(RewardError, match="nobody's use funds it"):
        paid(world, root, sealed(root / "usage", []), policy)


def divided(market, kappa=Fraction(0)):
    """Minor units by payer, and contributor → part of all money, of a pool over this market."""
    with TemporaryDirectory() as root:
        usage = SealedUsage(sealed(Path(root), market), "docs")
        payers = usage.funds().get("EUR", {})
        funding = Funding("EUR", sum(payers.values()), 0, 0, 0, {"answers": sum(payers.values())}, payers)
        claims = [ContributorScore(name, Decimal(1), Decimal("0.1"), 1, 1, 0, Decimal(1), 10, 5) for name in NAMES]
        errors = dict.fromkeys(NAMES, Decimal("0.1"))
        evaluation = QueryCredits({}, {(name, "all"): STEPS for name in NAMES}, {}, errors)
        division = PayerDivision("answers", kappa, "2026-11", claims, "content")
        return payers, payer_rows(usage, division, funding, evaluation, Fraction("0.05"))


@settings(max_examples=300, deadline=None)
@given(MARKETS, st.sampled_from([Fraction(0), Fraction(1)]))
def test_every_unit_that_a_payer_paid_is_paid_out(market, kappa):
    """No more and no less, whatever was explained, drawn or forbidden."""
    payers, rows = divided(market, kappa)

    for payer, minor in payers.items():
        assert sum(row.part for row in rows if row.payer == payer) == minor * UNIT


@settings(max_examples=300, deadline=None)
@given(MARKETS, st.integers(1, 10**6), CREDITS, st.sampled_from([Fraction(0), Fraction(1)]))
def test_self_dealing_returns_at_most_the_contributors_part(market, micro, credits, kappa):
    """Who buys answers for own rows gets back 0.7 of what they cost at most, but for a unit of rounding."""
    pools, amounts = [], []
    for bought in (market, [*market, Answer("payer-attacker", micro, credits)]):
        payers, rows = divided(bought, kappa)
        pools.append(7 * sum(payers.values()))
        weights = by_contributor(rows)
        amounts.append(largest_remainder(pools[-1], weights, "2026-11") if weights else {})

    for name in amounts[1]:
        assert amounts[1][name] - amounts[0].get(name, 0) <= 7 * (micro // 10_000) + 1


def test_what_an_answer_does_not_explain_goes_by_the_evaluation():
    """Of an answer a third of which its sources explain, two thirds are not theirs."""
    _, rows = divided([Answer(ACME, 3 * EUR, {"a": STEPS}, part=STEPS // 3)])
    paid = {row.basis: row.paid for row in rows}

    assert abs(paid["answers"] - 100 * UNIT) < UNIT
    assert paid["answers"] + paid["evaluation"] == 300 * UNIT


def test_an_answer_too_small_to_divide_goes_by_the_evaluation():
    """A third of a millionth is less than the smallest step, so no credit pays and nothing is lost."""
    payers, rows = divided([Answer(ACME, EUR, {}, status="no_gain"), Answer(ACME, 1, {"a": STEPS}, part=STEPS // 3)])

    assert {row.basis for row in rows} == {"evaluation"}
    assert sum(row.part for row in rows) == payers[ACME] * UNIT


def test_drawing_leaves_a_standard_error():
    """Credit that stands on few drawn answers is uncertain, and with one answer as uncertain as it is large."""
    many = [
        Answer(ACME, EUR, {"a": STEPS, "b": STEPS // 2 * (number % 2)}, probability=STEPS // 2) for number in range(9)
    ]
    _, rows = divided(many)
    errors = {row.contributor_id: row.score_se for row in rows if row.basis == "answers"}
    _, alone = divided([Answer(ACME, EUR, {"a": STEPS}, probability=STEPS // 2)], Fraction(1))

    assert errors["b"] > 0
    assert {row.basis for row in alone} == {"evaluation"}
