"""The planted controls are rows that a chat template can write, also where rows are conversations."""

import pandas as pd

from tests.finetuning.helpers import tiny
from tribute.attribution.credit.planted_rows import PREFIX, planted
from tribute.finetuning.encoding.encoding import RowFormat, encode_causal
from tribute.finetuning.models.base_models import load_tokenizer

STRICT = (
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('system') }}{% endif %}"
    "{% if not loop.first and m.role == messages[loop.index0 - 1].role %}{{ raise_exception('order') }}{% endif %}"
    "{{ m.role[0] }}:{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}a:{% endif %}"
)
"""Raises where roles are out of order, as the templates of Gemma and Mistral do."""


def test_every_control_can_be_written(root, llama):
    """Exchanged answers, reversed words and several conversations in one keep their roles in order."""
    frame = pd.read_parquet(tiny.make_dataset(root, "causal-lm", turns=True).file("train.parquet"))

    altered = planted(frame)
    rows = encode_causal(altered, load_tokenizer(llama), RowFormat(2000, True, STRICT))

    assert altered["contributor_id"].str.startswith(PREFIX).sum() == 18
    assert len(rows) == len(frame)
