"""Theorem: a statement says what the period's folder says, shows nobody else's rows, and nothing in it can act."""

import dataclasses
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from tests.rewards.helpers.cards import UNMEASURED
from tests.rewards.helpers.disputing import say
from tests.rewards.helpers.people import POLICY, House, make_house, words
from tests.rewards.helpers.stated import Stated, stated
from tests.rewards.helpers.world import ROWS_EACH, make_world
from tribute.artifacts import verify_artifact
from tribute.errors import IntegrityError, RewardError
from tribute.rewards.disputes import resolution
from tribute.rewards.disputes.dispute import Step
from tribute.rewards.ledger import ledger
from tribute.rewards.period import leaves
from tribute.rewards.period.read import read_rewards
from tribute.rewards.statements.statements import write_statements
from tribute.workspace import Workspace


@pytest.fixture(scope="module", autouse=True)
def _listed() -> Iterator[None]:
    """The world's contributors have 24 rows each; here these are enough to list some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tribute.rewards.statements.document.LEAST_ROWS", ROWS_EACH)
        yield


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Stated:
    """Paid by credit; read only."""
    return stated(tmp_path_factory.mktemp("stated") / "workspace")


class Tags(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self):
        super().__init__()
        self.names, self.attributes = [], []

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        self.attributes += attributes


def test_every_amount_is_the_allocated_one(paid):
    """The amount on page and in JSON is that of allocation.csv."""
    for name, amount in read_rewards(paid.path)[["contributor_id", "amount"]].itertuples(index=False):
        assert f"<strong>{amount:,} <span>EUR</span></strong>" in paid.page(name)
        [line] = paid.document(name)["proof"]["figures"]["allocation"]
        assert Decimal(line["amount_minor"]) == 100 * amount


def test_a_page_is_self_contained(paid):
    """No script, nothing loaded, no link out of the page."""
    tags = Tags()
    tags.feed(paid.page("numpy"))

    assert not {"script", "link", "img", "iframe", "object"} & set(tags.names)
    assert not {"src", "href"} & {name for name, _ in tags.attributes}
    assert "url(" not in paid.page("numpy")


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
        owners = set(re.findall(r"([a-z]+)-1:\d+", paid.page(name)))
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
    document = json.loads((root / "statements" / "2026-11" / "numpy.json").read_text(encoding="utf-8"))
    digest = document["rows"]["helped"][0]["row_hash"]
    assert f"taken back; hash {digest[:16]}" in shown
    assert "example" not in shown


def test_every_id_is_on_the_page(paid):
    """Dataset, adapters, attribution, policy and evidence can be looked up from the page."""
    shown, world = paid.page("numpy"), paid.world

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
    assert "Since October 2026: +" in paid.page("numpy")


def test_a_change_of_rule_is_said(paid, tmp_path):
    """Where the month before was paid by tokens and this one by credit, the page says what counts as the policy."""
    root, policy = tmp_path / "workspace", tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    Workspace.create(root)
    world = make_world(root, card=UNMEASURED)
    world.pay(root, period="2026-10")
    world.pay(root, policy=policy)

    (page,) = write_statements(Workspace.open(root), "2026-11", ["numpy"], lambda name: words(world, name))

    said = "October 2026 was paid by tokens, this month by credit; that counts as the policy."
    assert said in page.read_text(encoding="utf-8")
    assert "counts as the policy" not in paid.page("numpy")


def test_the_balance_adds_up(paid):
    """What is owed is what came in less what went out, and stands on the accounts that are named."""
    document = paid.document("numpy")
    [balance] = document["proof"]["figures"]["balances"]

    signed = sum(int(balance[name]) for name in ("opening", "accrued", "adjusted"))
    assert signed - int(balance["withheld"]) - int(balance["paid"]) == int(balance["closing"])
    assert sum(map(int, document["standing"]["EUR"].values())) == int(balance["closing"])
    assert "open to dispute until 30 December 2026" in paid.page("numpy")


def test_somebody_unknown_has_no_statement(paid):
    """One line says so."""
    with pytest.raises(RewardError, match="nobody is unknown to 2026-11"):
        write_statements(
            Workspace.open(paid.path.parents[1]), "2026-11", ["nobody"], lambda name: words(paid.world, name)
        )


@pytest.mark.parametrize("period", ["../rewards/2026-11", "2026-11/../2026-11", "2026-11\n", ""])
def test_what_is_no_month_has_no_statement(paid, period):
    """It becomes a folder's name, so that nothing is read or written elsewhere."""
    with pytest.raises(RewardError, match="is no period; expected a month such as 2026-11"):
        write_statements(Workspace.open(paid.path.parents[1]), period)


@pytest.mark.parametrize("name", ["allocation.csv", "card.json", "evidence.parquet"])
def test_nothing_is_told_from_a_table_that_was_changed(paid, tmp_path, name):
    """The file is named and the statement stays as it was; of a period nobody is told to delete it."""
    root = shutil.copytree(paid.path.parents[1], tmp_path / "workspace")
    statement, table = root / "statements" / "2026-11" / "numpy.json", root / "rewards" / "2026-11" / name
    before = statement.read_bytes()
    table.write_bytes(table.read_bytes() + b"\n")

    with pytest.raises(IntegrityError, match=rf"{table}: sha256 .*; restore the file$"):
        write_statements(Workspace.open(root), "2026-11", ["numpy"], lambda _: words(paid.world, "numpy"))
    assert statement.read_bytes() == before


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
@pytest.mark.parametrize(("name", "sheets"), [("numpy", 3), ("copycat", 2)])
def test_printed_it_fits_two_sheets_and_one_for_experts(paid, name, sheets, tmp_path):
    """A page with twenty rows and a change prints on two sheets; what experts read follows on one of its own."""
    out = tmp_path / "page.pdf"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={tmp_path}/profile"]
    source = (paid.folder / f"{name}.html").resolve().as_uri()
    subprocess.run(
        ["chromium", *options, "--no-pdf-header-footer", f"--print-to-pdf={out}", source],
        check=True,
        capture_output=True,
    )

    assert len(re.findall(rb"/Type\s*/Page[^s]", out.read_bytes())) == sheets


def test_a_closed_period_is_stated_with_what_was_paid_and_disputed(tmp_path):
    """After closing a page is no draft any more; what December decided is on December's statement."""
    house = make_house(tmp_path / "workspace")
    house.close("2026-11")
    resolution.open_dispute(house.workspace, "2026-11", "numpy", Step("numpy", "why", "2026-12-05"))
    for name in ("rita", "ron"):
        say(house, "2026-11-numpy-1", 1250, name, "ok", "2026-12-06")
    house.close("2026-12")

    for period in ("2026-11", "2026-12"):
        write_statements(house.workspace, period, ["numpy"], house.words)

    november, december = (stated_page(house, period) for period in ("2026-11", "2026-12"))
    assert "draft" not in november
    assert "corrections" not in november
    assert "<b>+12.50 EUR</b><span>corrections</span>" in december
    assert "Dispute 2026-11-numpy-1" in november
    assert "Corrections this month" in december
    assert ledger.load(house.workspace).closed == ["2026-11", "2026-12"]


def stated_page(house: House, period: str) -> str:
    """Numpy's page."""
    return (house.root / "statements" / period / "numpy.html").read_text(encoding="utf-8")
