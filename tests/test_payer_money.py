"""From what payers pay to whom it goes: the ledger and the usage store say the same, to the unit."""

from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.helpers.terminal import tribute
from tests.rewards.helpers.books import empty
from tests.services.helpers.market import KEYS, MODEL, NEVER, Clock, Market, market, training
from tribute.contributions.registry import Registry
from tribute.contributions.rights import write_person
from tribute.errors import RewardError
from tribute.pipeline.usage.payer_money import payer_money
from tribute.rewards.allocation.funding import divide
from tribute.rewards.ledger import accounts, ledger, metered
from tribute.rewards.ledger.postings import funded
from tribute.rewards.policy.policy import Policy
from tribute.services.accounts import Accounts, Agent, Limits
from tribute.services.meter import Answer, Call, Opening, add_addendum, end_call, open_call, refund, tie_out
from tribute.services.seal import seal_month, verify_month
from tribute.services.store import Store, tables
from tribute.strict import parse_json
from tribute.workspace import Workspace

EUR = 10**6
CENT = 10**4
POLICY = Policy.model_validate(
    {
        "id": "p",
        "version": "v1.0.0",
        "description": "d",
        "split": {"platform": "0.2", "model_owner": "0", "reserve": "0.1", "contributors": "0.7"},
    }
)


@pytest.fixture
def home(tmp_path):
    """A workspace with a registry and two payers, one of whom owns an agent."""
    home = Workspace.create(tmp_path / "work")
    Registry.create(home)
    for command in (
        ("payer", "add", "acme", "--currency", "EUR"),
        ("payer", "add", "maker", "--currency", "EUR"),
        ("agent", "add", "scout", "--owner", "maker"),
    ):
        ended = tribute(*command, "-w", home.root)
        assert ended.code == 0, ended.err
    return home


def pay(home, word, *words):
    return tribute("payer", word, "--date", ledger.load(home).calendar.today, "-w", home.root, "--json", *words)


def balances(home):
    """Account's kind → debit in minor units."""
    totals = Counter()
    for (account, _), credit in ledger.load(home).balances().items():
        totals[":".join(account.split(":")[:2])] -= credit
    return totals


def test_a_payment_is_an_entry_and_credit_and_counts_once(home):
    """The ledger has it by the bank's reference, the payer can use it; told again it changes nothing."""
    once, again = (pay(home, "top-up", "acme", "100.00", "--reference", "RF18") for _ in range(2))
    other = pay(home, "top-up", "acme", "200.00", "--reference", "RF18")
    back = pay(home, "top-up", "--reference", "RF19", "acme", "--", "-30.00")

    assert (once.code, again.code, back.code) == (0, 0, 0), once.err + again.err + back.err
    assert again.data["credit_micro"] == 100 * EUR
    assert other.code == 2
    assert "RF18 was posted before with another body" in other.err
    assert back.data["credit_micro"] == 70 * EUR
    assert balances(home) == {"Assets:Bank": 7000, "Assets:Payers": -7000}


IBAN = "DE89 3704 0044 0532 0130 00"


@pytest.mark.parametrize("how", ["added", "paid", "named", "stranger"])
def test_a_contributors_own_money_funds_no_pool(home, monkeypatch, how):
    """Who pays from a contributor's account, or has an id of the registry, is affiliated; the account is not kept."""
    monkeypatch.setenv("TRIBUTE_VAULT_PASSPHRASE", "a long passphrase for the test")
    write_person(home.vault, "ada", {"name": "Ada", "iban": IBAN.replace(" ", "")})
    if how == "named":
        tribute("organisation", "buyer", "--member", "ada", "-w", home.root)
    other = "DE02 1203 0000 0000 2020 51"
    account = ("--iban", IBAN if how != "stranger" else other) if how in ("added", "stranger") else ()
    added = tribute("payer", "add", "buyer", "--currency", "EUR", *account, "-w", home.root)
    paid = pay(home, "top-up", "buyer", "1.00", "--reference", "RF20", *(("--iban", IBAN) if how == "paid" else ()))
    with Store.attach(f"sqlite:///{home.root}/services/usage.db") as store, store.reading() as connection:
        row = connection.execute(select(tables.account).where(tables.account.c.id == "buyer")).one()

    assert (added.code, paid.code) == (0, 0), added.err + paid.err
    assert row.affiliated == (how != "stranger")
    assert ("funds no pool" in added.out) == (how in ("added", "named"))
    assert IBAN.replace(" ", "") not in added.out + str(paid.data)


@pytest.mark.parametrize("how", ["added", "paid"])
def test_a_contributor_who_comes_later_is_recognised(home, monkeypatch, tmp_path, how):
    """By the account that the payer paid from, one by one or from a file; no account can be read in the store."""
    monkeypatch.setenv("TRIBUTE_VAULT_PASSPHRASE", "a long passphrase for the test")
    account = ("--iban", IBAN)
    tribute("payer", "add", "buyer", "--currency", "EUR", *(account if how == "added" else ()), "-w", home.root)
    paid = pay(home, "top-up", "buyer", "1.00", "--reference", "RF20", *(account if how == "paid" else ()))
    if how == "added":
        told = tribute("vault", "set", "ada", "name=Ada", f"iban={IBAN.lower()}", "-w", home.root)
    else:
        (tmp_path / "payees.csv").write_text(f"contributor,name,iban,bic\nada,Ada,{IBAN},\n", encoding="utf-8")
        told = tribute("vault", "import", tmp_path / "payees.csv", "-w", home.root)
    again = tribute("vault", "set", "ada", f"iban={IBAN}", "-w", home.root)
    with Store.attach(f"sqlite:///{home.root}/services/usage.db") as store, store.reading() as connection:
        rows = dict(connection.execute(select(tables.account.c.id, tables.account.c.affiliated)).all())
        [kept] = connection.execute(select(tables.bank_account.c.fingerprint)).scalars()

    assert (paid.code, told.code) == (0, 0), paid.err + told.err
    assert rows["buyer"]
    assert not rows["acme"]
    assert "buyer pays from such an account" in told.out
    assert "buyer" not in again.out
    assert len(kept) == 64
    assert IBAN.replace(" ", "") not in kept


def test_what_is_no_account_is_refused(home):
    """Nothing is posted, and no character of the account is repeated."""
    refused = pay(home, "top-up", "acme", "1.00", "--reference", "RF21", "--iban", "DE00 3704 0044 0532 0130 00")

    assert refused.code == 2
    assert "check digits are wrong" in refused.err
    assert "3704" not in refused.err
    assert balances(home) == {}


def test_an_invoice_gives_credit_and_its_payment_does_not(home):
    """What is invoiced can be used at once; the payment settles the invoice, and only one that there is."""
    given = pay(home, "invoice", "acme", "50.00", "--number", "2026-17")
    paid = pay(home, "invoice", "acme", "50.00", "--number", "2026-17", "--paid")
    unknown = pay(home, "invoice", "acme", "50.00", "--number", "2026-18", "--paid")

    assert given.data["credit_micro"] == paid.data["credit_micro"] == 50 * EUR
    assert "no invoice '2026-18'" in unknown.err
    assert balances(home) == {"Assets:Bank": 5000, "Assets:Payers": -5000, "Assets:Invoices": 0}


def test_a_stop_between_ledger_and_store_is_made_good(home, monkeypatch):
    """The entry was posted and the store not told: the same command again tells it."""
    with monkeypatch.context() as broken:
        broken.setattr(Accounts, "top_up", lambda *_: (_ for _ in ()).throw(RewardError("the power went")))
        stopped = pay(home, "top-up", "acme", "100.00", "--reference", "RF18")
    again = pay(home, "top-up", "acme", "100.00", "--reference", "RF18")

    assert stopped.code == 2
    assert again.data["credit_micro"] == 100 * EUR
    assert balances(home)["Assets:Bank"] == 10000


def test_margins_reach_the_agents_owners_once(home):
    """A closed period's margins are credit of who owns the agent, however often they are told."""
    with payer_money(home) as money, ledger.writing(home) as books:
        owner, payer = (money.texts.pseudonym(name) for name in ("maker", "acme"))
        line = {"payer": payer, "agent": "scout", "currency": "EUR", "minor": 25}
        seal = {"margins": [line], "income": [], "funds": [], "owners": {"scout": owner}}
        books.post(metered.metered(seal, "docs", books.calendar.today))
    credited, again = (tribute("payer", "margins", "-w", home.root, "--json").data["credited_payers"] for _ in range(2))
    shown = tribute("payer", "show", "maker", "-w", home.root, "--json").data

    assert (credited, again) == (["maker"], [])
    assert shown["credit_micro"] == 25 * CENT


# Every example opens stores, and tracing them for an explanation of a failure would take minutes.
DRAWN = partial(settings, deadline=None, phases=(Phase.reuse, Phase.generate))
PAYERS = ("acme", "maker", "house")
CALLS = st.lists(
    st.tuples(
        st.sampled_from(PAYERS),
        st.sampled_from(["alone", "agent", "agent", "test"]),
        st.integers(1, 400),
        st.sampled_from(["keep", "keep", "refund", "part"]),
    ),
    max_size=6,
)
"""Who asks, how, how many tokens are answered, and what is given back."""


def shop(url, clock):
    """A market of three payers: one owns an agent with a margin of a fifth, one is the operator's own."""
    opened = market(url, clock=clock)
    place = opened.__enter__()
    place.accounts.add_payer("maker", "EUR")
    place.accounts.add_payer("house", "EUR", affiliated=True)
    for name in PAYERS:
        place.accounts.top_up(name, f"more-{name}", 1000 * EUR)
    place.accounts.add_agent(Agent("bot", "maker", None, 200_000))
    return opened, place


def ask(place: Market, who: str, how: str, tokens: int, then: str) -> tuple[int, int]:
    """One call, explained by rows of `ada`, as drawn: what it cost, and what was given back."""
    limits = Limits(10**12, 10**12, NEVER)
    agent = "bot" if how == "agent" else None
    key = place.keys.issue(who, limits, agent=agent, test=how == "test")[1]
    root = open_call(place.meter, key, Opening(10**7, b"go")) if agent else None
    hold = place.meter.hold(key, Call(MODEL, b"why?", 5, tokens, parent=root and root.receipt))
    settled = place.meter.settle(hold, Answer(b"so", 5, tokens, pairs=[((1,), (2,))]))
    add_addendum(place.meter, settled.receipt, training({"ada": 10**12}, mask=place.meter.texts.mask(who)))
    cost, back = settled.micro, 0
    if root:
        ended = end_call(place.meter, key, root.receipt, b"done")
        cost = ended.micro
        if then == "refund" and ended.micro > settled.micro:
            back += ended.micro - settled.micro
            refund(place.meter, root.receipt, back, f"back-{root.receipt[-8:]}", "bad")
    if then != "keep":
        given = settled.micro if then == "refund" else 1
        refund(place.meter, settled.receipt, given, f"back-{settled.receipt[-8:]}", "bad")
        back += given
    return (0, 0) if how == "test" else (cost, back)


@DRAWN(max_examples=15)
@given(CALLS)
def test_what_payers_paid_is_all_divided(calls):
    """Paid = refunds + pools + operator + margins, and what is below a cent is carried; the store says the same."""
    with TemporaryDirectory() as folder:
        clock = Clock()
        opened, place = shop(f"sqlite:///{folder}/usage.db", clock)
        sums = [ask(place, *call) for call in calls]
        paid, back = (sum(column) for column in zip(*sums, strict=True)) if sums else (0, 0)
        spent = {name: place.accounts.balance(name).spent for name in PAYERS}
        assert tie_out(place.store) == []
        clock.pass_(days=3)
        sealed = seal_month(place.meter.texts, "2026-11", Path(folder))
        names = {place.meter.texts.pseudonym(name): name for name in PAYERS}
        opened.__exit__(None, None, None)
        assert verify_month(sealed, KEYS) == []
        seal = parse_json((sealed / "seal.json").read_bytes())

    owes = [line for name in ("funds", "income", "margins") for line in seal[name]]
    assert sum(spent.values()) == paid - back == sum(line["minor"] * CENT + line["carried"] for line in owes)
    for payer, name in names.items():
        own = [line for line in owes if line["payer"] == payer]
        assert sum(line["minor"] * CENT + line["carried"] for line in own) == spent[name]
    assert not [line for line in seal["funds"] if names[line["payer"]] == "house"]

    funds = {line["payer"]: line["minor"] for line in seal["funds"] if line["minor"]}
    books = empty()
    if sum(funds.values()):
        funding = divide(sum(funds.values()), "EUR", POLICY, "2026-11", funds)
        books.extend(funded(funding, "2026-11-30"))
    books.extend(metered.metered(seal, "docs", "2026-11-30"))
    minor = {name: sum(line["minor"] for line in seal[name]) for name in ("funds", "income", "margins")}
    pools = books.balance(accounts.POOL, "EUR")
    operator = books.balance(accounts.PLATFORM, "EUR") + books.balance(accounts.RESERVE, "EUR")
    assert pools + operator == minor["funds"] + minor["income"]
    owed = {name: -books.balance(accounts.payer(payer), "EUR") for payer, name in names.items()}
    assert sum(owed.values()) == minor["funds"] + minor["income"]
    earned = sum(line["minor"] for line in seal["margins"])
    own = sum(line["minor"] for line in owes if names[line["payer"]] == "maker")
    assert owed["maker"] == own - earned


@DRAWN(max_examples=10)
@given(CALLS, st.integers(1, 20), st.booleans())
def test_self_dealing_returns_at_most_the_contributors_part_and_own_margins(calls, count, through_agent):
    """Who buys answers that own rows moved, also through an own agent, loses the operator's part of their price."""
    returned = []
    for bought in (0, count):
        with TemporaryDirectory() as folder:
            clock = Clock()
            opened, place = shop(f"sqlite:///{folder}/usage.db", clock)
            for call in calls:
                ask(place, *call)
            # `acme` and `maker` are one person here, which the operator does not know.
            who, how = ("acme", "agent") if through_agent else ("maker", "alone")
            paid = sum(ask(place, who, how, 300, "keep")[0] for _ in range(bought))
            clock.pass_(days=3)
            seal = parse_json((seal_month(place.meter.texts, "2026-11", Path(folder)) / "seal.json").read_bytes())
            opened.__exit__(None, None, None)
        funds = {line["payer"]: line["minor"] for line in seal["funds"] if line["minor"]}
        # As if every answer were moved by the attacker's rows alone: the most that any division could give.
        pools = divide(sum(funds.values()), "EUR", POLICY, "2026-11", funds).contributors if funds else 0
        returned.append((pools, sum(line["minor"] for line in seal["margins"]), paid))

    (before, earlier, _), (after, later, paid) = returned
    margins = (later - earlier) * CENT
    assert (after - before) * CENT <= 7 * (paid - margins) // 10 + 2 * CENT
