"""Cutting rows into chunks loses none and doubles none, and padding adds nothing that counts."""

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tribute.finetuning.encoding.encoding import (
    IGNORED,
    TOKENS_PER_CHUNK,
    EncodedRows,
    RowFormat,
    encode_causal,
    encode_classification,
)
from tribute.finetuning.models.base_models import load_tokenizer

LENGTHS = st.lists(st.integers(min_value=1, max_value=700), min_size=1, max_size=60)


def rows_of(lengths):
    names = [f"r:{index}" for index in range(len(lengths))]
    tokens = [[index + 1] * length for index, length in enumerate(lengths)]
    return EncodedRows(names, ["all"] * len(lengths), tokens, [0] * len(lengths), pad_id=0)


@given(LENGTHS, st.data())
def test_chunks_cover_every_index_exactly_once(lengths, data):
    """Whatever rows are asked for come back, each once."""
    rows = rows_of(lengths)
    asked = data.draw(st.lists(st.integers(0, len(lengths) - 1), unique=True))

    chunks = list(rows.chunks(asked))

    assert sorted(index for chunk in chunks for index in chunk) == sorted(asked)


@given(LENGTHS, st.sampled_from([1, 100, TOKENS_PER_CHUNK, 4000]))
def test_chunks_keep_the_token_budget_and_similar_lengths_together(lengths, budget):
    """A chunk's padded tokens stay within the budget unless it is one row; no row is longer than one before it."""
    rows = rows_of(lengths)

    chunks = [[lengths[index] for index in chunk] for chunk in rows.chunks(range(len(rows)), budget)]

    assert all(len(chunk) == 1 or len(chunk) * max(chunk) <= budget for chunk in chunks)
    assert [length for chunk in chunks for length in chunk] == sorted(lengths, reverse=True)


def test_no_rows_make_no_chunks():
    """A step whose rows were all left out has nothing to compute."""
    assert list(rows_of([3, 5]).chunks([])) == []


def test_the_mask_says_which_tokens_are_padding():
    """Rows are padded to the longest of the chunk with the tokenizer's padding token."""
    batch = rows_of([1, 3]).collate([1, 0])

    assert batch["input_ids"].tolist() == [[2, 2, 2], [1, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_take_keeps_every_field_of_the_rows_it_takes():
    """Ids, slices, tokens, targets and cached states stay together."""
    rows = rows_of([2, 4, 3]).with_hidden(lambda batch: torch.randn(*batch["input_ids"].shape, 5))

    taken = rows.take([2, 0])

    assert list(taken.row_ids) == ["r:2", "r:0"]
    assert taken.lengths().tolist() == [3, 2]
    assert taken.hidden[0] is rows.hidden[2]


def test_cached_states_survive_being_flattened():
    """`with_flat` is the inverse of `flat`."""
    rows = rows_of([2, 4, 3]).with_hidden(lambda batch: torch.randn(*batch["input_ids"].shape, 5))

    again = rows.with_flat(rows.flat())

    assert all(torch.equal(a, b) for a, b in zip(rows.hidden, again.hidden, strict=True))


def test_cached_states_take_the_place_of_token_ids():
    """A batch holds one or the other, padded with zeros."""
    rows = rows_of([1, 2]).with_hidden(lambda batch: torch.ones(*batch["input_ids"].shape, 5))

    batch = rows.collate([1, 0])

    assert "input_ids" not in batch
    assert batch["inputs_embeds"].sum(-1).tolist() == [[5, 5], [5, 0]]


def test_a_label_becomes_its_position(bert):
    """Targets are positions in the dataset's list of labels; long rows are cut at `max_tokens`."""
    frame = pd.DataFrame({"row_id": ["a:1"], "slice": ["x"], "text": ["matrix " * 50], "target": ["drawing"]})

    rows = encode_classification(frame, load_tokenizer(bert), ["algebra", "drawing"], max_tokens=12)

    assert rows.targets == [1]
    assert rows.lengths().tolist() == [12]


def causal(llama, prompt, response, max_tokens):
    frame = pd.DataFrame({"row_id": ["a:1"], "slice": ["x"], "text": [prompt], "target": [response]})
    tokenizer = load_tokenizer(llama)
    return tokenizer, encode_causal(frame, tokenizer, RowFormat(max_tokens))


def test_only_the_response_and_its_end_are_labelled(llama):
    """The prompt and the new line after it do not count in the loss."""
    tokenizer, rows = causal(llama, "draw the curve", "a line", 64)

    counted = [label for label in rows.targets[0] if label != IGNORED]

    assert tokenizer.decode(rows.tokens[0]) == "draw the curve\na line</s>"
    assert tokenizer.decode(counted) == "a line</s>"
    assert rows.targets[0][-len(counted) :] == counted


def test_a_long_prompt_loses_its_start(llama):
    """The response stays whole as long as there is room for it."""
    tokenizer, rows = causal(llama, "matrix " * 40 + "server", "a line", 12)

    text = tokenizer.decode(rows.tokens[0])

    assert rows.lengths().tolist() == [12]
    assert text.endswith("server\na line</s>")


@pytest.mark.parametrize("max_tokens", [8, 9, 16])
def test_a_long_response_keeps_one_token_of_the_prompt(llama, max_tokens):
    """The first response token must be predicted from something, so one prompt token always stays."""
    _, rows = causal(llama, "draw the curve", "matrix " * 40, max_tokens)

    assert rows.lengths().tolist() == [max_tokens]
    assert rows.targets[0][0] == IGNORED
    assert IGNORED not in rows.targets[0][1:]
