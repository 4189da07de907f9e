"""Use of a dataset that a month does not pay: the dataset's next period pays it, whole, and by its own answers."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.rewards.helpers.metered import STEPS, Answer, sealed
from tests.rewards.helpers.people import CLOSERS, POLICY, make_house
from tests.rewards.helpers.world import make_world
from tribute.artifacts import Store
from tribute.errors import IntegrityError
from tribute.report.periods_page import write_periods
from tribute.rewards import close, tables
from tribute.rewards.ledger import ledger
from tribute.rewards.period import PeriodFolder
from tribute.rewards.policy import published
from tribute.rewards.statements.document import Documents
from tribute.rewards.statements.page import Pages
from tribute.rewards.statements.page_parts import RegistryTexts
from tribute.rewards.statements.records import PeriodRecords
from tribute.rewards.usage.queries import PAID_STEPS
from tribute.rewards.verification.recompute import verify_deep
from tribute.rewards.verification.verify import verified, verify_period
from tribute.rewards.verification.workspace_checks import verify_in_workspace

TOOL = Path(__file__).parents[3] / "tools" / "verify_rewards.py"
ACME, LAB = "payer-acme", "payer-lab"
EUR = 1_000_000
UNIT = PAID_STEPS // 100
TLDR = "tldr@fedcba9876543210"
NOVEMBER = [
    Answer(ACME, 100 * EUR, {"numpy": STEPS}),
    Answer(ACME, 40 * EUR, {"scipy": STEPS}, model=TLDR),
    Answer(LAB, 20_015_000, {"pandas": STEPS}, model=TLDR),
    Answer("payer-house", 5 * EUR, {"numpy": STEPS}, model=TLDR, affiliated=True),
]
DECEMBER = [Answer(ACME, 30 * EUR, {"sympy": STEPS}, model=TLDR), Answer(LAB, 10 * EUR, {"numpy": STEPS})]


@pytest.fixture(scope="module")
def months(tmp_path_factory):
    """The house after two months: November paid `docs`, December pays `tldr`."""
    house = make_house(tmp_path_factory.mktemp("deferred") / "work")
    content = yaml.safe_load(POLICY) | {"version": "v1.1.0"}
    content["pools"] = {"evaluation": {"part": "0.1", "pays": "shares"}, "answers": {"part": "0.9", "pays": "queries"}}
    house.policy.write_text(yaml.safe_dump(content), encoding="utf-8")
    published.publish(house.workspace, house.policy, "anna", house.key("anna"))
    worlds = {"2026-11": house.world, "2026-12": make_world(house.root.parent / "tldr", dataset="tldr")}
    for (month, world), answers in zip(worlds.items(), (NOVEMBER, DECEMBER), strict=True):
        folder = sealed(house.root / "usage", answers, month)
        order = {"period": month, "fees": [], "policy": house.policy, "usage": folder}
        for name in CLOSERS:
            draft = world.pay(house.root, **order)
            day = {"2026-11": "2026-12-01", "2026-12": "2027-01-01"}[month]
            close.close(house.workspace, month, name, house.key(name), day)
        if month == "2026-11":
            page = write_periods(house.workspace, house.root.parent / "periods.html", day).read_text(encoding="utf-8")
    return house, worlds["2026-12"], order, draft, page


def test_the_next_period_pays_what_was_deferred(months):
    """Each payer funds both months' use, to the cent, and nothing is owed to the dataset any more."""
    house, world, order, draft, _ = months
    [funding] = draft.identity["config"]["funding"]
    books = ledger.load(house.workspace)
    drawn = {posting.entry_id: posting.ref for posting in books.postings if posting.event == "DRAW"}
    used = Counter[str]()
    for answer in (*NOVEMBER, *DECEMBER):
        used[answer.payer] += answer.micro // 10_000

    assert funding["payers_minor"] == {ACME: "7000", LAB: "2001"}
    assert {books.entry(ref)[0].event for ref in drawn.values()} == {"DEFER"}
    assert len(drawn) == 2
    assert books.balance("Liabilities:Datasets:tldr", "EUR") == 0
    assert books.balance("Liabilities:Datasets:docs", "EUR") == 1000
    assert {payer: -books.balance(f"Assets:Payers:{payer}", "EUR") for payer in used} == used
    assert world.pay(house.root, **order).id == draft.id


def test_it_is_divided_by_the_answers_that_were_paid(months):
    """Also by those of the earlier month, which the statement says; affiliated use funds nothing."""
    _, _, _, draft, _ = months
    rows = tables.read(draft.path / "payers.csv", tables.PAYERS)
    by_answers = {(row.payer, row.contributor_id): row.part for row in rows if row.basis == "answers"}
    records = PeriodRecords(draft.path)
    document = Documents(records, None, {}).make("pandas")
    page = Pages(records).render(document, RegistryTexts("tldr@v1.0.0", {}, {}))

    assert by_answers.keys() == {(ACME, "scipy"), (ACME, "sympy"), (LAB, "pandas")}
    assert by_answers[LAB, "pandas"] == 2001 * UNIT
    assert by_answers[ACME, "scipy"] + by_answers[ACME, "sympy"] == 7000 * UNIT
    assert by_answers[ACME, "scipy"] > by_answers[ACME, "sympy"]
    assert [(line["answers"], line["moved"]) for line in document["use"]] == [("3", "1")]
    assert document["use_seal"]["deferred"].keys() == {"2026-11"}
    assert "this month and in November 2026, whose answers no period had paid yet" in page


def test_finance_sees_what_is_owed_to_a_dataset(months):
    """Between the two months, on the page of all periods."""
    *_, page = months

    assert "use of tldr" in page
    assert "60.01" in page


def test_it_is_verified(months):
    """From the folder, with its workspace, from the sealed months, and by the script that needs no Tribute."""
    house, world, _, draft, _ = months
    read, _ = verified(draft.path)
    alone = subprocess.run([sys.executable, "-I", TOOL, draft.path], capture_output=True, text=True)

    assert verify_period(draft.path)
    assert verify_in_workspace(house.workspace, read)
    deep = verify_deep(draft.path, Store(world.dataset.path.parents[2]))
    assert any("2026-11 and 2026-12" in check for check in deep)
    assert alone.returncode == 0, alone.stdout + alone.stderr


def test_money_that_nobody_deferred_is_found(months):
    """A period that draws less than was deferred, or another month's use, does not hold."""
    house, _, _, draft, _ = months
    read = PeriodFolder(draft.path)
    read.config["usage"] = read.config["usage"] | {"deferred": {}}
    with pytest.raises(IntegrityError, match=r"names the use of \[\], expected that of \['2026-11'\]"):
        verify_in_workspace(house.workspace, read)
