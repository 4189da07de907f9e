"""Theorem: months follow each other through everything that can happen to money, and at the end all of it ties out."""

import json
import random

import pytest

from tests.helpers.tiny import FILLERS, TOPICS, write_base
from tribute.contributions.registry.registry import Registry
from tribute.rewards.disputes.dispute import all_disputes
from tribute.rewards.ledger import accounts, ledger
from tribute.rewards.verification.tie_out import history
from tribute.rewards.verification.verify import verify_period
from tribute.simulation import year as steps
from tribute.simulation.config import YearConfig, load_year
from tribute.workspace import Workspace

AUTHORS = ("ada", "bob", "cy", "di", "eve")
MONTHS = ["2026-01", "2026-02", "2026-03"]
CONFIG = """run: year
dataset: tiny
folder: source
first: 2026-01
last: 2026-03
finetuning:
  base: {folder: base}
  lora: {r: 4, alpha: 8}
  epochs: 4
  batch_size: 8
  learning_rate: 0.01
  max_tokens: 16
  seeds: [0, 1]
  trace_states: 16
attribution: {sample: 16, validation: "off"}
fee: {amount: "500.00", currency: EUR}
policy: policy.yaml
events: {correct: 2026-02, withdraw: 2026-03, bounce: 2026-03, claw_back: 2026-03, dispute: 2026-02, appeal: 2026-03}
"""
POLICY = """id: tiny
version: v1.0.0
description: What was not measured does not pass the gate, so tokens pay.
effective_from: 2026-01-01
split: {reserve: "0.1", contributors: "0.9"}
holdback: {part: "0.2", days: 60}
dispute_days: 27
threshold: {EUR: "1.00"}
withholding: "0.1"
closers: [one, two]
reviewers: [three, four, five, six]
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> YearConfig:
    """Five authors who write for three months."""
    folder = tmp_path_factory.mktemp("year")
    write_base(folder / "base")
    (folder / "source").mkdir()
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "year.yaml").write_text(CONFIG)
    chance = random.Random(0)
    pairs = [_pair(chance, author, month) for month in MONTHS for author in AUTHORS for _ in range(20)]
    (folder / "source" / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    return load_year(folder / "year.yaml")


@pytest.fixture(scope="module")
def year(engine: None, config: YearConfig, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace after the last month; read only."""
    from flows.year import year as simulate

    home = Workspace.create(tmp_path_factory.mktemp("simulated") / "workspace")
    simulate(str(home.root), config)
    return home


def _pair(chance: random.Random, author: str, month: str) -> dict[str, str]:
    topic = chance.choice(list(TOPICS))
    words = [*chance.sample(TOPICS[topic], 2), *chance.sample(FILLERS, 3)]
    day = f"{month}-{chance.randint(1, 28):02d}"
    pair = {
        "contributor_id": author,
        "page": f"{topic}-one",
        "platform": "common",
        "prompt": " ".join(words),
        "day": day,
    }
    return pair | {"last_editor_id": author, "response": topic}


def events(home: Workspace, kind: str) -> list[dict[str, str]]:
    """The lines of one event, in the ledger's order."""
    return [row for row in ledger.load(home).postings if row.event == kind]


def test_every_month_is_closed_and_verifies(year: Workspace):
    """Signed by two, and every file, sum and proof of it holds."""
    assert ledger.load(year).closed == MONTHS
    for month in MONTHS:
        assert verify_period(year.rewards / month)


def test_the_balances_tie_out(year: Workspace):
    """Fees less the reserve are what is owed, paid and withheld; what came in went somewhere."""
    found = history(year, "EUR")
    books = ledger.load(year)

    accrued = sum(one.moves["accrued"] for one in found.months)
    adjusted = sum(one.moves["adjusted"] for one in found.months)
    out = sum(one.moves["paid"] + one.moves["withheld"] for one in found.months)
    assert accrued == 3 * 45_000
    assert accrued + adjusted - out == found.months[-1].moves["closing"]
    assert books.balance(accounts.BANK, "EUR") == sum(one.moves["paid"] for one in found.months)
    assert books.balance(accounts.POOL, "EUR") == 0
    assert len(found.ties) == 3


@pytest.mark.parametrize(
    ("kind", "month"),
    [
        ("ADJUST", "2026-02"),
        ("RETURN", "2026-03"),
        ("CLAWBACK", "2026-03"),
        ("PAY", "2026-03"),
        ("WITHHOLD", "2026-03"),
    ],
)
def test_what_happened_was_posted_in_its_month(year: Workspace, kind: str, month: str):
    """Each in the open month, linked to what it goes back to where it goes back."""
    posted = [row for row in events(year, kind) if row.period == month]

    assert posted
    assert kind in ("PAY", "WITHHOLD") or all(row.ref for row in posted)


def test_a_claim_is_netted_by_the_next_accrual(year: Workspace):
    """More was taken back than stood there; the next month's accrual paid for the rest."""
    rows = events(year, "CLAWBACK")
    netted = [row for row in rows if row.reason == "claim_netted"]

    assert [row for row in rows if accounts.owner(row.account)[1] == "Claim"]
    assert netted


def test_what_was_withdrawn_is_learned_from_no_more(year: Workspace):
    """The contribution is in February's version and not in March's, and what it earned stays earned."""
    registry = Registry.open(year)
    [entry] = [entry for entry in registry.entries() if entry.event == "withdraw"]
    before, after = (registry.snapshot(f"tiny@v{number}.0.0").live for number in (2, 3))

    assert entry.subject in before
    assert entry.subject not in after
    earned = [row for row in events(year, "ACCRUE") if row.contributor_id == entry.details["contributor_id"]]
    assert {row.period for row in earned} >= {"2026-01", "2026-02"}
    assert not events(year, "REVERSE")


def test_the_dispute_was_rechecked_decided_and_appealed(year: Workspace):
    """Retrained with the run's seeds; two reviewers, then two others; held money went back."""
    [dispute] = all_disputes(year)
    [recheck] = [one for one in dispute.events if one["event"] == "recheck"]

    assert dispute.state == "final"
    assert recheck["seeds"] == [0, 1]
    assert len(recheck["loss_without"]) == len(recheck["retrainings"]) == 2
    assert float(recheck["effect_se"]) >= 0
    assert [one["reviewers"] for one in dispute.outcomes] == [["four", "three"], ["five", "six"]]
    books = ledger.load(year)
    assert all(books.lots.holds[entry].left == 0 for entry in dispute.holds)


def test_the_page_shows_the_year(year: Workspace):
    """Every month, every event and the sentences that say what ties out."""
    page = (year.root / "year.html").read_text(encoding="utf-8")

    assert all(f"{name} 2026" in page for name in ("January", "February", "March"))
    assert all(word in page for word in ("correction", "claw-back", "returned by the bank", "Checks that passed"))
    assert all_disputes(year)[0].id in page
    assert "<script" not in page


def test_a_second_time_nothing_is_done(year: Workspace, config: YearConfig):
    """A year that was interrupted goes on where it stopped; what is done is found."""
    before, events = ledger.load(year).head, len(Registry.open(year).entries())

    for month in steps.begin(year, config):
        steps.grow(year, config, month)
        assert steps.happen(year, config, month) == []
        steps.close(year, config, month)

    assert ledger.load(year).head == before
    assert len(Registry.open(year).entries()) == events
