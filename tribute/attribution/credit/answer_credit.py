"""What the stand-in says of answers that a served adapter gave: every row's credit on each. Knows nothing of money.

An answer's gain is log p(answer, adapter) − log p(answer, base), nats. The stand-in is the run's, as it was fitted to
the evaluation; it is asked for the answers in place of the evaluation rows. Its credits on an answer sum to what it
gains there itself, but for the quadrature: along all weights alike, since drawn orders would cost each answer as much
as the whole evaluation (see stand_in.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact
from tribute.attribution.credit.memory import Memory, kernel_of
from tribute.attribution.credit.probe import Probe
from tribute.attribution.credit.stand_in import StandIn, path_credits
from tribute.attribution.credit.stand_in_artifact import load_stand_in, response_tokens
from tribute.config import FinetuningConfig
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.embeddings import embed_rows
from tribute.finetuning.models.lora import add_lora
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.preparation.preparation import build_model, check_base, prepare
from tribute.finetuning.recording.trace import assign, trace_of
from tribute.progress import Progress


@dataclass(frozen=True)
class AnswerCredits:
    """Of answers, in their order. All in nats."""

    gains: np.ndarray
    """What the adapter adds to the log-probability of the whole answer, [answers]."""
    reached: np.ndarray
    """What the stand-in adds, [answers]."""
    credits: np.ndarray
    """Each row's part of what the stand-in adds, [answers, rows]."""
    contributors: Sequence[str]
    """Whose the rows are, [rows]."""


def answer_credit_job(
    trained: tuple[Artifact, Artifact, Artifact],
    finetuning: FinetuningConfig,
    scratch: Path,
    rows: EncodedRows,
    answers: Sequence[int],
    progress: Progress,
) -> AnswerCredits:
    """Credit answers; runs in a child. `trained` is dataset, adapter and stand-in (kind `probe`).

    `rows` are questions with the answers given; `answers` says of each row which answer it is part of, from 0, since
    one call may ask for several labels. Raises AttributionError where base and adapter do not fit.
    """
    dataset, adapter, stand_in = trained
    check_base(dataset, adapter, finetuning)
    # Each answer reads the sum of its rows' losses; a response's loss is a mean over its tokens.
    readings = np.zeros((len(rows), max(answers) + 1))
    model, asked = _stand_in(dataset, stand_in, finetuning, scratch, rows)
    before = evaluate(model, rows)
    add_lora(model, finetuning.lora, 0)
    assign(model.trainable(), trace_of(adapter).states[-1].theta)
    after = evaluate(model, rows)
    readings[np.arange(len(rows)), answers] = 1.0 if before.tokens is None else before.tokens
    table = pd.read_parquet(stand_in.file("credits.parquet"), columns=["row_id"])
    owners = pd.read_parquet(dataset.file("train.parquet"), columns=["row_id", "contributor_id"])
    everything = np.ones(len(table))
    return AnswerCredits(
        gains=readings.T @ (before.losses - after.losses),
        reached=readings.T @ (asked.losses(0 * everything) - asked.losses(everything)),
        credits=path_credits(asked, len(table), readings, progress),
        contributors=owners.set_index("row_id")["contributor_id"].loc[table["row_id"]].tolist(),
    )


def _stand_in(
    dataset: Artifact, stand_in: Artifact, finetuning: FinetuningConfig, scratch: Path, rows: EncodedRows
) -> tuple[RowModel, StandIn]:
    """The base before any adapter, and the stand-in with these rows in place of the evaluation's."""
    fitted = load_stand_in(stand_in.path)
    if isinstance(fitted, Probe):
        model = build_model(dataset, finetuning)
        vectors, labels = embed_rows(model.embed, rows).numpy(), np.array(rows.targets, dtype=np.int64)
        return model, replace(fitted, evaluation=vectors, answers=labels)
    ready = prepare(dataset, finetuning, scratch)
    learned, evaluated, asked = (response_tokens(ready.model, part) for part in (ready.train, ready.evaluation, rows))
    states, tokens, owners = zip(learned[:3], asked[:3], strict=True)
    kernel = kernel_of(learned[0], evaluated[0])
    memory = Memory.of(states, tokens, owners, asked[3], len(ready.train), kernel)
    return ready.model, replace(memory, length=fitted.length)
