"""A contribution's id is decided by contributor, dataset and bytes alone, and never leaves its folder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.contributions.intake.submissions import check_id
from tribute.errors import ContributionError
from tribute.ids import ID, contribution_id, is_id

ids = st.from_regex(ID, fullmatch=True)


@given(ids, ids, st.binary(max_size=50))
def test_ids_of_contributions_are_ids(contributor: str, dataset: str, content: bytes):
    """Whatever was handed in, the id fits the pattern and begins with the contributor's."""
    id_ = contribution_id(contributor, dataset, [content])

    assert is_id(id_)
    assert id_.startswith(contributor[:31] + "-")
    assert id_ == contribution_id(contributor, dataset, [content[:7], content[7:]])


@pytest.mark.parametrize("id_", ["a/b", "../a", "a.b", "Ada", "", "-a", "ä", "a" * 41, "a\n", "a b"])
def test_bad_ids(id_: str):
    """Slashes, dots, capitals, blanks and the like are refused with what is expected."""
    with pytest.raises(ContributionError, match="expected 1 to 40 lower-case letters"):
        check_id(id_, "contributor")
