"""The banks' files among the cases, read as they came: only the ids and amounts are those of this workspace's file."""

import re
from pathlib import Path

import pytest

CASES = Path(__file__).parents[2] / "cases"
MESSAGE, TOTAL, COUNT = "2026-12-3a53eaee26b6e12340c4", "720.02", 6
PAYMENTS = (
    ("202612-805448cd43538d8e898de1f6", "76.83"),
    ("202612-5107d74f8b261a7b4991a274", "96.80"),
    ("202612-9a14e03496eed502329aeb43", "212.37"),
    ("202612-8daf5c6268424ad112669392", "108.74"),
    ("202612-12bd1714c948837e62f74ed3", "173.48"),
    ("202612-4ac5fb9ac137962d060412c6", "51.80"),
)
"""Ids and amounts of the file that the cases speak of, in its order."""


def case(name, bank):
    """A case's file about the first payments of `bank`."""
    text = (CASES / name).read_text(encoding="utf-8").replace(MESSAGE, bank.message).replace(TOTAL, bank.total)
    text = text.replace(f"<NbOfTxs>{COUNT}<", f"<NbOfTxs>{len(bank.ids)}<")
    for id_, _ in PAYMENTS[len(bank.ids) :]:
        text = re.sub(rf"<TxDtls>(?:(?!</TxDtls>).)*{id_}.*?</TxDtls>", "", text, flags=re.DOTALL)
    for (id_, amount), ours, paid in zip(PAYMENTS, bank.ids, bank.amounts, strict=False):
        text = text.replace(id_, ours).replace(amount, paid)
    return text


@pytest.mark.parametrize(
    ("name", "outcome", "count"),
    [
        ("49-pain002-group-only/rejected.xml", "rejected", None),
        ("49-pain002-group-only/pmtinf-rejected.xml", "rejected", None),
        ("49-pain002-group-only/settled.xml", "paid", None),
        ("49-pain002-group-only/accepted.xml", "pending", None),
        ("50-pain002-part/part.xml", "rejected", 1),
        ("50-pain002-part/tx-without-status.xml", "rejected", 1),
        ("51-camt054/debit.xml", "paid", 1),
        ("53-camt-merged/merged.xml", "paid", 2),
        ("56-envelope/apphdr.xml", "paid", 1),
        ("57-foreign-currency/chf-account.xml", "paid", 1),
        ("60-batch/sum-only.xml", "paid", None),
        ("60-batch/batch-padded.xml", "paid", None),
    ],
)
def test_a_banks_file_means_what_it_says(name, outcome, count, bank):
    """As many payments as the file speaks of, all of them where it names none, have the outcome, and no other."""
    assert bank.answer(case(name, bank)) == {outcome: count or len(bank.ids)}


def test_a_return_told_by_a_notification(bank):
    """Paid and then returned, both by camt.054: the money is back."""
    before = bank.state()

    assert bank.answer(case("51-camt054/debit.xml", bank)) == {"paid": 1}
    assert bank.answer(case("51-camt054/return.xml", bank)) == {"returned": 1}
    assert bank.state() == before


def test_a_detail_with_another_sign_than_its_entry(bank):
    """Nothing is posted; the line is for a person."""
    before = bank.state()

    assert bank.answer(case("60-batch/sign-contradicts.xml", bank)) == {"sign_differs": 1}
    assert bank.state() == before


def test_a_rejection_after_the_booking(bank):
    """Case 65: what a statement has booked stands; the older rejection is for a person and returns nothing."""
    assert bank.answer(case("53-camt-merged/merged.xml", bank)) == {"paid": 2}
    paid = bank.state()
    outcome = bank.answer(case("50-pain002-part/part.xml", bank))

    assert "returned" not in outcome
    assert "rejected" not in outcome
    assert bank.state() == paid
