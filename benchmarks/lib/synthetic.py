"""Small worlds that are made up, so that a truth of many thousand trainings takes seconds.

Sentences are points around the modes of a mixture of Gaussians; a label has several modes. The base is a linear
encoder, the head the labels' noisy means, and LoRA learns by the product's own training. `World.losses` trains many
subsets of the rows at once, step by step as that training would, rounding aside.
"""

import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tribute.attribution.credit.probe import Probe
from tribute.attribution.credit.stand_in_artifact import probe_of
from tribute.config import BaseConfig, FinetuningConfig, LoraConfig
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.lora import add_lora
from tribute.finetuning.models.row_models import LOGIT_SCALE, SentenceClassifier
from tribute.finetuning.optimizers.adam import Adam
from tribute.finetuning.training.schedule import learning_rates, schedule
from tribute.finetuning.training.training import Training, train

WIDTH, LABELS, MODES = 24, 8, 3
SPREAD, SAMPLE, FRESH = 0.12, 240, 480
"""How far each coordinate of a point lies from its mode's, where modes are about 1 long; rows of either evaluation."""
ROWS, SMALL, LARGE, EQUAL = 500, 8, 260, 70
"""Rows of a world, about, the sizes between which uneven names lie, and that of equal ones."""
JUNK_MIXED = 4
"""Points of which a row of junk is the mean."""
KNOWN, WRONG = 0.5, 0.3
"""The part of all modes that an overlapping name knows; the part of wrong labels in the middle name's rows."""
Kind = Literal["dealt", "overlapping", "disjoint", "lone", "mixed"]
"""All names know all modes; each knows a random half of them, and the middle one has wrong labels; each has modes of
its own; the first alone teaches one label, the others teach all others; each has one label of its own and a random
quarter of all modes, and every third has wrong labels."""
CONFIG = FinetuningConfig(
    base=BaseConfig(package="none"),
    lora=LoraConfig(r=16, alpha=32, target_modules=("dense",)),
    epochs=4,
    batch_size=32,
    learning_rate=3e-3,
    warmup=0.0,
)


class _Encoder(nn.Module):
    """One linear layer, which changes nothing before it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(WIDTH, WIDTH, bias=False)
        nn.init.eye_(self.dense.weight)
        self.config = SimpleNamespace(hidden_size=WIDTH, model_type="", get=lambda *_: None, to_dict=dict)

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.dense(inputs_embeds))


@dataclass(frozen=True)
class World:
    """Training rows, the sample that a run evaluates on, and fresh rows that only the truth sees."""

    owner: np.ndarray
    """Each training row's name, int [rows]."""
    train: EncodedRows
    sample: EncodedRows
    fresh: EncodedRows
    head: Tensor

    @classmethod
    def of(cls, kind: Kind, names: int, even: bool, number: int) -> "World":
        """A world by its kind, how many names it has, and whether they have the same number of rows."""
        chance = np.random.Generator(np.random.Philox([number, 5]))
        modes = chance.normal(size=(LABELS * MODES, WIDTH)) / np.sqrt(WIDTH)
        owner = np.repeat(np.arange(names), sizes_of(names, even, ROWS))
        known = known_modes(kind, names, chance)
        mode = np.array([chance.choice(known[name]) for name in owner])
        label = mode // MODES
        spoilt = {"overlapping": owner == names // 2, "mixed": owner % 3 == 2}.get(kind)
        wrong = owner < 0 if spoilt is None else spoilt & (chance.random(len(owner)) < WRONG)
        label = np.where(wrong, chance.integers(LABELS, size=len(owner)), label)
        parts = [(mode, label)]
        for count in (SAMPLE, FRESH):
            asked = np.arange(count) % len(modes)
            parts.append((asked, asked // MODES))
        encoded = [_encoded(modes, *part, chance) for part in parts]
        means = modes.reshape(LABELS, MODES, WIDTH).mean(1) + 0.1 * chance.normal(size=(LABELS, WIDTH))
        head = functional.normalize(torch.tensor(means, dtype=torch.float32), dim=1)
        return cls(owner, encoded[0], encoded[1], encoded[2], head)

    def with_junk(self, names: int, rows: int, number: int) -> "World":
        """So many more names with rows like random words: means of a few points of anybody's, with random labels."""
        chance = np.random.Generator(np.random.Philox([number, 9]))
        points = self._points[0]
        mixed = chance.integers(len(points), size=(names * rows, JUNK_MIXED))
        train = replace(
            self.train,
            row_ids=[*self.train.row_ids, *(f"junk-{row:05}" for row in range(len(mixed)))],
            tokens=[*self.train.tokens, *[[0]] * len(mixed)],
            hidden=[*(self.train.hidden or ()), *points[mixed].mean(1, keepdim=True)],
            targets=[*self.train.targets, *chance.integers(LABELS, size=len(mixed)).tolist()],
        )
        train = replace(train, slices=[str(label) for label in train.targets])
        junk = self.owner.max() + 1 + np.repeat(np.arange(names), rows)
        return replace(self, owner=np.concatenate([self.owner, junk]), train=train)

    def base(self) -> SentenceClassifier:
        """The model before any adapter."""
        return SentenceClassifier(_Encoder(), self.head)

    def trained(self, seed: int, order: int | None = None) -> tuple[SentenceClassifier, Training]:
        """By the product's training on all rows; the order of batches may be another seed's."""
        model = self.base()
        add_lora(model, CONFIG.lora, seed)
        scratch = tempfile.TemporaryDirectory()
        training = train(model, self.train, CONFIG, seed if order is None else order, Path(scratch.name))
        weakref.finalize(training, scratch.cleanup)  # The trace reads its states from there.
        return model, training

    def losses(self, kept: np.ndarray, seed: int, *parts: EncodedRows) -> np.ndarray:
        """Loss of each row of `parts` after a training on each subset `kept` [subsets, rows], nats [subsets, ·]."""
        down, up = self._adapter(seed)
        adapter = [part.repeat(len(kept), 1, 1) for part in (down, up)]
        moments = [[torch.zeros_like(part) for part in adapter] for _ in range(2)]
        steps = schedule(len(self.train), CONFIG, seed)
        points, labels = self._points
        weights = torch.tensor(kept, dtype=torch.float32)
        for step, (batch, rate) in enumerate(zip(steps, learning_rates(CONFIG, len(steps)), strict=True)):
            leaves = [part.requires_grad_() for part in adapter]
            loss = (self._row_losses(leaves, points[batch], labels[batch]) * weights[:, batch]).sum()
            gradients = torch.autograd.grad(loss / CONFIG.batch_size, leaves)
            with torch.no_grad():
                adapter = [
                    _stepped(Adam(), step, float(rate), part, gradient, m, v)
                    for part, gradient, m, v in zip(leaves, gradients, *moments, strict=True)
                ]
        with torch.no_grad():
            found = [self._row_losses(adapter, *_points(part)) for part in parts]
            return np.asarray(torch.cat(found, dim=1).double().numpy())

    def stand_in(self) -> Probe:
        """Not yet fitted."""
        return probe_of(self.base(), self.train, self.sample)

    @cached_property
    def _points(self) -> tuple[Tensor, Tensor]:
        return _points(self.train)

    def _adapter(self, seed: int) -> tuple[Tensor, Tensor]:
        model = self.base()
        add_lora(model, CONFIG.lora, seed)
        down, up = model.trainable().values()
        return down.detach(), up.detach()

    def _row_losses(self, adapter: Sequence[Tensor], points: Tensor, labels: Tensor) -> Tensor:
        """[subsets, rows]."""
        down, up = adapter
        moved = points + CONFIG.lora.alpha / CONFIG.lora.r * points @ down.mT @ up.mT
        logits = LOGIT_SCALE * functional.normalize(moved, dim=-1) @ self.head.T
        return functional.cross_entropy(logits.mT, labels.expand(len(down), -1), reduction="none")


def _stepped(adam: Adam, step: int, rate: float, part: Tensor, gradient: Tensor, m: Tensor, v: Tensor) -> Tensor:
    """RootAdam's step; moments change in place."""
    m.lerp_(gradient, 1 - adam.beta1)
    v.mul_(adam.beta2).addcmul_(gradient, gradient, value=1 - adam.beta2)
    return part.detach() - adam.update(step, rate, m, v).preconditioner * m


def sizes_of(names: int, even: bool, rows: int) -> np.ndarray:
    """How many of about so many `rows` each name has, int [names]."""
    sizes = np.full(names, min(EQUAL, rows // names)) if even else np.geomspace(SMALL, LARGE, names)
    return np.asarray(np.maximum(SMALL, sizes * min(1, rows / sizes.sum())).round().astype(int))


def known_modes(kind: Kind, names: int, chance: np.random.Generator) -> list[np.ndarray]:
    """The modes that each name knows."""
    count = LABELS * MODES
    if kind == "disjoint":
        dealt = chance.permutation(max(count, names)) % count
        return [dealt[name::names] for name in range(names)]
    if kind == "dealt":
        return [np.arange(count)] * names
    if kind == "lone":
        return [np.arange(MODES)] + [np.arange(MODES, count)] * (names - 1)
    if kind == "mixed":
        drawn = [chance.permutation(count)[: count // 4] for _ in range(names)]
        own = [np.arange(MODES) + MODES * (name % LABELS) for name in range(names)]
        return [np.union1d(*pair) for pair in zip(drawn, own, strict=True)]
    return [chance.permutation(count)[: int(KNOWN * count)] for _ in range(names)]


def _encoded(modes: np.ndarray, mode: np.ndarray, label: np.ndarray, chance: np.random.Generator) -> EncodedRows:
    points = modes[mode] + SPREAD * chance.normal(size=(len(mode), WIDTH))
    hidden = [point[None] for point in torch.tensor(points, dtype=torch.float32)]
    ids = [f"{number:05}" for number in range(len(mode))]
    return EncodedRows(ids, [str(one) for one in label], [[0]] * len(mode), label.tolist(), 0, hidden)


def _points(rows: EncodedRows) -> tuple[Tensor, Tensor]:
    return rows.flat(), torch.tensor(rows.targets)
