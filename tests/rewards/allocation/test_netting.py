"""Theorem: names of one payee are paid no more together than one by one, and bad rows take from the good ones' pay."""

import json
import shutil
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.helpers.books import proved
from tests.rewards.helpers.cards import CARD
from tests.rewards.helpers.stated import stated
from tests.rewards.helpers.world import SHIPPED_POLICY, make_world
from tribute.contributions.registry import Registry
from tribute.contributions.rights import set_members, write_people
from tribute.contributions.rights.same_payee import same_payees
from tribute.errors import IntegrityError, RegistryError
from tribute.rewards.allocation.allocate import ZERO_NETTED
from tribute.rewards.allocation.weights import ContributorScore, blend_parts, counted_credit, harm_by_name, net
from tribute.rewards.period.read import read_rewards
from tribute.rewards.verification.recompute import verify_deep
from tribute.rewards.verification.verify import verify_period
from tribute.workspace import Workspace

TOOL = Path(__file__).parents[3] / "tools" / "verify_rewards.py"
NATS = st.integers(-(10**6), 10**6).map(lambda steps: Decimal(steps).scaleb(-6))
ERRORS = st.integers(0, 10**5).map(lambda steps: Decimal(steps).scaleb(-6))
KAPPAS = st.sampled_from([Fraction(0), Fraction(1), Fraction("1.96")])
PARTS = st.lists(st.tuples(NATS, ERRORS, st.integers(0, 500)), min_size=1, max_size=6)
PASSPHRASE = "correct horse"


def claim(name, score, error, content=10):
    return ContributorScore(name, score, error, 1, 1, 0, score + 2 * error, 1, content)


@proved
@given(PARTS, KAPPAS, st.integers(0, 5))
def test_netting_only_takes_and_only_from_that_payee(drawn, kappa, count):
    """Nobody counts more than alone; all names together count at most ΣZ − κ·√ΣSE²; others are untouched."""
    claims = [claim(f"c{number}", *part) for number, part in enumerate(drawn)]
    payees = {claim.contributor_id: "c0" for claim in claims[: count + 1]}

    netted = net(claims, payees, kappa, {})

    before, after = ({c.contributor_id: counted_credit(c, kappa) for c in some} for some in (claims, netted))
    group = [c for c in claims if c.contributor_id in payees]
    error = sum(Fraction(c.score_se) ** 2 for c in group)
    together = sum(after[name] for name in payees)
    assert all(after[name] <= before[name] for name in before)
    assert netted[len(group) :] == claims[len(group) :]
    # Σ − κ√ΣSE² without the root: what is above it, squared, is at most κ²·ΣSE², but for the step the root is cut to.
    missing = max(Fraction(0), sum(Fraction(c.score) for c in group) - together)
    assert together == 0 or (missing + Fraction(2, 10**12)) ** 2 >= kappa**2 * error


@proved
@given(PARTS, KAPPAS)
def test_a_payee_with_one_name_is_paid_as_before(drawn, kappa):
    """By credit and by content, whatever the name's credit is."""
    claims = [claim(f"c{number}", *part) for number, part in enumerate(drawn)]
    alone = {"c0": "c0"}

    netted = blend_parts(net(claims, alone, kappa, {}), kappa, Fraction(1, 2))

    assert netted == blend_parts(claims, kappa, Fraction(1, 2))


def test_the_rule_by_hand():
    """ada is worth 0.5 and her second name −0.2: they get 0.3 where they got 0.5, and bob, as before, 0.3."""
    claims = [claim("ada", Decimal("0.5"), Decimal(0)), claim("bob", Decimal("0.3"), Decimal(0))]
    claims += [claim("junk", Decimal("-0.2"), Decimal(0))]

    netted = net(claims, {"ada": "ada", "junk": "ada"}, Fraction(1), {})

    assert [counted_credit(claim, Fraction(1)) for claim in netted] == [Fraction("0.3"), Fraction("0.3"), 0]
    assert [claim.content for claim in netted] == [10, 10, 10]


def test_content_counts_where_the_payee_is_not_surely_below_zero():
    """Names whose sum is surely below zero bring no content; beside names that make up for them they do."""
    bad = [claim(f"junk-{number}", Decimal("-0.10"), Decimal("0.06")) for number in range(4)]
    good = claim("ada", Decimal("0.5"), Decimal("0.1"))

    def content(claims):
        return sum(
            claim.content for claim in net(claims, dict.fromkeys([c.contributor_id for c in claims], "p"), 1, {})
        )

    assert content(bad[:1]) == 10
    assert content(bad) == 0
    assert content([*bad, good]) == 50


@proved
@given(PARTS, KAPPAS, st.integers(0, 10**6).map(lambda steps: Decimal(steps).scaleb(-6)), st.booleans())
def test_harm_that_was_taken_out_only_takes_and_as_much(drawn, kappa, nats, netted):
    """Of the name itself, whether or not anything else is netted, never more than it did, and of nobody else."""
    claims = [claim(f"c{number}", *part) for number, part in enumerate(drawn)]
    payees = {claim.contributor_id: "c0" for claim in claims} if netted else {}

    before, after = (
        [counted_credit(c, kappa) for c in net(claims, payees, kappa, harm)] for harm in ({}, {"c0": nats})
    )

    group = range(len(claims)) if netted else range(1)
    assert all(0 <= after[place] <= before[place] for place in group)
    assert [after[place] for place in range(1, len(claims)) if not netted] == ([] if netted else before[1:])
    assert sum(before) - sum(after) <= nats


def test_harm_by_hand():
    """ada's good rows are worth 0.5, her harmful ones took 0.2: she counts 0.3, and bob, as before, 0.3."""
    claims = [claim("ada", Decimal("0.5"), Decimal(0)), claim("bob", Decimal("0.3"), Decimal(0))]
    lines = [("ada", "harmful", Decimal("0.15")), ("ada", "harmful", Decimal("0.05")), ("bob", "duplicate", None)]

    netted = net(claims, {}, Fraction(1), harm_by_name(lines))

    assert [counted_credit(claim, Fraction(1)) for claim in netted] == [Fraction("0.3"), Fraction("0.3")]


def test_a_period_counts_harm_and_everybody_finds_the_same(tmp_path):
    """pandas lost rows as harmful: its pay falls, others' rise, and all three verifiers find the weights."""

    def harmful(table):
        line = table.iloc[0].to_dict() | {"contributor_id": "pandas", "reason": "harmful", "similarity": 0.0021}
        return pd.concat([table, pd.DataFrame([line | {"content_sha256": "a" * 64}])], ignore_index=True)

    paid = {}
    for name, change in (("with", harmful), ("without", lambda table: table)):
        root = Workspace.create(tmp_path / name).root
        folder = make_world(root, card=CARD, exclusions=change).pay(root, policy=SHIPPED_POLICY).path
        verify_period(folder)
        verify_deep(folder, Workspace.open(root).store)
        ended = outside(folder)
        assert (ended.returncode, ended.stderr) == (3, "")
        paid[name] = read_rewards(folder).set_index("contributor_id")["amount_minor"]

    assert paid["with"]["pandas"] < paid["without"]["pandas"]
    assert paid["with"]["scipy"] > paid["without"]["scipy"]


def test_organisations_and_accounts_join():
    """a and b share an account, b and c an organisation: one payee, called by its first contributor in the dataset."""
    tree = {"contributors/org.yaml": b"id: org\nmembers: [b, c]\n", "contributors/a.yaml": b"id: a\n"}
    people = {"a": {"iban": "DE1"}, "b": {"iban": "DE1"}, "d": {"iban": "DE2"}, "e": {"name": "E"}, "f": {"name": "F"}}

    assert same_payees(tree, people, ["c", "b", "a", "d", "e", "f"]) == {"a": "a", "b": "a", "c": "a"}
    assert same_payees(tree, people, ["c", "d"]) == {}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """numpy, faint and scrambler are one organisation; scipy and sympy share an account. Paid by the shipped policy."""
    root = tmp_path_factory.mktemp("netted") / "workspace"
    workspace = Workspace.create(root)
    set_members(Registry.create(workspace), "acme", ["numpy", "faint", "scrambler"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIBUTE_VAULT_PASSPHRASE", PASSPHRASE)
        account = {"name": "Ada", "iban": "DE89 3704 0044 0532 0130 00"}
        write_people(workspace.vault, {"scipy": account, "sympy": account})
        make_world(root, card=CARD).pay(root, policy=SHIPPED_POLICY)
    return root


@pytest.fixture
def folder(root, tmp_path):
    """A copy of its period that a test may spoil."""
    return shutil.copytree(root / "rewards" / "2026-11", tmp_path / "2026-11")


def outside(folder):
    return subprocess.run([sys.executable, "-I", TOOL, folder], capture_output=True, text=True, check=False)


def test_a_period_nets_and_everybody_finds_the_same(root, folder):
    """The manifest says by ids alone who was netted; Tribute, the auditor and the outsider's tool find the weights."""
    manifest = (folder / "manifest.json").read_text()

    assert json.loads(manifest)["identity"]["config"]["payees"] == {
        **{"faint": "faint", "numpy": "faint", "scrambler": "faint"},
        **{"scipy": "scipy", "sympy": "scipy"},
    }
    assert "DE89" not in manifest
    verify_period(folder)
    verify_deep(folder, Workspace.open(root).store)
    ended = outside(folder)
    assert (ended.returncode, ended.stderr) == (3, "")


def test_the_harm_of_one_name_is_taken_off_the_other(folder, tmp_path):
    """scrambler's loss comes off numpy's pay, pandas gains, and scipy, whose other name is good, keeps its part."""
    alone_folder = make_world(tmp_path / "alone", card=CARD).pay(tmp_path / "paid", policy=SHIPPED_POLICY).path

    netted, alone = (read_rewards(path).set_index("contributor_id") for path in (folder, alone_folder))

    assert netted["amount_minor"]["numpy"] < alone["amount_minor"]["numpy"]
    assert netted["amount_minor"]["pandas"] > alone["amount_minor"]["pandas"]
    credit = [table["credit_share"] for table in (netted, alone)]
    assert len({round(share["scipy"] / share["pandas"], 9) for share in credit}) == 1


def test_the_statement_says_how_much_is_left(tmp_path):
    """Beside the step that takes the uncertainty off."""
    workspace = Workspace.create(tmp_path / "workspace")
    set_members(Registry.create(workspace), "acme", ["numpy", "scrambler"])

    text = stated(workspace.root, policy=SHIPPED_POLICY).text("numpy")

    assert "of it is left beside the payee’s other names" in text


@pytest.mark.parametrize("payees", [{}, {"numpy": "numpy", "pandas": "numpy", "scrambler": "numpy"}])
def test_other_payees_are_found_out(folder, payees):
    """A manifest that nets others fits no weight."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["identity"]["config"]["payees"] = payees
    (folder / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(IntegrityError):
        verify_period(folder)
    assert outside(folder).returncode == 1


def test_a_vault_without_its_passphrase_pays_nobody(root, monkeypatch, tmp_path):
    """Rather than to pay names one by one."""
    monkeypatch.delenv("TRIBUTE_VAULT_PASSPHRASE", raising=False)
    copy = Path(shutil.copytree(root, tmp_path / "workspace"))

    with pytest.raises(RegistryError, match="TRIBUTE_VAULT_PASSPHRASE"):
        make_world(copy, card=CARD).pay(copy, policy=SHIPPED_POLICY)


def test_who_is_netted_to_nothing_is_told_so():
    """The status names the reason; the other name has a credit below zero of its own."""
    from tribute.rewards.allocation.allocate import Terms, allocate

    claims = [claim("ada", Decimal("0.2"), Decimal(0), 0), claim("bob", Decimal("0.3"), Decimal(0), 0)]
    claims = net(
        [*claims, claim("junk", Decimal("-0.4"), Decimal(0), 0)], {"ada": "ada", "junk": "ada"}, Fraction(1), {}
    )

    lines = allocate(claims, pool=100, terms=Terms(Fraction(1), "credit"), period="2026-11")

    assert [(line.status, line.amount) for line in lines] == [
        (ZERO_NETTED, 0),
        ("accrued", 100),
        ("zero_credit_below_zero", 0),
    ]
