"""Which contributors and which rows moved one answer of a run's model, seed by seed.

Scores are nats of the answer's loss, minus the log of its probability (for causal-lm the mean over its tokens):
what leaving the rows out of the training would add to it. > 0: the rows made the answer more probable.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tribute.artifacts import Artifact, check_files
from tribute.attribution.answers.damping import Damping
from tribute.attribution.answers.index_artifact import CONTRIBUTORS, CURVATURE, FACTS, ROWS, damping_of
from tribute.attribution.answers.row_index import SHARDS, Index
from tribute.attribution.effects.baselines import mean_bm25
from tribute.attribution.gradients.curvature import Curvature
from tribute.attribution.gradients.tensors import load_checked
from tribute.attribution.measurement import Run
from tribute.config import FinetuningConfig
from tribute.contributions.dataset import read_description
from tribute.errors import ConfigError
from tribute.finetuning.children import run_child
from tribute.finetuning.preparation.preparation import check_base
from tribute.finetuning.preparation.task_types import described_task, task_type
from tribute.progress import Progress


@dataclass(frozen=True)
class Question:
    """What the model was asked, and the answer to explain; None is the label that it predicts."""

    text: str
    answer: str | None


@dataclass(frozen=True)
class AnswerScores:
    """What the adapters' indexes say of an answer."""

    answer: str
    predicted: bool | None
    """Whether the first adapter, the run's model, gives this label; None for a response."""
    losses: np.ndarray
    """Loss of the answer in nats, [seeds]."""
    contributors: np.ndarray
    """[seeds, contributors]"""
    rows: np.ndarray
    """[seeds, rows]"""
    filled: bool
    """Whether text and answer take all of `finetuning.max_tokens`: what is beyond was not seen."""


@dataclass(frozen=True)
class Explanation:
    """An answer and what moved it."""

    text: str
    moved: AnswerScores
    seeds: int
    confidence: float
    contributors: pd.DataFrame
    """`contributor_id, name, rows, score, low, high`, the largest score first."""
    rows: pd.DataFrame
    """`row_id, contributor_id, text, target, score, low, high, bm25`, the largest score first."""
    damping: Damping

    @property
    def loss(self) -> float:
        """Mean loss of the answer in nats."""
        return float(self.moved.losses.mean())

    @property
    def probability(self) -> float:
        """Of the answer, or of its tokens on average (geometric mean)."""
        return math.exp(-self.loss)


def explain_answer(run: Run, indexes: Sequence[Artifact], question: Question, progress: Progress) -> Explanation:
    """Score every contributor and every training row; one index for each adapter, in the same order.

    Raises IntegrityError where a file is not as it was written; the shards are checked as they are read.
    """
    dataset, finetuning, confidence = run.dataset, run.config.finetuning, run.config.attribution.confidence
    check_files(dataset)
    for index in indexes:
        check_files(index, lambda name: not name.startswith(f"{SHARDS}/"))
    arguments = (dataset, run.adapters, indexes, finetuning, question)
    seconds = 60.0 * finetuning.timeout_minutes
    moved = run_child(answer_job, *arguments, title="explain", timeout_seconds=seconds, progress=progress)
    train = pd.read_parquet(dataset.file("train.parquet"), columns=["row_id", "contributor_id", "text", "target"])
    rows = pd.read_parquet(indexes[0].file(ROWS))[["row_id"]].merge(train, on="row_id", how="left", validate="1:1")
    rows = rows.assign(
        **intervals(moved.rows, confidence),
        bm25=mean_bm25((rows["text"] + "\n" + rows["target"]).tolist(), [f"{question.text}\n{moved.answer}"]),
    )
    known = read_description(dataset)["contributors"]
    names = indexes[0].json(FACTS)["contributors"]
    sizes = train["contributor_id"].value_counts()
    contributors = pd.DataFrame(
        {
            "contributor_id": names,
            "name": [known[name]["name"] for name in names],
            "rows": [int(sizes[name]) for name in names],
            **intervals(moved.contributors, confidence),
        }
    )
    contributors, rows = (one.sort_values("score", ascending=False, kind="stable") for one in (contributors, rows))
    return Explanation(question.text, moved, len(run.adapters), confidence, contributors, rows, damping_of(indexes[0]))


def parse_question(text: str, response: str | None, label: str | None, facts: Mapping[str, Any]) -> Question:
    """The question to explain, of a model that learned from the dataset described by `facts`.

    Raises ConfigError where text or response is missing or not UTF-8, where the task knows no such answer, or not this
    label.
    """
    if not text.strip():
        raise ConfigError("--text is empty: give what the model is asked")
    for option, given in (("--text", text), ("--response", response or "")):
        # What a terminal hands over in another encoding comes as lone surrogates, which no tokenizer takes.
        if not given.isascii() and any("\ud800" <= letter <= "\udfff" for letter in given):
            raise ConfigError(f"{option} is not UTF-8: give it in the encoding of the terminal's locale")
    return Question(text, described_task(facts).check_answer(response, label))


def intervals(scores: np.ndarray, confidence: float) -> dict[str, np.ndarray]:
    """`score`, the mean of [seeds, items] over the seeds, and the bounds `low` and `high` of its t interval."""
    mean, seeds = scores.mean(0), len(scores)
    margin = scores.std(0, ddof=1) / math.sqrt(seeds) * stats.t.ppf((1 + confidence) / 2, seeds - 1)
    return {"score": mean, "low": mean - margin, "high": mean + margin}


def answer_job(
    dataset: Artifact,
    adapters: Sequence[Artifact],
    indexes: Sequence[Artifact],
    finetuning: FinetuningConfig,
    question: Question,
    progress: Progress,
) -> AnswerScores:
    """Runs in a child: one forward and backward and one product for each adapter, and a pass through its rows."""
    from tribute.attribution.gradients.evaluation import evaluation_gradient
    from tribute.finetuning.models.lora import add_lora
    from tribute.finetuning.preparation.preparation import build_model, encode_frame
    from tribute.finetuning.recording.trace import assign, trace_of

    for adapter in adapters:
        check_base(dataset, adapter, finetuning)
    traces = [trace_of(adapter) for adapter in adapters]
    model = build_model(dataset, finetuning)
    add_lora(model, finetuning.lora, 0)
    assign(model.trainable(), traces[0].states[-1].theta)
    answer, predicted = _answer(model, dataset, finetuning, question)
    row = {"row_id": "answer", "slice": "answer", "text": question.text, "target": answer}
    encoded = encode_frame(dataset, finetuning, pd.DataFrame([row]))
    losses, contributors, rows = [], [], []
    for done, (trace, index) in enumerate(zip(traces, indexes, strict=True)):
        assign(model.trainable(), trace.states[-1].theta)
        losses.append(_loss(model, encoded))
        gradient = evaluation_gradient(model, encoded)
        contributors.append((load_checked(index.file(CONTRIBUTORS))["vectors"] @ gradient).double().numpy())
        rows.append(_row_scores(index, gradient))
        progress(done + 1, len(indexes))
    filled = int(encoded.lengths()[0]) >= finetuning.max_tokens
    return AnswerScores(answer, predicted, np.array(losses), np.stack(contributors), np.stack(rows), filled)


def _answer(model: Any, dataset: Artifact, finetuning: FinetuningConfig, question: Question) -> tuple[str, bool | None]:
    """The answer to explain, and whether it is the model's label."""
    from tribute.finetuning.models.base_models import base_folder, load_tokenizer

    tokenizer = load_tokenizer(base_folder(finetuning.base))
    best = task_type(dataset).predict(model, question.text, tokenizer, finetuning.max_tokens)
    if best is None:
        return str(question.answer), None
    return question.answer or best, question.answer in (None, best)


def _loss(model: Any, encoded: Any) -> float:
    from tribute.finetuning.evaluation import evaluate

    return float(evaluate(model, encoded).losses[0])


def _row_scores(index: Artifact, gradient: Any) -> np.ndarray:
    """Each row's score, [rows]: see Curvature.coordinates."""
    facts, picked = index.json(FACTS), damping_of(index)
    curvature = Curvature.load(index.file(CURVATURE))
    query = curvature.coordinates(gradient[None], facts["width"])[0] * curvature.weights(picked.damping, facts["width"])
    opened = Index(index.path, facts["rows"], facts["rows_per_shard"])
    return np.asarray(opened.scores(query) * picked.slope / facts["rows"])
