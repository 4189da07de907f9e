"""Paid answers explained in batches: which wait, what the stand-in says of them, and the signed addenda.

A batch is answers of one adapter. Its work is done in a child process and gives addenda as plain data, so that it may
run on another machine that shares the workspace; only adding them needs the store's instance `explainer`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from tribute.contributions.registry import Registry
from tribute.errors import ServiceError, TributeError
from tribute.finetuning.children import run_child
from tribute.pipeline.usage.clock import clock_of
from tribute.pipeline.usage.served_runs import ServedRun, served_run
from tribute.progress import reporter
from tribute.services.explaining import (
    FAILED,
    NO_PROBABILITY,
    NOT_DRAWN,
    UNPAID,
    Explained,
    PendingAnswer,
    draw,
    explained,
    pending,
    retrieved_of,
    unexplained,
)
from tribute.services.meter import AT_ONCE, Meter, Pair, Texts, Training, add_addendum
from tribute.services.opening import EXPLAINER, open_meter, open_texts, store_url
from tribute.services.store import Store
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.attribution.credit import AnswerCredits
    from tribute.finetuning.encoding.encoding import EncodedRows

SIZE = 256
"""Answers of a batch."""


@dataclass(frozen=True)
class Batch:
    """Answers of one adapter, each with the probability in 10⁻¹² with which it was drawn."""

    adapter: str
    answers: Sequence[tuple[PendingAnswer, int]]

    def __str__(self) -> str:
        return f"explain {len(self.answers)} answers of {self.adapter[:12]}"


Addenda = list[tuple[str, Training]]
"""Receipts and what their addenda say."""


def waiting(
    workspace: Workspace, url: str | None = None, month: str | None = None, budget: int | None = None
) -> tuple[list[Batch], Addenda]:
    """The batches to explain, of open months or of one, and the addenda of answers that are not to be explained.

    `budget`: about how many answers to explain, drawn in proportion to price. Whoever asked for it at once is explained
    whatever the budget.
    """
    with Store.attach(store_url(workspace, url)) as store:
        answers = pending(store, month)
    drawn = draw([answer for answer in answers if answer.explain != AT_ONCE], budget)
    drawn |= draw([answer for answer in answers if answer.explain == AT_ONCE])
    chosen = [answer for answer in answers if answer.receipt in drawn]
    batches = []
    for adapter, group in groupby(sorted(chosen, key=lambda answer: answer.artifact), lambda answer: answer.artifact):
        pairs = [(answer, drawn[answer.receipt]) for answer in group]
        batches += [Batch(adapter, pairs[start : start + SIZE]) for start in range(0, len(pairs), SIZE)]
    others = [answer for answer in answers if answer.receipt not in drawn]
    return batches, [(each.receipt, unexplained(NOT_DRAWN if each.paid > 0 else UNPAID)) for each in others]


def explain_batch(workspace: Workspace, batch: Batch, url: str | None = None) -> Addenda:
    """What moved each answer. An answer whose explanation fails says so, and does not stop the others."""
    with Store.attach(store_url(workspace, url)) as store:
        texts = open_texts(workspace, store)
        pairs = [_pairs(texts, answer.receipt) for answer, _ in batch.answers]
        masks = [texts.mask(answer.payer) for answer, _ in batch.answers]
        names = Registry.open(workspace).snapshot().contributors()
        retrieved = retrieved_of(store, [answer.receipt for answer, _ in batch.answers], masks, names)
    try:
        run: ServedRun | None = served_run(workspace, batch.adapter)
    except TributeError:
        run = None
    askable = [place for place, asked in enumerate(pairs) if asked] if run else []
    moved = _moved(workspace, run, [pairs[place] or [] for place in askable]) if run else []
    by_place = dict(zip(askable, moved, strict=True))
    addenda: Addenda = []
    for place, (answer, probability) in enumerate(batch.answers):
        explanation = by_place.get(place)
        status = NO_PROBABILITY if pairs[place] == [] else FAILED
        if explanation:
            training = explained(explanation, masks[place], probability, retrieved[place])
        else:
            training = unexplained(status, probability)
        addenda.append((answer.receipt, training))
    return addenda


def add_addenda(workspace: Workspace, addenda: Addenda, url: str | None = None) -> int:
    """Sign and add them, and forget the texts that nobody needs any more: how many addenda."""
    with open_meter(workspace, url, EXPLAINER, clock_of(workspace)) as meter:
        return add_all(meter, addenda)


def add_all(meter: Meter, addenda: Addenda) -> int:
    """The same with an open meter. What has an addendum already, or is sealed by now, stays as it is."""
    added = 0
    for receipt, training in addenda:
        try:
            add_addendum(meter, receipt, training)
        except ServiceError as error:
            if error.status not in (409, 422):
                raise
        else:
            added += 1
    meter.texts.forget_due()
    return added


def _pairs(texts: Texts, receipt: str) -> list[Pair] | None:
    """What an answer is explained by; None where its text is forgotten."""
    try:
        return texts.open(receipt).pairs
    except ServiceError as error:
        if error.status != 410:
            raise
        return None


def _moved(workspace: Workspace, run: ServedRun, answers: Sequence[list[Pair]]) -> list[Explained | None]:
    """What the stand-in says of each answer; None of those that it cannot be asked about."""
    if not answers:
        return []
    try:
        credits = _credited(workspace, run, answers)
    except (TributeError, RuntimeError):
        if len(answers) == 1:
            return [None]
        middle = len(answers) // 2
        return [*_moved(workspace, run, answers[:middle]), *_moved(workspace, run, answers[middle:])]
    return [
        Explained(float(gain), float(reached), credit, credits.contributors, run.reach)
        for gain, reached, credit in zip(credits.gains, credits.reached, credits.credits, strict=True)
    ]


def _credited(workspace: Workspace, run: ServedRun, answers: Sequence[list[Pair]]) -> "AnswerCredits":
    # They import torch, which a month without answers need not wait for.
    import numpy as np

    from tribute.attribution.credit import answer_credit_job
    from tribute.finetuning.models.base_models import base_folder, load_tokenizer

    finetuning = run.config.finetuning
    rows, owners = [pair for pairs in answers for pair in pairs], np.repeat(range(len(answers)), [*map(len, answers)])
    encoded = encoded_pairs(rows, load_tokenizer(base_folder(finetuning.base)).pad_token_id)
    arguments = ((run.dataset, run.adapter, run.stand_in), finetuning, workspace.scratch, encoded, owners.tolist())
    seconds, title = 60.0 * finetuning.timeout_minutes, "explain answers"
    credits: AnswerCredits = run_child(
        answer_credit_job, *arguments, title=title, timeout_seconds=seconds, progress=reporter(title)
    )
    return credits


def encoded_pairs(pairs: Sequence[Pair], pad_id: int) -> "EncodedRows":
    """Questions and answers as rows: an answer in tokens is what counts of its row, a label is the row's."""
    from tribute.finetuning.encoding.encoding import IGNORED, EncodedRows

    tokens = [list(asked) if isinstance(given, int) else [*asked, *given] for asked, given in pairs]
    targets = [given if isinstance(given, int) else [IGNORED] * len(asked) + [*given] for asked, given in pairs]
    names = [str(place) for place in range(len(pairs))]
    return EncodedRows(names, ["answer"] * len(pairs), tokens, targets, pad_id)
