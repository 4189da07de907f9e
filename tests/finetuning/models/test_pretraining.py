"""A base that is pre-trained here is a base like any other, and is made once."""

import json
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from tests.helpers.terminal import tribute
from tribute.errors import BaseModelError
from tribute.finetuning.encoding.chat import Chat, chat_template
from tribute.finetuning.models import pretraining
from tribute.finetuning.models.base_models import load_tokenizer

WORDS = [
    "the",
    "matrix",
    "returns",
    "an",
    "axis",
    "of",
    "each",
    "figure",
    "and",
    "draws",
    "the",
    "line",
    "to",
    "its",
    "server",
    "port",
]


@pytest.fixture
def little_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty short paragraphs, and six steps."""
    texts = [" ".join(WORDS[place % 7 :] + WORDS[: place % 5]) + f" {place}." for place in range(300)]
    monkeypatch.setattr(pretraining, "package_texts", lambda: texts)
    monkeypatch.setattr(pretraining, "VOCABULARY", 300)
    monkeypatch.setattr(pretraining, "STEPS", 6)
    monkeypatch.setattr(pretraining, "BLOCK", 32)
    monkeypatch.setattr(pretraining, "BATCH", 4)


@pytest.mark.usefixtures("little_text")
def test_made_once_and_the_same_twice(tmp_path: Path):
    """A folder that holds it is found; another folder gets the same bytes; the loss falls."""
    first, second = tmp_path / "first", tmp_path / "second"
    assert not pretraining.make_base(first)
    assert pretraining.make_base(first)
    assert not pretraining.make_base(second)

    for name in ("model.safetensors", "tokenizer.json", "base.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    facts = json.loads((first / "base.json").read_text())
    assert facts["tokens"] == 6 * 4 * 32
    assert facts["loss"] < 5.7  # ln 300 = 5.70: what a model without any knowledge has


@pytest.mark.usefixtures("little_text")
def test_a_conversation_is_learned_up_to_its_end(tmp_path: Path):
    """The tokenizer's template marks the answer and its end alone, and the prompt is what stands before it."""
    pretraining.make_base(tmp_path / "base")
    tokenizer = load_tokenizer(tmp_path / "base")
    chat = Chat(tokenizer, str(chat_template(tokenizer, "", is_conversation=True)))
    turns = [{"role": "user", "content": "draw a line"}, {"role": "assistant", "content": "to the axis"}]

    ids, learned = chat.encode(turns, [])
    answer = [id_ for id_, is_learned in zip(ids, learned, strict=True) if is_learned]
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "base")

    assert tokenizer.decode(answer) == f"to the axis{tokenizer.eos_token}"
    assert ids[: len(ids) - len(answer)] == chat.prompt(turns[:1])
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id


@pytest.mark.usefixtures("little_text")
def test_a_folder_with_something_else_is_left_alone(tmp_path: Path):
    """Neither files of somebody's nor a base made of other packages are replaced."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BaseModelError, match="holds something else"):
        pretraining.make_base(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]

    pretraining.make_base(tmp_path / "base")
    (tmp_path / "base" / "base.json").write_text('{"key": "older"}')
    with pytest.raises(BaseModelError, match="made of other packages"):
        pretraining.make_base(tmp_path / "base")


def test_dry_run(tmp_path: Path):
    """`--dry-run` says what would be done, and does nothing."""
    said = tribute("base", "make", tmp_path / "base", "--dry-run")

    assert "would pre-train a small Llama" in said.out
    assert not (tmp_path / "base").exists()
