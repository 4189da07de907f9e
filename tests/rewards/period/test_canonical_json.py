"""Property: the quick canonical form is RFC 8785's, byte for byte, for all that is hashed with it."""

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.helpers.books import proved
from tribute.digests import canonical

texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text(st.characters(codec="ascii"))
rows = st.dictionaries(names, texts, max_size=4)
values = rows | st.fixed_dictionaries({"statement_id": texts, "allocation": st.lists(rows, max_size=2)})


@proved
@given(values)
def test_it_is_the_librarys_form(value):
    """Of lines and of statements' figures; control characters, quotes and other alphabets included."""
    assert canonical(value) == rfc8785.dumps(value)
