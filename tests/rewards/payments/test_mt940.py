"""Theorem: an MT940 means what a camt.053 of the same day would, or is refused; wherever the bank puts our ids."""

import zipfile

import pytest

DAY = "0105"


def statement(*entries, number="45/1", opening="1000,00", closing="1000,00", account="DE/123", marks="CC"):
    """A statement of entries as (`:61:`, `:86:`)."""
    lines = [":20:STARTUMS", f":25:{account}", f":28C:{number}", f":60F:{marks[0]}270105EUR{opening}"]
    for line, information in entries:
        lines += [f":61:270105{DAY}{line}", f":86:{information}"]
    return "\r\n".join([*lines, f":62F:{marks[1]}270105EUR{closing}", "-", ""])


def comma(amount):
    return amount.replace(".", ",")


def german(name, id_, rest="SVWZ+Datenlohn"):
    """Numbered fields of 27 characters, as German banks break them."""
    pieces = [f"{name}+{id_}"[start : start + 27] for start in range(0, len(name) + 1 + len(id_), 27)]
    fields = "".join(f"?{20 + place}{piece}" for place, piece in enumerate(pieces))
    return f"177?00UEBERWEISUNG?10931{fields}?{20 + len(pieces)}{rest}\r\n?30BYLADEM1001?32ADA LOVELACE"


FORMS = {
    "german": lambda id_: german("EREF", id_),
    "german in capitals": lambda id_: german("EREF", id_).upper(),
    "polish": lambda id_: german("EREF", id_).replace("?", "~"),
    "dutch": lambda id_: f"/TRCD/00100//EREF/{id_}//REMI/USTD//Data rewards",
    "broken over lines": lambda id_: f"/PREF/x//EREF/{id_[:13]}\r\n{id_[13:]}//REMI/y",
    "plain": lambda id_: f"SEPA transfer {id_} ADA",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_debit_pays_and_a_credit_returns(bank, form):
    """Amount and sign come from the entry, the payment from wherever its id stands."""
    amount, about = comma(bank.amounts[0]), FORMS[form](bank.ids[0])
    before = bank.state()
    left = comma(f"{1000 - float(bank.amounts[0]):.2f}")

    assert bank.answer(statement((f"D{amount}NTRFNONREF//B1", about), closing=left)) == {"paid": 1}
    assert bank.state() == (int(bank.rows[0]["amount_minor"]), before[1] - int(bank.rows[0]["amount_minor"]))
    assert bank.lines()[bank.ids[0]]["booked_at"] == "2027-01-05"
    back = (f"C{amount}NRTINONREF//B2", f"{about}/RTRN/AC04/")
    assert bank.answer(statement(back, number="46/1", opening=left)) == {"returned": 1}
    assert bank.state() == before


@pytest.mark.parametrize(("mark", "outcome"), [("D", "paid"), ("DR", "paid"), ("RD", "returned_unpaid")])
def test_marks(bank, mark, outcome):
    """A reversed debit comes back; the letter behind a mark is the currency's third."""
    amount = comma(bank.amounts[0])
    sign = -1 if outcome == "paid" else 1
    closing = comma(f"{1000 + sign * float(bank.amounts[0]):.2f}")

    assert bank.answer(statement((f"{mark}{amount}NTRFNONREF", FORMS["dutch"](bank.ids[0])), closing=closing)) == {
        outcome: 1
    }


def test_a_reversed_credit_is_for_a_person(bank):
    """No payment of ours is booked so."""
    closing = comma(f"{1000 - float(bank.amounts[0]):.2f}")
    entry = (f"RC{comma(bank.amounts[0])}NTRFNONREF", FORMS["dutch"](bank.ids[0]))

    assert bank.answer(statement(entry, closing=closing)) == {"sign_differs": 1}
    assert bank.events() == []


@pytest.mark.parametrize("name", ["batch", "message"])
def test_one_sum_for_a_batch_counts_for_all(bank, name):
    """By our PmtInfId or MsgId in the information."""
    closing = comma(f"{1000 - float(bank.total):.2f}")
    entry = (f"D{comma(bank.total)}NMSCNONREF//B1", german("PREF", getattr(bank, name)))

    assert bank.answer(statement(entry, closing=closing)) == {"paid": len(bank.rows)}


def test_the_same_booking_again_and_another(bank):
    """The bank's reference tells; a camt.053 of the same day repeats the booking."""
    amount, about = bank.amounts[0], FORMS["german"](bank.ids[0])
    once, twice = (comma(f"{1000 - times * float(amount):.2f}") for times in (1, 2))
    entry = f"D{comma(amount)}NTRFNONREF//"

    assert bank.answer(statement((f"{entry}B1", about), closing=once)) == {"paid": 1}
    other = statement((f"{entry}B2", about), number="46/1", opening=once, closing=twice)
    assert bank.answer(other) == {"paid_twice": 1}


def test_entries_of_others_and_a_quiet_day_are_nothing(bank, tmp_path):
    """Also in a ZIP with several statements, in the envelope of SWIFT's network."""
    salary = (f"D{comma(bank.amounts[0])}NTRFNONREF", german("EREF", "SALARY-7"))
    closing = comma(f"{1000 - float(bank.amounts[0]):.2f}")
    envelope = "{1:F01BYLADEM1AXXX0000000000}{2:I940BYLADEM1XXXXN}{4:\r\n"
    packed = tmp_path / "day.zip"
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("a.sta", statement(salary, closing=closing) + statement(number="46/1", account="DE/9"))
        file.writestr("b.sta", envelope + statement(number="1/1", account="DE/7") + "}")

    assert bank.answer(packed.read_bytes()) == {}
    assert bank.events() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lambda whole: whole.replace(":62F:", ":62X:"), "no balance (:60F:, :62F:)"),
        (lambda whole: whole.replace("EUR1000,00\r\n:61", "EUR1000,01\r\n:61"), "and entries of"),
        (lambda whole: whole.replace("NTRF", "").replace(":270105", ":"), "MT940"),
        (lambda whole: whole[: whole.index(":62F")], "no balance"),
    ],
)
def test_what_is_damaged_is_refused(bank, text, message):
    """Nothing is posted of a statement whose entries are not its movement."""
    closing = comma(f"{1000 - float(bank.amounts[0]):.2f}")
    whole = statement((f"D{comma(bank.amounts[0])}NTRFNONREF", FORMS["dutch"](bank.ids[0])), closing=closing)
    ended = bank.run("reconcile", bank.file(text(whole)))

    assert ended.code == 2
    assert message in ended.err
    assert bank.events() == []
