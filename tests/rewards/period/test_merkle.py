"""Theorem: the tree is RFC 9162's, and a proof holds for its own leaf at its own place only."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.helpers.books import proved
from tribute import merkle
from tribute.rewards.period import leaves

contents = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


def defined(hashes):
    """The root as RFC 9162, section 2.1.1, defines it: split at the largest power of two below n."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return merkle.node(defined(hashes[:split]), defined(hashes[split:]))


@proved
@given(contents)
def test_the_root_is_the_one_that_rfc_9162_defines(texts):
    """Level by level gives what the recursive definition gives."""
    hashes = [merkle.leaf(b"", text) for text in texts]

    assert merkle.Tree(hashes).root == defined(hashes)


@proved
@given(contents, st.data())
def test_a_proof_holds_for_its_leaf_and_place_only(texts, data):
    """Another leaf, place, size, root or path is refused."""
    hashes = [merkle.leaf(bytes([place]), text) for place, text in enumerate(texts)]
    tree, size = merkle.Tree(hashes), len(hashes)
    place = data.draw(st.integers(0, size - 1))
    path = tree.proof(place)

    assert merkle.proves(hashes[place], place, size, path, tree.root)
    assert not merkle.proves(merkle.leaf(b"", b"other"), place, size, path, tree.root)
    assert not merkle.proves(hashes[place], place, size, [*path, tree.root], tree.root)
    assert not merkle.proves(hashes[place], size, size, path, tree.root)
    assert not merkle.proves(hashes[place], place, size, path, sha256(tree.root).digest())
    if size > 1:
        assert not merkle.proves(hashes[place], (place + 1) % size, size, path, tree.root)
        assert not merkle.proves(hashes[place], place, size, path[:-1], tree.root)


def test_the_empty_tree_has_the_hash_of_nothing():
    """As RFC 9162 has it."""
    assert merkle.Tree([]).root == sha256().digest()


def test_the_salt_keeps_figures_from_being_guessed():
    """The same figures under another salt are another leaf."""
    one = {"statement_id": "2026-11-numpy", "contributor_id": "numpy", "allocation": [], "balances": []}

    assert leaves.leaf_of(one, "00" * 32) != leaves.leaf_of(one, "01" * 32)


def test_salts_differ_and_come_from_the_evidence(paid, folder):
    """No two statements share a salt, and other evidence gives other salts."""
    key = leaves.salt_key(paid.path / "evidence.parquet")
    rows = leaves.leaf_rows(leaves.Proofs.read(folder)._figures.values(), key)
    (folder / "evidence.parquet").write_bytes(b"other")

    assert len({row.salt for row in rows}) == len(rows)
    assert leaves.salt_key(folder / "evidence.parquet") != key


def test_everybodys_proof_leads_to_the_signed_root(paid):
    """The root is the one in the manifest; somebody else's figures do not pass with this proof."""
    proofs, root = leaves.Proofs.read(paid.path), paid.identity["config"]["merkle"]["root"]
    own, others = proofs("numpy"), proofs("scipy")

    assert all(leaves.proves(proofs(row.contributor_id), root) for row in proofs.rows)
    assert not leaves.proves(own | {"figures": others["figures"]}, root)
    assert proofs("stranger") is None
