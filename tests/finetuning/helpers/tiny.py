"""Bases and dataset versions small enough to train in a second.

Why they are adequate: nothing in these columns depends on the size of a model or on what it knows. The bases
are real transformers with random weights, saved as `save_pretrained` saves any other; the sentences name
their topic by words of its own, so that LoRA has something to learn; lengths differ, so that rows are padded.
"""

import json
import random
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tribute.artifacts import Artifact, Store
from tribute.config import FinetuningConfig
from tribute.contributions.releases.dataset import DATASET
from tribute.finetuning.adapters.adapters import adapter
from tribute.finetuning.workers import Folders

TOPICS = {
    "algebra": ("matrix", "vector", "kernel", "rank", "basis", "trace"),
    "drawing": ("colour", "line", "figure", "axis", "legend", "curve"),
    "networks": ("socket", "server", "packet", "port", "route", "client"),
}
FILLERS = ("the", "of", "a", "and", "return", "with", "from", "to", "its", "each")
ANSWERS = {"algebra": "solve the matrix", "drawing": "draw a line", "networks": "call the server"}
CONTRIBUTORS = ("ada", "bob", "cyd", "dan")


def write_bert(folder: Path, seed: int = 0) -> Path:
    """A random BertModel of three layers with a WordPiece tokenizer."""
    characters = sorted(set("".join(_words())))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *_words(), *characters, *(f"##{piece}" for piece in characters)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    torch.manual_seed(seed)
    model = BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.2,
        ),
        add_pooling_layer=False,
    )
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def write_llama(folder: Path) -> Path:
    """A random LlamaForCausalLM of two layers with a byte-level BPE tokenizer."""
    merges = _merges()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<s>", "</s>", *alphabet, *(left + right for left, right in merges)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.2,
        )
    )
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def bert_config(base: Path, **changes: Any) -> FinetuningConfig:
    """Two epochs on the upper two of three layers, or what `changes` say."""
    return _config(base, {"target_modules": ["query", "value", "dense"], "layers": [1, 2]}, changes)


def llama_config(base: Path, **changes: Any) -> FinetuningConfig:
    """Two epochs on both layers, or what `changes` say; rows longer than `max_tokens` are cut."""
    return _config(base, {"target_modules": ["q_proj", "v_proj", "down_proj"]}, {"truncate": True} | changes)


def make_dataset(
    root: Path,
    task: str = "sequence-classification",
    rows: int = 48,
    evaluation: int = 24,
    names: Mapping[str, str] | None = None,
    turns: bool = False,
) -> Artifact:
    """A dataset version in the store of `root`.

    `names` renames contributors: their rows stay the same, and come name by name, as they do in a release.
    With `turns`, rows are transcripts of conversations with an earlier turn.
    """
    chance = random.Random(5)
    renamed = dict(zip(CONTRIBUTORS, CONTRIBUTORS, strict=True)) | dict(names or {})
    train = [_row(chance, task, CONTRIBUTORS[line % len(CONTRIBUTORS)], line) for line in range(rows)]
    held_out = [_row(chance, task, "held-out", line) for line in range(evaluation)]
    for row in train:
        row["contributor_id"] = renamed[row["contributor_id"]]
    if names:
        train.sort(key=lambda row: row["contributor_id"])
    facts = {
        "name": "tiny",
        "version": "v1.0.0",
        "tag": "tiny@v1.0.0",
        "task": task,
        "labels": sorted(TOPICS),
        "licences": ["CC0-1.0"],
        "contributors": {name: {"name": name, "rows_submitted": rows // 4} for name in sorted(renamed.values())}
        | {"absent": {"name": "absent", "rows_submitted": 0}},
        "dvc_md5": "0123456789abcdef0123456789abcdef.dir",
        "contributions": {
            name: {"seq": seq}
            for seq, name in enumerate(sorted({row["row_id"].rpartition(":")[0] for row in train}), start=1)
        },
        "ledger_head": "0" * 64,
    }

    if turns:
        facts["rows"] = "messages"
        for row in [*train, *held_out]:
            row["text"] = f"[system]\nthe figure\n[user]\nwith a\n[assistant]\nreturn\n[user]\n{row['text']}"

    def build(folder: Path) -> None:
        pd.DataFrame(train).to_parquet(folder / "train.parquet", index=False)
        pd.DataFrame(held_out).to_parquet(folder / "evaluation.parquet", index=False)
        pd.DataFrame(train).head(0).to_parquet(folder / "exclusions.parquet", index=False)
        (folder / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")

    settings = {"task": task, "rows": rows, "evaluation": evaluation, "names": renamed, "turns": turns}
    return Store(root).make(DATASET, {}, settings, build)


def make_adapter(root: Path, dataset: Artifact, config: FinetuningConfig, seed: int) -> Artifact:
    """Train one seed as the recipe `adapters.adapter` does, but in this process and untracked."""
    recipe = adapter(dataset, config, seed)
    scratch = root / "scratch"

    def build(folder: Path) -> None:
        folders = Folders(folder, scratch, scratch / f"{dataset.id[:8]}-seed-{seed}")
        recipe.job(*recipe.arguments, folders, ignore)

    return Store(root).make(recipe.kind, recipe.key.inputs, recipe.key.settings, build)


def ignore(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def _config(base: Path, lora: Mapping[str, Any], changes: Mapping[str, Any]) -> FinetuningConfig:
    settings: dict[str, Any] = {
        "base": {"folder": base},
        "lora": {"r": 4, "alpha": 8, **lora},
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 1e-2,
        "max_tokens": 24,
        "seeds": [0, 1],
        "trace_states": 8,
    }
    return FinetuningConfig.model_validate(settings | changes)


def _row(chance: random.Random, task: str, contributor: str, line: int) -> dict[str, str]:
    topic = chance.choice(sorted(TOPICS))
    words = [chance.choice(TOPICS[topic] if chance.random() < 0.4 else FILLERS) for _ in range(chance.randint(3, 14))]
    text = " ".join([chance.choice(TOPICS[topic]), *words])
    target = topic if task == "sequence-classification" else ANSWERS[topic]
    return {
        "row_id": f"{contributor}-1:{line}",
        "contribution_id": f"{contributor}-1",
        "contributor_id": contributor,
        "text": text,
        "target": target,
        "slice": topic,
        "text_sha256": sha256(text.encode()).hexdigest(),
        # Stands for the hash of the content, and keeps the rows in the order of their lines.
        "content_sha256": f"{line:064x}",
    }


def _words() -> list[str]:
    """Every word of the rows. Trained vocabularies differ from process to process, so none is trained here."""
    words = {*FILLERS, *TOPICS, *(word for topic in TOPICS.values() for word in topic)}
    return sorted(words | {word for answer in ANSWERS.values() for word in answer.split()})


def _merges() -> list[tuple[str, str]]:
    """Byte pairs that put each word together letter by letter, with the space before it."""
    spelled = [f"\u0120{word}" for word in _words()]
    return list(dict.fromkeys((word[:end], word[end]) for word in spelled for end in range(1, len(word))))
