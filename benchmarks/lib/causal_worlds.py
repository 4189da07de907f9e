"""Causal models whose rows and trainings are few, so that a truth of many hundred trainings takes minutes.

`made_up(kind, …)` is a world of questions and answers that takes seconds: sentences are `key key SEP answer answer
answer answer END`. The base, a Llama of two layers, has read other answers to the same keys, so it knows how sentences
go and that answers hang on keys. Rows teach new answers: a topic's three questions begin their answers alike, and every
token of an answer is now and then another one. LoRA learns by the product's own training; `CausalWorld.losses` makes
many trainings at once (lib.many_trainings.py).
"""

import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lib.many_trainings import ManyTrainings
from lib.synthetic import LABELS, MODES, Kind, known_modes, sizes_of
from tribute.attribution.credit.memory import Memory
from tribute.attribution.credit.stand_in_artifact import memory_of
from tribute.config import BaseConfig, FinetuningConfig, LoraConfig
from tribute.finetuning.encoding.encoding import IGNORED, EncodedRows
from tribute.finetuning.models.lora import add_lora
from tribute.finetuning.models.lower_layers import cache_lower_layers
from tribute.finetuning.models.row_models import ResponseModel, RowModel
from tribute.finetuning.training.training import Training, train

END, SEP, KEYS, ANSWERS = 0, 1, range(2, 26), range(26, 64)
"""Tokens."""
LENGTH, ALIKE, SLIP = 4, 2, 0.1
"""Tokens of an answer, those with which all answers of a topic begin, and how often one of them is another."""
SAMPLE, FRESH, ROWS = 96, 96, 240
"""Rows of either evaluation, and training rows, about."""
WRONG = 0.5
"""The part of a spoilt name's rows that have another question's answer."""
SHAPE = {
    "vocab_size": len(KEYS) + len(ANSWERS) + 2, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 16, "tie_word_embeddings": True, "bos_token_id": None,
}  # fmt: skip
PRETRAINED, BATCH, RATE = 500, 64, 4e-3
BOUND = 0.8
"""How often a token that the base has read was one of its keys'."""
CONFIG = FinetuningConfig(
    base=BaseConfig(package="none"),
    lora=LoraConfig(r=8, alpha=16, target_modules=("q_proj", "v_proj", "up_proj", "down_proj"), layers=(1,)),
    epochs=3,
    batch_size=24,
    learning_rate=2e-2,
    max_tokens=16,
)


@dataclass(frozen=True)
class CausalWorld:
    """Training rows, the sample that a run evaluates on, and fresh rows that only the truth sees."""

    owner: np.ndarray
    """Each training row's name, int [rows]."""
    train: EncodedRows
    sample: EncodedRows
    fresh: EncodedRows
    config: FinetuningConfig
    whole: Callable[[], RowModel]
    """Makes the model before any adapter, all of its layers."""

    @classmethod
    def of(
        cls, owner: np.ndarray, rows: Sequence[EncodedRows], config: FinetuningConfig, whole: Callable[[], RowModel]
    ) -> "CausalWorld":
        """With the layers below the lowest adapted one computed; `rows` are for training, sample and fresh."""
        return cls(owner, *cache_lower_layers(whole(), config.lora, *rows), config, whole)

    def base(self) -> RowModel:
        """The model before any adapter, above the cached layers."""
        model = self.whole()
        cache_lower_layers(model, self.config.lora)
        return model

    def trained(self, seed: int) -> tuple[RowModel, Training]:
        """By the product's training on all rows."""
        model = self.base()
        add_lora(model, self.config.lora, seed)
        scratch = tempfile.TemporaryDirectory()
        training = train(model, self.train, self.config, seed, Path(scratch.name))
        weakref.finalize(training, scratch.cleanup)  # The trace reads its states from there.
        return model, training

    def losses(self, kept: np.ndarray, seed: int, *parts: EncodedRows) -> np.ndarray:
        """Loss of each row of `parts` after a training on each subset `kept` [subsets, rows], nats [subsets, ·]."""
        return self._many.losses(self.train, kept, [seed] * len(kept), *parts)

    def stand_in(self) -> Memory:
        """Not yet fitted."""
        return memory_of(self.base(), self.train, self.sample)

    @cached_property
    def _many(self) -> ManyTrainings:
        return ManyTrainings(self.base, self.config)


def made_up(kind: Kind, names: int, even: bool, number: int) -> CausalWorld:
    """A world by its kind, how many names it has, and whether they have the same number of rows."""
    chance = np.random.Generator(np.random.Philox([number, 12]))
    questions = LABELS * MODES
    keys = chance.permutation([(one, other) for one in KEYS for other in KEYS])[:questions]
    answers = chance.choice(ANSWERS, (questions, LENGTH))
    answers[:, :ALIKE] = answers[np.arange(questions) // MODES * MODES, :ALIKE]
    owner = np.repeat(np.arange(names), sizes_of(names, even, ROWS))
    known = known_modes(kind, names, chance)
    asked = np.array([chance.choice(known[name]) for name in owner])
    spoilt = {"overlapping": owner == names // 2, "mixed": owner % 3 == 2}.get(kind, owner < 0)
    wrong = spoilt & (chance.random(len(owner)) < WRONG)
    told = np.where(wrong, chance.integers(questions, size=len(owner)), asked)

    def encoded(asked: np.ndarray, told: np.ndarray) -> EncodedRows:
        said = answers[told]
        slips = chance.random(said.shape) < SLIP
        said = np.where(slips, chance.choice(ANSWERS, said.shape), said)
        ends = np.ones((len(asked), 1), int)
        tokens = np.hstack([keys[asked], SEP * ends, said, END * ends]).tolist()
        targets = [[IGNORED] * 3 + row[3:] for row in tokens]
        ids = [f"{row:05}" for row in range(len(asked))]
        return EncodedRows(ids, [f"topic {one // MODES}" for one in told], tokens, targets, END)

    parts = [encoded(asked, told)]
    parts += [encoded(np.arange(count) % questions, np.arange(count) % questions) for count in (SAMPLE, FRESH)]
    return CausalWorld.of(owner, parts, CONFIG, _base)


def _base() -> RowModel:
    network = LlamaForCausalLM(LlamaConfig(eos_token_id=END, pad_token_id=END, **SHAPE))
    network.load_state_dict(_pretrained())
    return ResponseModel(network.requires_grad_(False).eval())


@cache
def _pretrained() -> Any:
    """The base: every token of an answer is one that belongs to either key at this place, or any."""
    torch.manual_seed(0)
    chance = np.random.Generator(np.random.Philox(11))
    network = LlamaForCausalLM(LlamaConfig(eos_token_id=END, pad_token_id=END, **SHAPE))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    belongs = chance.choice(ANSWERS, (len(KEYS), LENGTH))
    for _ in range(PRETRAINED):
        keys = chance.choice(KEYS, (BATCH, 2))
        whose = keys[np.arange(BATCH)[:, None], chance.integers(2, size=(BATCH, LENGTH))]
        bound = chance.random((BATCH, LENGTH)) < BOUND
        said = belongs[whose - KEYS[0], np.arange(LENGTH)]
        answers = np.where(bound, said, chance.choice(ANSWERS, (BATCH, LENGTH)))
        ends = np.ones((BATCH, 1), int)
        read = torch.tensor(np.hstack([keys, SEP * ends, answers, END * ends]))
        optimizer.zero_grad()
        network(input_ids=read, labels=read).loss.backward()
        optimizer.step()
    return network.state_dict()
