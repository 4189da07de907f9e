"""Property: the quick canonical form is RFC 8785's, byte for byte, for all that is hashed with it."""

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.books import proved
from tribute.rewards.canonical import canonical

texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text(st.characters(codec="ascii"))
values = st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20)


@proved
@given(values)
def test_it_is_the_librarys_form(value):
    """Control characters, quotes and other alphabets included."""
    assert canonical(value) == rfc8785.dumps(value)
