"""A ledger that was changed, cut, reordered or extended by hand never loads; an honest one always does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.contributions.registry import log
from tribute.errors import IntegrityError

names = st.text("abcdefgh", min_size=1, max_size=8)
histories = st.lists(st.tuples(names, names, st.integers(0, 1000)), min_size=2, max_size=8)


def build(history: list[tuple[str, str, int]]) -> list[log.Entry]:
    entries: list[log.Entry] = []
    for dataset, subject, rows in history:
        entries = log.append(entries, "contribute", dataset, subject, {"a": "b"}, {"rows": rows})
    return entries


@given(histories)
def test_round_trip(history):
    """What was written is read again, byte for byte."""
    entries = build(history)

    assert log.load(log.dump(entries)) == entries
    assert log.dump(log.load(log.dump(entries))) == log.dump(entries)


@given(histories, st.data())
def test_any_changed_entry_is_found(history, data):
    """Changing any field of any entry is found, on that line."""
    lines = log.dump(build(history)).splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    entry = json.loads(lines[number])
    field = data.draw(st.sampled_from(["seq", "event", "dataset", "subject", "files", "details", "prev_hash"]))
    lines[number] = json.dumps(entry | {field: "changed"}).encode()

    with pytest.raises(IntegrityError, match=rf"ledger\.jsonl:{number + 1}:"):
        log.load(b"\n".join(lines))


@given(histories, st.data())
def test_removed_and_swapped_entries_are_found(history, data):
    """Without one of its inner lines, or with two of them swapped, the ledger is refused."""
    lines = log.dump(build(history)).splitlines()
    number = data.draw(st.integers(0, len(lines) - 2))
    removed = lines[:number] + lines[number + 1 :]
    swapped = [*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]]

    for wrong in (removed, swapped):
        with pytest.raises(IntegrityError):
            log.load(b"\n".join(wrong))


def test_the_head_commits_to_the_history():
    """Two ledgers have one head only if they have the same entries."""
    assert log.head(build([("a", "b", 1)])) != log.head(build([("a", "b", 2)]))
    assert log.head([]) == log.CHAIN.genesis
