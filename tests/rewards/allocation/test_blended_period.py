"""Theorem: a blended period says w and both parts wherever it says an amount, and none of the three can be forged."""

import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from tests.rewards.helpers.cards import CARD, UNMEASURED
from tests.rewards.helpers.forging import edit, rewrite
from tests.rewards.helpers.stated import stated
from tests.rewards.helpers.world import SHIPPED_POLICY, make_world
from tribute.artifacts import Store, read_artifact
from tribute.errors import IntegrityError, RewardError
from tribute.rewards import tables
from tribute.rewards.allocation.gate import fallback_note
from tribute.rewards.period.read import read_rewards
from tribute.rewards.verification.recompute import verify_deep
from tribute.rewards.verification.verify import verify_period

TOOL = Path(__file__).parents[3] / "tools" / "verify_rewards.py"
NOISY = CARD | {"seed_split": 0.525}
"""Two halves of the seeds differ so much that credit counts half."""
POOLS = """pools:
  answers: {part: "0.5", pays: queries}
  evaluation: {part: "0.5", pays: shares}
"""
USAGE = "query,user,amount\nplotting,u,3\nstatistics,u,1\ngraphs,w,0.000000000000000001\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The world of a noisy card, paid by the shipped policy; read only."""
    root = tmp_path_factory.mktemp("blended")
    world = make_world(root / "world", card=NOISY)
    world.pay(root / "shares", policy=SHIPPED_POLICY)
    text = SHIPPED_POLICY.read_text(encoding="utf-8")
    start, end = text.index("pools:"), text.index("holdback:")
    (root / "queries.yaml").write_text(text[:start] + POOLS + text[end:], encoding="utf-8")
    (root / "usage.csv").write_text(USAGE, encoding="utf-8")
    world.pay(root / "queries", policy=root / "queries.yaml", usage=root / "usage.csv")
    return root


@pytest.fixture(params=["shares", "queries"])
def folder(request, root, tmp_path):
    """A copy of a blended period that a test may spoil."""
    return shutil.copytree(root / request.param / "rewards" / "2026-11", tmp_path / "2026-11")


def outside(folder):
    return subprocess.run([sys.executable, "-I", TOOL, folder], capture_output=True, text=True, check=False)


def test_three_numbers_join_on_every_line(folder):
    """weight = w · credit share + (1 − w) · content share, to the last digit written; the manifest names w."""
    lines = read_rewards(folder)

    assert set(lines["rule"]) == {"blend"}
    assert lines["amount_minor"].sum() == 100_000
    for row in lines.to_dict("records"):
        w, credit, content = (Fraction(row[name]) for name in ("reliability", "credit_share", "content_share"))
        weight = Fraction(row["weight_num"], row["weight_den"])
        assert abs(weight - (w * credit + (1 - w) * content)) < Fraction(1, 10**11)
    assert read_artifact(folder).identity["config"]["reliability"] == "0.500"
    assert json.loads((folder / "gate.json").read_text())["reliability"] == "0.500"
    assert fallback_note(folder) == (
        ", paid 50.0 % by credit and 50.0 % by distinct content (weakest check: two halves of the seeds)"
    )


def test_who_did_harm_or_repeated_gets_nothing_and_the_unsure_their_content(folder):
    """`scrambler` is surely below zero and `copycat` had every row excluded; `faint` is paid for what it says."""
    lines = read_rewards(folder)
    lines = lines[lines["pool"] == "evaluation"].set_index("contributor_id")

    assert lines.loc["scrambler", ["amount_minor", "content"]].tolist() == [0, 0]
    assert lines.loc["scrambler", "status"] == "zero_credit_below_zero"
    assert lines.loc["copycat", "status"] == "zero_all_excluded"
    assert lines.loc["faint", "credit_share"] == 0 < lines.loc["faint", "amount_minor"]


def test_both_verifiers_recompute_it(folder):
    """Inside and outside; the outsider takes query pools' weights as they stand where payers.csv is kept back."""
    assert "the attribution card, judged anew by the policy's gate, counts 0.500: paid by blend" in verify_period(
        folder
    )
    assert (outside(folder).returncode, outside(folder).stderr) == (3, "")
    for name in ("payers", "usage", "evidence"):
        for path in folder.glob(f"{name}.*"):
            path.unlink()
    assert outside(folder).returncode == 3


def test_the_money_of_payers_is_recomputed_from_scores_and_usage(root):
    """Deep: payers.csv follows from scores.parquet, shares.parquet and usage.csv."""
    folder = root / "queries" / "rewards" / "2026-11"

    checks = verify_deep(folder, Store(root / "world"))

    assert "lines are allocated again, to the unit" in checks[-1]
    assert {row.payer for row in tables.read(folder / "payers.csv", tables.PAYERS)} == {"u", "w"}


def raise_w(gate):
    gate["reliability"] = "1.000"


def raise_check(gate):
    gate["reliability"] = "1.000"
    for check in gate["checks"]:
        check["counts"] = "1.000"


@pytest.mark.parametrize("change", [raise_w, raise_check])
def test_a_forged_reliability_is_found(folder, change):
    """Judged anew from the card inside; held against checks, manifest and weights outside."""
    rewrite(folder, "gate.json", change)

    assert outside(folder).returncode == 1
    with pytest.raises(IntegrityError, match=r"gate\.json: not what card\.json .* say, which is to pay by blend"):
        verify_period(folder)


def more(column, value):
    def change(rows):
        next(row for row in rows if row["contributor_id"] == "numpy")[column] = value

    return change


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("tokens", more("content", "99999")),
        ("allocation", more("content_share", "0.5")),
        ("allocation", more("credit_share", "0.5")),
        ("allocation", more("reliability", "0.75")),
        ("allocation", more("content", "7")),
        ("allocation", more("weight_num", "1")),
    ],
)
def test_forged_parts_are_found_behind_fresh_hashes(folder, table, change):
    """Content, both shares, w and the weight itself: each is recomputed, inside and outside."""
    edit(folder, table, change)

    assert outside(folder).returncode == 1
    with pytest.raises(IntegrityError, match=r"allocation\.csv: \w+: "):
        verify_period(folder)


def test_a_payer_s_money_moved_to_another_is_found(root, tmp_path):
    """Parts follow from what the payer asked; a unit moved is named with the payer."""
    folder = shutil.copytree(root / "queries" / "rewards" / "2026-11", tmp_path / "2026-11")

    def move(rows):
        first, second = [row for row in rows if row["payer"] == "u"][:2]
        first["part"], second["part"] = str(int(first["part"]) - 1), str(int(second["part"]) + 1)

    edit(folder, "payers", move)

    assert "payers.csv: u: not its parts" in outside(folder).stderr
    with pytest.raises(IntegrityError, match=r"payers\.csv: u: the parts do not follow"):
        verify_period(folder)


def test_an_attribution_without_content_is_refused(tmp_path):
    """What was attributed before 0.2.0 has no such column: the line says by which policy, and what to do."""
    world = make_world(tmp_path / "world", tokens=lambda table: table.drop(columns="content"))

    with pytest.raises(RewardError, match=r"tokens\.parquet: no column content, by which policy .* pays; delete"):
        world.pay(tmp_path / "w", policy=SHIPPED_POLICY)
    assert world.pay(tmp_path / "w")


@pytest.mark.parametrize(
    ("card", "name", "sentences"),
    [
        (NOISY, "numpy", ["The measurement of credit counts 50.0 % this month", "50.0 % × ", "Part of content"]),
        (NOISY, "faint", ["0.0 % of the credit that counts is yours", "Reliability"]),
        (UNMEASURED, "numpy", ["This period is paid by distinct content, not by credit", "Distinct content"]),
        (CARD, "numpy", ["This period is paid by credit: the measurement of credit passed every check"]),
    ],
)
def test_the_statement_says_w_and_both_parts(tmp_path, card, name, sentences):
    """In words in the lead, and step by step for experts."""
    page = stated(tmp_path / "workspace", card=card, policy=SHIPPED_POLICY).text(name)

    for sentence in sentences:
        assert sentence in page
