"""Theorem: the ways of the money add up to what payers paid, and reach those whom the period pays, in these parts."""

import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
import yaml

from tests.rewards.helpers.metered import STEPS, Answer, sealed
from tests.rewards.helpers.world import SHIPPED_POLICY, make_world
from tribute.report.usage_flows import CARRIED, UsePath, read_use, shown_use
from tribute.report.usage_sankey import narrow_usage_sankey, usage_sankey
from tribute.rewards.period import PeriodFolder
from tribute.workspace import Workspace

ACME, LAB = "payer-acme", "payer-lab"
MARGIN = Answer(ACME, 50_000, status=None, agent="scout", model="agent:scout")
ANSWERS = [
    Answer(ACME, 3_001_234, {"numpy": STEPS, "scipy": STEPS // 2}),
    Answer(ACME, 1_000_000, {"pandas": STEPS}, agent="scout"),
    MARGIN,
    Answer(LAB, 2_000_000, {"pandas": STEPS, "scrambler": -STEPS}),
    Answer(LAB, 1_000_000, {}, "no_gain"),
    Answer(LAB, 5_000_000, {"sympy": STEPS}, refund=5_000_000),
    Answer("payer-owner", 9_000_000, {"scrambler": STEPS}, affiliated=True),
    Answer("payer-test", 9_000_000, {"scrambler": STEPS}, test=True),
]


@pytest.fixture(scope="module")
def period(tmp_path_factory):
    """A period that use and a fee fund, of which 0.3 are not the contributors'."""
    root = tmp_path_factory.mktemp("use")
    content = yaml.safe_load(SHIPPED_POLICY.read_text(encoding="utf-8"))
    content["split"] = {"platform": "0.2", "model_owner": "0", "reserve": "0.1", "contributors": "0.7"}
    content["pools"] = {"evaluation": {"part": "0.1", "pays": "shares"}, "answers": {"part": "0.9", "pays": "queries"}}
    (root / "policy.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    work = Workspace.create(root / "work").root
    folder = sealed(work / "usage", ANSWERS)
    draft = make_world(root / "made").pay(work, policy=root / "policy.yaml", usage=folder, fees=[("100.00", "EUR")])
    return PeriodFolder(draft.path)


def sums(paths, *names):
    """Micro-units by these fields."""
    counted = Counter()
    for path in paths:
        counted[tuple(getattr(path, name) for name in names)] += path.micro
    return counted


def test_the_ways_add_up_to_what_was_paid(period):
    """By payer, agent and model; a refund is deducted, and tests and the operator's own use are no way of money."""
    paths = read_use(period, "EUR").paths

    assert sums(paths, "payer") == {(ACME,): 4_051_234, (LAB,): 3_000_000}
    assert sums(paths, "agent", "model")["scout", None] == 50_000
    assert sums(paths, "payer", "agent")[ACME, "scout"] == 1_050_000
    assert sums(paths, "target")[CARRIED,] == pytest.approx(1_234, abs=2)


def test_money_reaches_whom_the_period_pays(period):
    """A payer's money for answers goes as payers.csv says, the other pool's as everybody's, the rest by the split."""
    paths = read_use(period, "EUR").paths
    reached = sums(paths, "payer", "target")
    [acme] = {
        Fraction(row.part, row.paid) for row in period.payers if (row.payer, row.contributor_id) == (ACME, "numpy")
    }
    pools = period.fundings[0].pools
    rest = [line for line in period.allocation if line.pool == "evaluation"]
    share = Fraction(sum(line.amount_minor for line in rest if line.contributor_id == "numpy"), pools["evaluation"])
    net = period.fundings[0].net

    expected = 4_000_000 * (Fraction(pools["answers"], net) * acme + Fraction(pools["evaluation"], net) * share)
    assert reached[ACME, "numpy"] == pytest.approx(float(expected), abs=5)
    assert reached[LAB, "platform"] == pytest.approx(600_000, rel=1e-3)


def test_a_period_without_use_has_no_ways(period, tmp_path):
    """Neither has one whose sealed month lies elsewhere by now."""
    period.path.parent.parent.joinpath("usage").rename(tmp_path / "usage")
    gone = read_use(PeriodFolder(period.path), "EUR")
    (tmp_path / "usage").rename(period.path.parent.parent / "usage")

    assert gone is None


def test_the_figure_draws_every_way(period):
    """Bars are as high as their money, and a payer's ribbons keep their colour on the whole way."""
    use = read_use(period, "EUR")
    figure = str(usage_sankey(use.paths, "EUR"))

    heights = [float(text) for text in re.findall(r'<rect[^>]* height="([0-9.]+)"', figure)]
    assert sum(heights[:2]) == pytest.approx(300, abs=0.1)
    assert len(set(re.findall(r'<path [^>]*fill="(#[0-9a-f]+)"', figure))) == 2
    for name in (ACME, "scout keeps", "docs@0123456789abcdef", "numpy", CARRIED):
        assert f">{name}<" in figure
    assert "docs@" not in str(narrow_usage_sankey(use.paths, "EUR"))


def test_many_names_are_drawn_together():
    """The smallest beyond a column's place are one bar, and nothing is lost."""
    paths = [UsePath(f"payer-{number:02}", "asked directly", "docs@1", "numpy", 100_000) for number in range(30)]
    paths.append(replace(paths[0], target="<b>"))
    figure = str(usage_sankey(paths, "EUR"))

    assert "22 others" in figure
    assert "3.10 EUR from payers" in figure
    assert "<b>" not in figure


def test_receipts_are_listed_of_all_who_asked(period):
    """With who moved each answer most, or why nobody is named."""
    shown = shown_use(read_use(period, "EUR"))
    lines = {(line["payer"], line["agent"]): line for line in shown["answers"]}

    assert set(lines) == {(ACME, "asked directly"), (ACME, "scout"), (LAB, "asked directly")}
    assert lines[ACME, "asked directly"]["moved_by"] == ("numpy", pytest.approx(2 / 3))
    assert (shown["count"], shown["explained"], shown["unmoved"]) == (5, 4, 1)
