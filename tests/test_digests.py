"""Property: one canonical form, RFC 8785's byte for byte, and chains in which no record can change unnoticed."""

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.helpers.books import proved
from tribute.digests import Chain, cached_sha256, canonical, file_sha256

texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text(st.characters(codec="ascii"))
rows = st.dictionaries(names, texts, max_size=4)
figures = st.fixed_dictionaries({"statement_id": texts, "allocation": st.lists(rows, max_size=2)})
scalars = (
    texts
    | st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = (
    rows | figures | st.recursive(scalars, lambda part: st.lists(part) | st.dictionaries(texts, part), max_leaves=8)
)
chains = st.sampled_from([Chain(), Chain("prev", "hash", genesis="")])
records = st.dictionaries(st.sampled_from("abc"), texts)


@proved
@given(values)
def test_it_is_the_librarys_form(value):
    """Of lines, of statements' figures and of any JSON; control characters, quotes and other alphabets included."""
    assert canonical(value) == rfc8785.dumps(value)


@given(chains, st.lists(records, min_size=1, max_size=4), st.data())
def test_a_chain_shows_every_change(chain: Chain, contents: list[dict[str, str]], data: st.DataObject):
    """A record that was changed has not the hash that it carries, and one put in its place not the last one's."""
    last, linked = chain.genesis, []
    for content in contents:
        linked.append(chain.linked(content, last))
        last = linked[-1][chain.hash]
    place = data.draw(st.integers(0, len(linked) - 1))
    changed = linked[place] | {"a": linked[place].get("a", "") + "x"}

    assert all(chain.is_whole(record) for record in linked)
    assert [record[chain.previous] for record in linked] == [
        chain.genesis,
        *(record[chain.hash] for record in linked[:-1]),
    ]
    assert not chain.is_whole(changed)
    assert chain.linked(changed, linked[place][chain.previous])[chain.hash] != linked[place][chain.hash]


def test_a_file_that_changes_is_read_again(tmp_path):
    """The digest that is kept belongs to the bytes, not to the name."""
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    before = cached_sha256(file)
    file.write_bytes(b"another")

    assert before != cached_sha256(file) == file_sha256(file)
