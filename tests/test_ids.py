"""Theorem: every id is taken apart into what it was put together from, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute import ids
from tribute.errors import RegistryError, RewardError
from tribute.months import PERIOD

names = st.from_regex(ids.ID, fullmatch=True)
periods = st.from_regex(PERIOD, fullmatch=True)
versions = st.from_regex(ids.VERSION, fullmatch=True)


@given(names, versions)
def test_a_tag_comes_apart(dataset: str, version: str):
    """Dataset and version come back from a tag."""
    assert ids.parse_tag(ids.tag(dataset, version)) == (dataset, version)


@given(names, st.integers(min_value=1, max_value=10**9))
def test_a_row_id_comes_apart(contribution: str, line: int):
    """Contribution and line come back from a row's id, read whole or only for its contribution."""
    row = ids.row_id(contribution, line)

    assert ids.is_row_id(row)
    assert ids.parse_row_id(row) == (contribution, line)
    assert ids.contribution_of(row) == contribution


@given(periods, names)
def test_a_statement_comes_apart(period: str, contributor: str):
    """Period and contributor come back from a statement's number and from a payout, hyphens in ids or not."""
    assert ids.parse_statement_id(ids.statement_id(period, contributor)) == (period, contributor)
    assert ids.parse_statement_id(f"{period}/{contributor}") == (period, contributor)
    assert ids.parse_payout(f"{period}/{contributor}") == (period, contributor)


@given(names)
def test_a_payee_comes_apart(contributor: str):
    """The contributor comes back from what stands for a payee."""
    assert ids.parse_payee_ref(ids.payee_ref(contributor)) == contributor


@given(periods, names, st.integers(min_value=1, max_value=999))
def test_a_dispute_is_recognised(period: str, contributor: str, number: int):
    """Every id of a dispute has the form of one."""
    assert ids.is_dispute_id(ids.dispute_id(period, contributor, number))


@given(periods, names, st.sampled_from(["EUR", "USDC"]))
def test_a_bank_takes_the_end_to_end_id(period: str, contributor: str, currency: str):
    """At most the 35 characters that ISO 20022 allows, whatever the contributor is called."""
    assert len(ids.end_to_end_id(ids.payment_id(period, contributor, currency))) == 31


@pytest.mark.parametrize("text", ["", "A", "-a", "a b", "a.b", "ä", "a" * 41, "a\n", "٢", "../a"])
def test_what_is_no_id(text: str):
    """Ids become file names: no dots, slashes, blanks, capitals or letters and digits beyond ASCII."""
    assert not ids.is_id(text)
    assert not ids.is_row_id(f"{text}:1")
    assert ids.parse_payout(f"2026-11/{text}") is None
    with pytest.raises(RegistryError, match=r"NAME@vX\.Y\.Z"):
        ids.parse_tag(f"{text}@v1.0.0")
    with pytest.raises(RewardError, match="statement's number"):
        ids.parse_statement_id(f"2026-11-{text}")


@pytest.mark.parametrize("text", ["ada:", "ada:x", "ada:1:2", "ada", ":1", "ada:٢", "ada:-1"])
def test_what_is_no_row(text: str):
    """A row's id is a contribution, a colon and a number in ASCII digits."""
    assert not ids.is_row_id(text)
    with pytest.raises(RegistryError, match="CONTRIBUTION:LINE"):
        ids.parse_row_id(text)


@pytest.mark.parametrize("text", ["docs", "docs@", "docs@1.0.0", "docs@v1.0", "docs@v1.0.0.0", "docs@v١.0.0"])
def test_what_is_no_tag(text: str):
    """A version has three numbers in ASCII digits."""
    with pytest.raises(RegistryError, match=r"NAME@vX\.Y\.Z"):
        ids.parse_tag(text)


@pytest.mark.parametrize("text", ["ada", "payer:ada", ""])
def test_what_is_no_payee(text: str):
    """What lacks the prefix is refused instead of taken for a contributor."""
    with pytest.raises(RewardError, match="no payee"):
        ids.parse_payee_ref(text)
