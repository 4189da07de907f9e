"""A world in which the whole pipeline takes seconds: a random encoder of two layers and some hundred rows.

Why it is adequate: nothing here depends on how well the model knows language. Label words occur in the rows,
so the loss falls; `copycat` hands in ada's rows in another case, `scrambler` its own rows under wrong labels.
"""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

TOPICS = {
    "plotting": ("draw", "line", "axes", "figure", "colour"),
    "statistics": ("mean", "variance", "sample", "median", "normal"),
    "graphs": ("node", "edge", "path", "tree", "cycle"),
}
FILLERS = tuple(f"word{number}" for number in range(40))
HONEST = ("ada", "bob", "cy")
TAG = "tiny@v1.0.0"
CONFIG = """run: tiny
dataset:
  name: tiny
  version: v1.0.0
  source: {kind: clinc150, folder: source}
finetuning:
  base: {folder: base}
  lora: {r: 4, alpha: 8}
  epochs: 4
  batch_size: 8
  learning_rate: 0.01
  max_tokens: 16
  seeds: [0, 1]
  trace_states: 8
attribution: {sample: 24, validation: quick}
rewards:
  period: 2026-11
  pool: {amount: "100.00", currency: EUR}
  policy: policy.yaml
"""
POLICY = """id: tiny
version: v1.0.0
description: Pays by credit.
# Trainings of seconds prove nothing about attribution: its card would not pass, and tokens would pay instead.
gate: {leave_one_out_margin: null, duplicate_excluded: null, shuffled_below_zero: null, seed_split: null}
"""
SCHEMA = f"name: tiny\ntask: sequence-classification\nlabels: [{', '.join(TOPICS)}]\nmax_characters: 200\n"


def write_world(folder: Path) -> Path:
    """Write base, policy, schema, `config.yaml`, and the rows both as a source and as files to hand in."""
    write_base(folder / "base")
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "schema.yaml").write_text(SCHEMA)
    chance = random.Random(0)
    rows = {name: [_row(chance) for _ in range(30)] for name in HONEST}
    rows["copycat"] = [(text.upper(), label) for text, label in rows["ada"][:10]]
    rows["scrambler"] = [_row(chance, wrong=True) for _ in range(20)]
    evaluation = [_row(chance) for _ in range(36)]
    for name, own in rows.items():
        write_rows(folder / f"{name}.jsonl", own)
    write_rows(folder / "evaluation.jsonl", evaluation)
    (folder / "source").mkdir()
    _write_source(folder / "source" / "train.jsonl", rows)
    _write_source(folder / "source" / "val.jsonl", {"ada": evaluation})
    return folder


def _write_source(file: Path, rows: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    lines = [{"text": text, "label": label, "domain": name} for name, own in rows.items() for text, label in own]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_rows(file: Path, rows: Sequence[tuple[str, str]]) -> Path:
    """Write (text, label) pairs as JSONL."""
    file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return file


def write_base(folder: Path) -> Path:
    """A random BERT of hidden size 32 with two layers and a tokenizer of whole words."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    words = (*special, *TOPICS, *(word for words in TOPICS.values() for word in words), *FILLERS)
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), special, strict=True)),
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def _row(chance: random.Random, wrong: bool = False) -> tuple[str, str]:
    topic = chance.choice(list(TOPICS))
    words = [*chance.sample(TOPICS[topic], 2), *chance.sample(FILLERS, 2)]
    chance.shuffle(words)
    label = chance.choice([other for other in TOPICS if other != topic]) if wrong else topic
    return " ".join(words), label
