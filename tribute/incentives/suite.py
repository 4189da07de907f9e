"""Paired draws of attacks, honest against attacked, and the ratios of summed pay with their bootstrap.

A draw of an attack is one line of `results.jsonl`; a line that is there for the same code is not computed again.
"""

import json
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tribute.closure import code_digest
from tribute.contributions.releases import Tokenizer
from tribute.incentives.attacks import Attack
from tribute.incentives.pay import Earnings, Embeddings, earnings, probe_of
from tribute.incentives.screened import DEFENCES, Trained, trained_rows
from tribute.incentives.world import ATTACKER, VICTIM, Corpus, Size, World, draw_world
from tribute.progress import Progress, ignore
from tribute.strict import parse_json

CODE = code_digest(__name__)[:16]
"""Of the sources that decide a draw."""
RESAMPLED = 2000
LOWER, UPPER = 2.5, 97.5
"""Percentiles of the bootstrap's ratios: a 95 % interval."""


@dataclass(frozen=True)
class Draw:
    """One attack in one world. Parts of the pool: [honest, attacked]."""

    attack: str
    defence: str
    seed: int
    code: str
    exact: bool
    """The trained rows are those of the honest world, with the same names: every ratio is 1."""
    removed: float
    """Of the rows that the attack adds, the part that is not trained on."""
    credit: tuple[float, float]
    certain: tuple[float, float]
    content: tuple[float, float]
    victim_credit: tuple[float, float]
    victim_content: tuple[float, float]
    loss: tuple[float, float]
    price: float
    """Of the honest world's rows, the part that is not trained on."""
    seconds: float


@dataclass(frozen=True)
class Ratio:
    """Summed attacked ÷ summed honest pay, with a 95 % interval by a paired bootstrap of the draws."""

    ratio: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Summary:
    """What the draws of one attack say."""

    attack: str
    defence: str
    draws: int
    exact: int
    """Draws in which the ratio is 1 by construction."""
    removed: float
    credit: Ratio
    """By credit itself."""
    certain: Ratio
    """By credit less one standard error."""
    content: Ratio
    victim: Ratio
    """The victim's credit."""
    price: float
    """Of honest rows, the part that is not trained on where nobody attacks."""
    loss: float
    """Attacked less honest, nats; above 0: the model is worse."""


class Suite:
    """Worlds by their seed, and attacks on them."""

    def __init__(
        self,
        corpus: Corpus,
        embeddings: Embeddings,
        tokenizer: Tokenizer | None,
        size: Size,
        defence: str = "screening",
    ) -> None:
        self.defence = defence
        self.corpus, self.embeddings, self.tokenizer, self.size = corpus, embeddings, tokenizer, size
        self._honest = lru_cache(maxsize=4)(self._measure_honest)

    def draw(self, attack: Attack, seed: int) -> Draw:
        """One attack in one world."""
        start = time.perf_counter()
        world, honest, before, length = self._honest(seed)
        uploads = attack.uploads(world, random.Random(f"{attack.name} {seed}"))
        trained = trained_rows(world, uploads, self.tokenizer, DEFENCES[self.defence])
        exact, after = trained.content == honest.content, before
        if not exact:
            after = earnings(probe_of(world, trained.rows, self.embeddings, length), trained.rows)
        added = sum(len(upload.rows) for upload in uploads) - sum(len(upload.rows) for upload in world.uploads)
        lost = trained.refused + sum(trained.excluded.values()) - honest.refused - sum(honest.excluded.values())
        return Draw(
            attack=attack.name,
            defence=self.defence,
            seed=seed,
            code=CODE,
            exact=exact,
            removed=lost / added if added else 0.0,
            credit=(_of(before.credit, {ATTACKER}), _gained(after.credit, world)),
            certain=(_of(before.certain, {ATTACKER}), _gained(after.certain, world)),
            content=(_of(before.content, {ATTACKER}), _gained(after.content, world)),
            victim_credit=(_of(before.credit, {VICTIM}), _of(after.credit, {VICTIM})),
            victim_content=(_of(before.content, {VICTIM}), _of(after.content, {VICTIM})),
            loss=(before.loss, after.loss),
            price=(honest.refused + sum(honest.excluded.values())) / sum(len(upload.rows) for upload in world.uploads),
            seconds=time.perf_counter() - start,
        )

    def run(self, attacks: Sequence[Attack], draws: int, file: Path, progress: Progress = ignore) -> list[Draw]:
        """All draws, seed by seed, each appended to `file` as it is done."""
        done = {(draw.attack, draw.seed): draw for draw in read_draws(file, CODE) if draw.defence == self.defence}
        file.parent.mkdir(parents=True, exist_ok=True)
        todo = [(attack, seed) for seed in range(draws) for attack in attacks]
        for number, (attack, seed) in enumerate(todo, 1):
            if (attack.name, seed) not in done:
                done[attack.name, seed] = draw = self.draw(attack, seed)
                with file.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(draw)) + "\n")
            progress(number, len(todo))
        return [done[attack.name, seed] for attack, seed in todo]

    def _measure_honest(self, seed: int) -> tuple[World, Trained, Earnings, float]:
        world = draw_world(self.corpus, seed, self.size)
        trained = trained_rows(world, world.uploads, self.tokenizer, DEFENCES[self.defence])
        probe = probe_of(world, trained.rows, self.embeddings)
        return world, trained, earnings(probe, trained.rows), probe.length


def read_draws(file: Path, code: str) -> list[Draw]:
    """The draws in a file that were made by this code."""
    if not file.exists():
        return []
    lines: Iterable[dict[str, Any]] = (parse_json(line) for line in file.read_bytes().splitlines())
    return [Draw(**_with_pairs(line)) for line in lines if line["code"] == code]


def summarise(draws: Sequence[Draw]) -> Summary:
    """The ratios of one attack's draws."""
    return Summary(
        attack=draws[0].attack,
        defence=draws[0].defence,
        draws=len(draws),
        exact=sum(draw.exact for draw in draws),
        removed=float(np.mean([draw.removed for draw in draws])),
        credit=paired_ratio([draw.credit for draw in draws]),
        certain=paired_ratio([draw.certain for draw in draws]),
        content=paired_ratio([draw.content for draw in draws]),
        victim=paired_ratio([draw.victim_credit for draw in draws]),
        price=float(np.mean([draw.price for draw in draws])),
        loss=float(np.mean([draw.loss[1] - draw.loss[0] for draw in draws])),
    )


def paired_ratio(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Σ attacked ÷ Σ honest of pairs [honest, attacked]; inf where nothing was earned honestly.

    Resamples in which nobody earned anything have no ratio and are left out of the interval.
    """
    table = np.array(pairs, dtype=float)
    chosen = np.random.default_rng(0).integers(len(table), size=(RESAMPLED, len(table)))
    sums = table[chosen].sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = sums[:, 1] / sums[:, 0]
        ratio = float(table[:, 1].sum() / table[:, 0].sum())
    # No mean of two ratios: one of them may be infinite.
    return Ratio(ratio, *(float(np.nanpercentile(ratios, at, method="nearest")) for at in (LOWER, UPPER)))


def _with_pairs(line: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where a draw has pairs."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in line.items()}


def _of(parts: dict[str, float], names: set[str]) -> float:
    return sum(part for name, part in parts.items() if name in names)


def _gained(parts: dict[str, float], world: World) -> float:
    """What all names of the attacker earn together."""
    return _of(parts, set(parts) - set(world.honest))
