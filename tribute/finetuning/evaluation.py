"""How good a model is: loss in nats and accuracy, over all evaluation rows and by slice."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tribute.errors import TrainingError
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.embeddings import embed_rows
from tribute.finetuning.models.row_models import RowModel, RowScores

FOLDS = 3
LARGEST_EXPONENT = 700.0
"""exp of more is no number that JSON can hold."""
GREEDY: Mapping[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
"""How an answer is generated: the same one every time."""
NO_NUMBER = "the loss is not a number; lower finetuning.learning_rate or finetuning.lora.alpha"


@dataclass(frozen=True)
class RowResults:
    """Per evaluation row: loss in nats and 1.0 where the prediction is right, float64 [rows].

    Of responses also the tokens that count, and how many of them are predicted right, float64 [rows].
    """

    losses: np.ndarray
    right: np.ndarray
    tokens: np.ndarray | None = None
    tokens_right: np.ndarray | None = None

    def summary(self) -> dict[str, float]:
        """Mean loss and accuracy; of responses also perplexity and token accuracy, over all tokens, and exact match.

        Generating the most probable tokens gives exactly the response of a row where every token is predicted right.
        """
        means = {"loss": float(self.losses.mean()), "accuracy": float(self.right.mean())}
        if self.tokens is None or self.tokens_right is None:
            return means
        nats = float((self.losses * self.tokens).sum() / self.tokens.sum())
        return means | {
            "perplexity": math.exp(min(nats, LARGEST_EXPONENT)),
            "token_accuracy": float(self.tokens_right.sum() / self.tokens.sum()),
            "exact_match": means["accuracy"],
        }

    def take(self, rows: np.ndarray) -> "RowResults":
        """Those of some rows, bool [rows]."""
        tokens = None if self.tokens is None else self.tokens[rows]
        tokens_right = None if self.tokens_right is None else self.tokens_right[rows]
        return RowResults(self.losses[rows], self.right[rows], tokens, tokens_right)


def evaluate(model: RowModel, rows: EncodedRows) -> RowResults:
    """Evaluate every row. Raises TrainingError where a loss is not a number."""
    scores = np.zeros((len(RowScores._fields), len(rows)))
    with torch.no_grad():
        for chunk in rows.chunks(range(len(rows))):
            measured = [
                part.cpu().numpy() for part in model.row_scores(model.placed(rows.collate(chunk))) if part is not None
            ]
            scores[: len(measured), list(chunk)] = measured
    losses = scores[0]
    if not np.isfinite(losses).all():
        row_id = rows.row_ids[int(np.flatnonzero(~np.isfinite(losses))[0])]
        raise TrainingError(f"evaluation row {row_id}: {NO_NUMBER}")
    return RowResults(*scores[: len(measured)])


def evaluation_report(before: RowResults, after: RowResults, rows: EncodedRows) -> dict[str, Any]:
    """What `evaluation.json` holds: see docs/reference/artifacts.md."""
    slices = np.array(rows.slices)
    by_slice = {}
    for name in sorted(set(rows.slices)):
        chosen = slices == name
        by_slice[name] = {"rows": int(chosen.sum()), **after.take(chosen).summary()}
    return {"rows": len(rows), **after.summary(), "before": before.summary(), "slices": by_slice}


def respond(model: RowModel, prompt: Sequence[int], tokenizer: Any, max_new_tokens: int) -> str:
    """A causal model's answer to the ids of a prompt: always the most probable token, up to an end.

    Raises TrainingError where the prompt fills the base's positions.
    """
    network: Any = model.network
    positions = getattr(network.config.get_text_config(), "max_position_embeddings", None)
    room = max_new_tokens if positions is None else min(max_new_tokens, positions - len(prompt))
    if room < 1:
        raise TrainingError(f"a prompt of {len(prompt)} tokens leaves no room in the base's {positions} positions")
    ends = network.generation_config.eos_token_id
    ids = torch.tensor([list(prompt)], device=model.device)
    with torch.no_grad():
        written = network.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=room,
            eos_token_id=sorted({tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}),
            pad_token_id=tokenizer.pad_token_id,
            synced_gpus=model.is_sharded,
            **GREEDY,
        )
    return str(tokenizer.decode(written[0, len(prompt) :], skip_special_tokens=True)).strip()


def baselines(model: RowModel, train: EncodedRows, evaluation: EncodedRows) -> dict[str, Any]:
    """Zero-shot, logistic regression on the frozen embeddings, and the most frequent label.

    `model` is the base with the label-name head, before any fine-tuning. The regression's strength is picked by
    cross-validation over as many folds as the rarest label has rows, at most FOLDS; where that is one row there is no
    such baseline, and it is None.
    """
    labels, truth = np.array(train.targets), np.array(evaluation.targets)
    classes = model.log_probabilities(evaluation.collate([0])).shape[1]
    shares = np.bincount(labels, minlength=classes) / len(labels)
    return {
        "zero_shot": evaluate(model, evaluation).summary(),
        "linear_probe": _linear_probe(model, train, evaluation, classes),
        "majority": _scored(np.tile(shares, (len(truth), 1)), truth),
    }


def _linear_probe(model: RowModel, train: EncodedRows, evaluation: EncodedRows, classes: int) -> dict[str, Any] | None:
    from sklearn.linear_model import LogisticRegressionCV

    labels, truth = np.array(train.targets), np.array(evaluation.targets)
    folds = min(FOLDS, int(np.bincount(labels)[np.unique(labels)].min()))
    if folds < 2:
        return None
    probe = LogisticRegressionCV(
        Cs=[1.0, 10.0, 100.0],
        cv=folds,
        scoring="neg_log_loss",
        l1_ratios=(0,),
        use_legacy_attributes=False,
        max_iter=500,
    )
    probe.fit(embed_rows(model.embed, train).numpy(), labels)
    probabilities = np.zeros((len(truth), classes))
    probabilities[:, probe.classes_] = probe.predict_proba(embed_rows(model.embed, evaluation).numpy())
    return _scored(probabilities, truth) | {"folds": folds}


def _scored(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    right = probabilities.argmax(1) == truth
    chosen = np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)
    return {"loss": float(-np.log(chosen).mean()), "accuracy": float(right.mean())}
