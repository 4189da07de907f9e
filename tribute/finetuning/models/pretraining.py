"""A small Llama that is pre-trained here, so that a causal fine-tune can be tried without a download.

It reads prose of the installed packages once (contributions/sources/package_text.py), with a tokenizer of its own. It
knows words and how sentences go, and little else. One thread and one seed: the same packages on the same kind of
processor give the same weights.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.utils import logging

from tribute.artifacts import package_versions
from tribute.closure import code_digest
from tribute.contributions.sources import package_texts, package_versions_read
from tribute.digests import canonical_digest
from tribute.errors import BaseModelError
from tribute.files import making, write_json
from tribute.finetuning.models.threads import one_thread
from tribute.progress import Progress, ignore
from tribute.strict import parse_json

VOCABULARY = 2048
SHAPE = {
    "hidden_size": 96,
    "num_hidden_layers": 12,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}
"""1.5 million parameters."""
BLOCK, BATCH, STEPS = 128, 12, 1000
"""Tokens of a sequence, sequences of a step, steps: 1.5 million tokens, of which none is read twice."""
RATE, WARMUP, DECAY, CLIP, BETAS = 4e-3, 0.3, 0.1, 1.0, (0.9, 0.95)
SEED = 0
END = "<|end|>"
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}Answer:\n"
    "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
    "{% elif message['role'] == 'user' %}Question: {{ message['content'] + '\n' }}"
    "{% else %}{{ message['content'] + '\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Answer:\n{% endif %}"
)
FACTS = "base.json"


def make_base(folder: Path, progress: Progress = ignore) -> bool:
    """Pre-train the base into a new folder, as `save_pretrained` writes it; True where it was there already.

    `base.json` has its key (what it was made from), tokens read, and mean loss of the last tenth in nats a token.
    Raises BaseModelError where the folder holds something else.
    """
    if is_base(folder):
        return True
    logging.disable_progress_bar()
    with one_thread(), making(folder.resolve()) as beside:
        tokenizer, tokens = _read()
        model = _model(tokenizer)
        losses = _pretrain(model, tokens, progress)
        model.save_pretrained(beside)
        tokenizer.save_pretrained(beside)
        tail = losses[-max(1, len(losses) // 10) :]
        facts = {"key": _key(), "tokens": BLOCK * BATCH * len(losses), "loss": sum(tail) / len(tail)}
        write_json(beside / FACTS, facts)
    return False


def is_base(folder: Path) -> bool:
    """Whether this base is there already. Raises BaseModelError where the folder holds something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if _key_of(folder) != _key():
        raise BaseModelError(
            f"{folder} holds something else, or a base made of other packages; give a new folder, or remove it"
        )
    return True


def _key() -> str:
    return canonical_digest([package_versions_read(), package_versions(), code_digest(__name__)])


def _key_of(folder: Path) -> str | None:
    try:
        return str(parse_json((folder / FACTS).read_text(encoding="utf-8"))["key"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _read() -> tuple[Any, Tensor]:
    """The tokenizer, and the token ids of all texts with an end after each, int64 [tokens]."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = package_texts()
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=END, pad_token=END)
    tokenizer.chat_template = TEMPLATE
    end, needed = int(tokenizer.eos_token_id), BLOCK * BATCH * STEPS + 1
    ids: list[int] = []
    for text in texts:
        if len(ids) >= needed:
            break
        ids += [*raw.encode(text).ids, end]
    return tokenizer, torch.tensor(ids[:needed])


def _model(tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    end = tokenizer.eos_token_id
    torch.manual_seed(SEED)
    # No begin token: the tokenizer sets none.
    config = LlamaConfig(vocab_size=VOCABULARY, bos_token_id=None, eos_token_id=end, pad_token_id=end, **SHAPE)
    return LlamaForCausalLM(config)


def _pretrain(model: Any, tokens: Tensor, progress: Progress) -> Sequence[float]:
    """One pass over the tokens by AdamW, the rate rising and then falling as a cosine; the loss of every step."""
    batches = list(_batches(tokens))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=BETAS, weight_decay=DECAY)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, len(batches), pct_start=WARMUP, cycle_momentum=False)
    losses = []
    for number, batch in enumerate(batches, 1):
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        rates.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        progress(number, len(batches))
    return losses


def _batches(tokens: Tensor) -> Iterator[Tensor]:
    """Consecutive blocks, [BATCH, BLOCK] each; what is left over at the end is not read."""
    blocks = tokens[: len(tokens) // BLOCK * BLOCK].view(-1, BLOCK)
    yield from (blocks[first : first + BATCH] for first in range(0, len(blocks) - BATCH + 1, BATCH))
