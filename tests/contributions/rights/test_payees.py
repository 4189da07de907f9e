"""Theorem: what stands in the vault as a payee can be written into a payment file; what cannot is refused by name."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.helpers.ibans import make_iban
from tests.helpers.terminal import tribute
from tribute.contributions.rights import vault
from tribute.contributions.rights.payees import missing_to_pay, normal_details, payee_faults, payment_name
from tribute.contributions.rights.payees_file import read_payees
from tribute.errors import RegistryError

IBAN = "DE89370400440532013000"
SEPA = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Łukasz Müßig & Søn", "Lukasz Mussig + Son"),
        ("İnci Yıldız", "Inci Yildiz"),
        ("Ægir Þórsson", "Aegir Thorsson"),
        ("Đorđe Čvorović", "Dorde Cvorovic"),
        ("O’Brien – Smith_Co", "O'Brien - Smith-Co"),
        ("Γιώργος Παπαδόπουλος", "Giorgos Papadopoylos"),
        ("Щерю Жеков", "Shteryu Zhekov"),
        ("Zoe\u0308 d\u2019Arc", "Zoe d'Arc"),
        ("ﬁrma №1", "firma No1"),
    ],
)
def test_a_name_is_written_in_sepas_letters(name, written):
    """Composed or not, of the Latin, Greek or Bulgarian alphabet, with the signs that people type."""
    assert payment_name(name) == written
    assert payee_faults({"name": name}) == []


@pytest.mark.parametrize(
    ("details", "fault"),
    [
        ({"name": "Ada\x0bL"}, "the name holds U+000B (a control character)"),
        ({"name": "Ada\nL"}, "the name holds U+000A"),
        ({"name": "Ada\u202eL"}, "the name holds U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ({"name": "Ada\ufffeL"}, "the name holds U+FFFE"),
        ({"name": "Ada\udc80L"}, "the name holds U+DC80"),
        ({"name": " "}, "the name is blank"),
        ({"name": "\u00a0\u2003"}, "the name is blank"),
        ({"name": "- . -"}, "the name has no letter"),
        ({"name": "x" * 71}, "the name has 71 characters, a payment file takes 70"),
        ({"name": "ß" * 36}, "the name has 72 characters, a payment file takes 70"),
        ({"name": "王小明"}, "the name holds '王', which no payment file may"),
        ({"name": "محمد"}, "which no payment file may"),
        ({"iban": "DE8937040044053201300"}, "the IBAN has 21 characters, an IBAN of DE has 22"),
        ({"bic": "none"}, "a BIC has 8 or 11 letters and digits"),
        ({"bic": "ABNANL2AX"}, "a BIC has 8 or 11 letters and digits"),
    ],
)
def test_what_no_bank_takes_is_refused(details, fault):
    """One line, which says what to do and repeats no name or number."""
    (said,) = payee_faults(details)

    assert fault in said
    assert "\n" not in said


@given(st.text(max_size=80))
@example("\u0130" * 70)
@example("a\u0301" * 70)
def test_a_name_is_refused_or_fits(name):
    """Whatever a name is made of, the bank gets 1 to 70 of its own characters, or nothing is stored."""
    if name and not payee_faults({"name": name}):
        written = payment_name(normal_details({"name": name})["name"])

        assert 1 <= len(written) <= 70
        assert set(written) <= SEPA
        assert payment_name(written) == written
        assert payment_name(unicodedata.normalize("NFD", name)) == payment_name(name)


def test_a_payee_lacks_what_a_bank_needs():
    """A name and an IBAN; the BIC may be left out."""
    assert missing_to_pay({}) == ["no name", "no iban"]
    assert missing_to_pay({"name": "Ada", "iban": IBAN}) == []
    assert missing_to_pay({"name": "Ada", "iban": IBAN, "bic": "none"}) == [
        "a BIC has 8 or 11 letters and digits, such as ABNANL2A"
    ]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(vault.ENVIRONMENT, "correct horse")
    monkeypatch.setattr(vault, "COST", 2**4)
    root = tmp_path / "w"
    assert tribute("init", root).code == 0
    return root


def test_the_vault_stores_what_a_bank_writes(home):
    """`vault set` brings IBAN and BIC into their form, and refuses what no bank takes, all at once."""
    spelled = ("name= Ada  Lovelace ", "iban=de89-3704\u00a00044\u202f0532 0130-00", "bic=abna nl2a")
    done = tribute("vault", "set", "ada", *spelled, "-w", home)
    refused = tribute("vault", "set", "bob", "name=B\x0bb", "iban=DE8937040044053201300", "-w", home)

    assert (done.code, refused.code) == (0, 2)
    assert tribute("vault", "show", "ada", "-w", home, "--json").data == {
        "contributor": "ada",
        "details": {"name": "Ada Lovelace", "iban": IBAN, "bic": "ABNANL2A"},
    }
    assert "U+000B" in refused.err
    assert "has 21 characters" in refused.err
    assert tribute("vault", "show", "bob", "-w", home, "--json").data == {"contributor": "bob", "details": {}}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_of_payees_is_imported(home, tmp_path, separator, mark):
    """As spreadsheets save it; an empty cell says nothing, and what the vault knew already stays."""
    tribute("vault", "set", "ada", "bic=ABNANL2A", "-w", home)
    lines = ("Contributor,Name,IBAN,BIC", f"ada,Ada Lovelace,{IBAN},", f"bob,Bob,{IBAN.lower()},DEUTDEFF", ",,,", "")
    text = mark + "\r\n".join(lines).replace(",", separator)
    (tmp_path / "payees.csv").write_text(text, encoding="utf-8", newline="")

    rehearsed = tribute("vault", "import", tmp_path / "payees.csv", "--dry-run", "-w", home, "--json")
    before = vault.read_vault(home / "vault.bin")
    done = tribute("vault", "import", tmp_path / "payees.csv", "-w", home, "--json")

    assert rehearsed.data == done.data
    assert before == {"ada": {"bic": "ABNANL2A"}}
    assert done.data == {"payees": ["ada", "bob"]}
    assert vault.read_vault(home / "vault.bin") == {
        "ada": {"name": "Ada Lovelace", "iban": IBAN, "bic": "ABNANL2A"},
        "bob": {"name": "Bob", "iban": IBAN, "bic": "DEUTDEFF"},
    }


def test_a_faulty_table_writes_nothing_and_names_every_line(home, tmp_path):
    """All faults at once, with their lines; the good lines are not written either."""
    rows = [
        "contributor,name,iban",
        f"ada,Ada,{IBAN}",
        f"Bob,Bob,{IBAN}",
        "cy,C\x07y,DE1",
        f"ada,Ada,{IBAN}",
        "dan,Dan",
    ]
    (tmp_path / "payees.csv").write_text("\n".join(rows), encoding="utf-8")

    ended = tribute("vault", "import", tmp_path / "payees.csv", "-w", home)

    assert ended.code == 2
    assert "5 faults, nothing was imported" in ended.err
    for fault in (
        "line 3: contributor id 'Bob'",
        "line 4: the name holds U+0007",
        "line 4: the IBAN has 3",
        "line 5: ada",
    ):
        assert fault in ended.err
    assert "line 6: 2 fields, the header has 3" in ended.err
    assert not (home / "vault.bin").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "columns none; expected contributor and some of name, iban, bic"),
        ("name,iban\n", "columns name, iban; expected contributor"),
        ("contributor\nada\n", "columns contributor; expected contributor and some of"),
        ("contributor,ibn\nada,x\n", "unknown columns 'ibn'"),
        ("contributor,name,name\nada,x,y\n", "a column stands twice"),
        ("contributor,name\n", "holds no payee, only the header"),
        ('contributor,name\nada,"Ada\n', "nothing was imported"),
    ],
)
def test_a_table_of_another_form_is_refused(tmp_path, text, said):
    """The message names the columns that were found and those that are expected."""
    (tmp_path / "payees.csv").write_text(text, encoding="utf-8")

    with pytest.raises(RegistryError, match=r"payees\.csv") as error:
        read_payees(tmp_path / "payees.csv")

    assert said in str(error.value)


def test_the_list_says_who_can_be_paid(home):
    """Of an account it shows the ends alone."""
    empty = tribute("vault", "list", "-w", home)
    tribute("vault", "set", "ada", "name=Ada", f"iban={make_iban('NL', 'ABNA0417164300')}", "-w", home)
    tribute("vault", "set", "bob", "name=Bob", "-w", home)

    listed = tribute("vault", "list", "-w", home, "--json").data

    assert "the vault is empty" in empty.out
    assert listed == {
        "people": [
            {"contributor": "ada", "name": "Ada", "iban": "NL91…4300", "missing": []},
            {"contributor": "bob", "name": "Bob", "iban": "", "missing": ["no iban"]},
        ]
    }
    assert "0417164300" not in tribute("vault", "list", "-w", home).out
