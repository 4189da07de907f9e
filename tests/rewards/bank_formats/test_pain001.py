"""The payment file is what the schema and the payables say, the same each time, and only where the vault is."""

import shutil
import string
from decimal import Decimal
from functools import cache
from importlib import resources
from io import BytesIO
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiso20022.pain import pain_001_001_09 as pain

from tests.helpers.terminal import tribute
from tests.rewards.helpers.people import House
from tribute.artifacts import SEAL, read_artifact, write_manifest
from tribute.contributions.rights import missing_to_pay, vault
from tribute.errors import RewardError
from tribute.ids import parse_payee_ref
from tribute.keys import make_key, public_half
from tribute.rewards import tables
from tribute.rewards.bank_formats import pain001
from tribute.rewards.bank_formats.iso20022 import schema_faults
from tribute.rewards.bank_formats.pain001 import payment_file
from tribute.rewards.period import signatures
from tribute.rewards.period.draft import REWARDS

IBANS = {"treasury": "NL91ABNA0417164300", "other": "DE89 3704 0044 0532 0130 00"}
NS = {"p": pain001.NAMESPACE}
PINNED = "2026-12-b23202ff143b6d1412ae"


def payable(contributor, minor, currency="EUR", period="2026-12"):
    id_ = f"{period}-{contributor}-{currency}"
    return {
        "payment_id": id_,
        "payee_ref": f"payee:{contributor}",
        "currency": currency,
        "exponent": "2",
        "amount_minor": str(minor),
        "value_date": "2027-01-01",
        "end_to_end_id": f"202612-{id_[8:]}",
        "statement_id": f"{period}-{contributor}",
        "idempotency_key": f"{period}/PAY/{currency}/{contributor}",
        "withheld_minor": "0",
    }


def people(*ids):
    known = {id_: {"name": f"Name & <{id_}>", "iban": IBANS["other"]} for id_ in ids}
    return known | {"treasury": {"name": "Treasury", "iban": IBANS["treasury"], "bic": "ABNANL2A"}}


def made(rows, *ids):
    return payment_file(rows, people(*ids), "treasury", "2026-12")


@cache
def schema():
    xmlschema = pytest.importorskip("xmlschema", reason="xmlschema is not installed")
    files = pytest.importorskip("sepaxml", reason="sepaxml, which carries the schema, is not installed")
    return xmlschema.XMLSchema(str(resources.files(files) / "schemas" / "pain.001.001.09.xsd"))


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_the_file_is_valid_by_the_schema(currency):
    """Of ISO 20022, as another library carries it; amounts with each currency's decimals."""
    content = made([payable("ada_l", 1234567, currency), payable("bob", 1, currency)], "ada_l", "bob")

    schema().validate(BytesIO(content))
    found = [one.text for one in ElementTree.fromstring(content).iterfind(".//p:InstdAmt", NS)]
    assert found == {"EUR": ["12345.67", "0.01"], "JPY": ["1234567", "1"], "KWD": ["1234.567", "0.001"]}[currency]


def test_sums_and_counts_are_those_of_the_payables():
    """One batch per currency; the header counts all of them."""
    rows = [payable("ada", 1000), payable("bob", 250), payable("ada", 7, "JPY")]
    root = ElementTree.fromstring(made(rows, "ada", "bob"))

    assert root.findtext(".//p:GrpHdr/p:NbOfTxs", namespaces=NS) == "3"
    sums = [Decimal(one.findtext("p:CtrlSum", namespaces=NS)) for one in root.iterfind(".//p:PmtInf", NS)]
    assert sums == [Decimal("12.50"), Decimal(7)]
    ids = [one.text for one in root.iterfind(".//p:EndToEndId", NS)]
    assert sorted(ids) == sorted(row["end_to_end_id"] for row in rows)


def test_the_same_payables_give_the_same_file():
    """In any order, so that a bank recognises the second copy by its MsgId."""
    rows = [payable("ada", 1000), payable("bob", 250)]

    assert made(rows, "ada", "bob") == made(rows[::-1], "ada", "bob")
    assert made(rows, "ada", "bob") != made([payable("ada", 1001), rows[1]], "ada", "bob")


def test_the_day_is_the_value_date_or_the_one_that_is_given():
    """A later day changes when the bank pays and not the MsgId, so that it pays once; an earlier one is refused."""
    rows = [payable("ada", 1000), payable("bob", 250)]
    plain, later = (
        ElementTree.fromstring(payment_file(rows, people("ada", "bob"), "treasury", "2026-12", day))
        for day in (None, "2027-01-11")
    )

    assert [root.findtext(".//p:ReqdExctnDt/p:Dt", namespaces=NS) for root in (plain, later)] == [
        "2027-01-01",
        "2027-01-11",
    ]
    assert len({root.findtext(".//p:MsgId", namespaces=NS) for root in (plain, later)}) == 1
    with pytest.raises(RewardError, match="2026-12-31 is before 2027-01-01, the value date of 2026-12"):
        payment_file(rows, people("ada", "bob"), "treasury", "2026-12", "2026-12-31")


def test_what_no_bank_pays_is_left_out():
    """USDC and ETH go another way."""
    rows = [payable("ada", 1000), payable("ada", 5, "USDC"), payable("ada", 5, "ETH")]

    assert made(rows, "ada") == made(rows[:1], "ada")
    with pytest.raises(RewardError, match="2026-12: nothing that a bank could pay"):
        made(rows[1:], "ada")


def test_a_contributor_without_payee_is_refused_by_name_and_nobodys_details_are_told():
    """All that is missing at once; no name, no account in the message."""
    known = people("ada", "bob") | {"bob": {"name": "Bob Secret", "iban": "DE00370400440532013000"}}

    with pytest.raises(RewardError) as error:
        payment_file([payable("ada", 1), payable("bob", 1), payable("cy", 1)], known, "treasury", "2026-12")

    assert "bob (the IBAN's check digits are wrong, so a character is mistyped), cy (no name, no iban)" in str(
        error.value
    )
    assert not {"Secret", "DE00"} & set(str(error.value).replace("(", " ").split())


NAMES = st.one_of(st.text(min_size=1, max_size=75), st.text(string.ascii_letters + " äßŁØ&<>'\u00a0", max_size=75))
SPELLINGS = st.sampled_from([IBANS["other"], "de89-3704-0044-0532-0130-00", "DE89\u00a03704\u202f0044 0532013000"])
PAYEES = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES, "iban": st.one_of(SPELLINGS, st.text(max_size=30))},
        optional={"bic": st.one_of(st.sampled_from(["ABNANL2A", "deutdeff500"]), st.text(max_size=11))},
    ),
    min_size=1,
    max_size=3,
)


@given(payees=PAYEES, minor=st.integers(1, 10**17))
def test_a_file_is_valid_by_the_schema_or_not_made(payees, minor):
    """Whoever is in the vault: nobody with a fault is paid, and the schema accepts what is made of all others."""
    known = people() | {f"p{number}": person for number, person in enumerate(payees)}
    rows = [payable(f"p{number}", minor) for number in range(len(payees))]

    if any(map(missing_to_pay, payees)):
        with pytest.raises(RewardError, match="the vault lacks what it takes to pay"):
            payment_file(rows, known, "treasury", "2026-12")
    else:
        schema().validate(BytesIO(payment_file(rows, known, "treasury", "2026-12")))


def test_names_are_written_in_sepas_letters():
    """The bank gets no character that it may refuse; accounts are in upper case and without blanks."""
    known = people() | {"ada": {"name": "Łukasz  Müßig & Søn", "iban": "de89-3704 0044\u00a00532\u202f0130 00"}}

    root = ElementTree.fromstring(payment_file([payable("ada", 1)], known, "treasury", "2026-12"))

    assert root.findtext(".//p:Cdtr/p:Nm", namespaces=NS) == "Lukasz Mussig + Son"
    assert root.findtext(".//p:CdtrAcct/p:Id/p:IBAN", namespaces=NS) == "DE89370400440532013000"


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ({"nm": "x" * 141}, "Nm: 141 characters, expected 1 to 140"),
        ({"nm": ""}, "Nm: 0 characters, expected 1 to 140"),
        ({"nm": "a\x0bb"}, "Nm: a character that XML cannot carry"),
        ({"ctry_of_res": "de"}, "CtryOfRes: does not match [A-Z]{2,2}"),
        ({"id": pain.Party38Choice()}, "Id: 0 alternatives of a choice, expected 1"),
        ({"pstl_adr": pain.PostalAddress24(adr_line=["x"] * 8)}, "PstlAdr/AdrLine: 8 of it, expected 0 to 7"),
    ],
)
def test_every_constraint_of_the_schema_is_checked(broken, fault):
    """Length, pattern, choice, number and characters, each named by its path."""
    (said,) = schema_faults(pain.PartyIdentification135(**broken))

    assert fault in said


def test_amounts_have_no_more_digits_than_the_schema_lets_them():
    """18 in all, 5 after the point, and none below 0."""
    amount = pain.ActiveOrHistoricCurrencyAndAmount

    assert schema_faults(amount(value=Decimal("1" * 19), ccy="EUR"))
    assert schema_faults(amount(value=Decimal("0.000001"), ccy="EUR"))
    assert schema_faults(amount(value=Decimal("-1"), ccy="EUR"))
    assert schema_faults(amount(value=None, ccy="EUR")) == [
        "ActiveOrHistoricCurrencyAndAmount/value: 0 of it, expected 1 to 1"
    ]
    assert not schema_faults(amount(value=Decimal("1" * 13 + ".00001"), ccy="EUR"))


def test_the_message_id_of_a_file_never_changes():
    """Banks answer by it for months: a file of an earlier version of Tribute is still known by its own id."""
    rows = [payable("ada", 1000), payable("bob", 250), payable("ada", 7, "JPY"), payable("ada", 7, "USDC")]
    root = ElementTree.fromstring(made(rows, "ada", "bob"))

    assert pain001.message_id(rows, "2026-12") == root.findtext(".//p:MsgId", namespaces=NS) == PINNED
    assert [one.text for one in root.iterfind(".//p:PmtInfId", NS)] == list(pain001.batches(rows, "2026-12"))


@pytest.fixture
def funded(closed_house: House, monkeypatch) -> House:
    """The vault of the two closed months knows everybody who is paid."""
    monkeypatch.setenv(vault.ENVIRONMENT, "correct horse")
    monkeypatch.setattr(vault, "COST", 2**4)
    rows = tables.read_csv(closed_house.workspace.rewards / "2026-12" / "payables.csv", tables.PAYABLES)
    for name, person in people(*{parse_payee_ref(row["payee_ref"]) for row in rows}).items():
        vault.write_person(closed_house.workspace.vault, name, person)
    return closed_house


def test_the_command_writes_a_file_that_only_its_owner_reads(funded, tmp_path):
    """Outside the workspace, mode 0600, valid, and with what payables.csv owes."""
    out = tmp_path / "pain.xml"

    ended = tribute("pay", "file", "2026-12", "--from", "treasury", "--out", out, "-w", funded.root, "--json")

    assert ended.code == 0, ended.err
    assert out.stat().st_mode & 0o777 == 0o600
    schema().validate(str(out))
    rows = tables.read_csv(funded.workspace.rewards / "2026-12" / "payables.csv", tables.PAYABLES)
    assert ended.data["totals"] == {"EUR": str(sum(int(row["amount_minor"]) for row in rows))}
    assert ended.data["payment_count"] == len(rows) > 0


def test_the_command_refuses_what_nobody_signed_and_where_no_vault_is(funded, tmp_path):
    """A draft is not paid; without the vault, or into the workspace, no file is made."""
    out = tmp_path / "pain.xml"
    funded.pay("2027-01")

    draft = tribute("pay", "file", "2027-01", "--from", "treasury", "--out", out, "-w", funded.root)
    inside = tribute("pay", "file", "2026-12", "--from", "treasury", "--out", funded.root / "x", "-w", funded.root)
    funded.workspace.vault.unlink()
    nowhere = tribute("pay", "file", "2026-12", "--from", "treasury", "--out", out, "-w", funded.root)

    assert [ended.code for ended in (draft, inside, nowhere)] == [2, 2, 2]
    assert "2027-01 is not closed; the bank is told to pay what two people have signed" in draft.err
    assert "lies in the workspace; the file holds names and accounts" in inside.err
    assert "is not here; the payment file is made where the vault of payees is" in nowhere.err
    assert not out.exists()


def signed_by_strangers(folder, keys):
    """Seal it anew, as anna and ben, with two keys that nobody knows."""
    for path in (folder / "manifest.json", folder / SEAL):
        path.unlink()
    identity = read_artifact(keys / folder.name).identity
    strangers = {name: make_key(keys / name) for name in ("anna", "ben")}
    closers = {name: public_half(key) for name, key in strangers.items()}
    config = identity["config"] | {"closers": closers}
    write_manifest(folder, REWARDS, identity["inputs"], config, {})
    identity = read_artifact(folder).identity
    signatures.write_seal(
        folder, identity, [signatures.sign_period(identity, name, key) for name, key in strangers.items()]
    )


def test_a_folder_signed_by_strangers_is_not_paid(funded, two_closed, tmp_path):
    """Two keys that the folder itself names are no closers: what this ledger did not close gets no payment file."""
    period, elsewhere = funded.workspace.rewards / "2026-12", tmp_path / "2026-12"
    shutil.copytree(period, elsewhere)
    signed_by_strangers(period, tmp_path)
    out = tmp_path / "pain.xml"

    forged = tribute("pay", "file", "2026-12", "--from", "treasury", "--out", out, "-w", funded.root)
    copied = tribute("pay", "file", elsewhere, "--from", "treasury", "--out", out, "-w", funded.root)

    assert (forged.code, copied.code) == (2, 2)
    assert "names a key of anna that the registry does not know" in forged.err
    assert "2026-12 is not closed; the bank is told to pay what two people have signed" in copied.err
    assert not out.exists()


def test_no_file_of_a_period_holds_a_name_or_an_account(funded):
    """Names and accounts are in the vault and in the payment file, and nowhere else."""
    for path in funded.workspace.rewards.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert b"DE89" not in content
        assert b"Name & <" not in content
