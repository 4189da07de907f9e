"""How good a model is: loss in nats and accuracy, over all evaluation rows and by slice."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tribute.errors import TrainingError
from tribute.finetuning.embeddings import embed_rows
from tribute.finetuning.encoding import EncodedRows
from tribute.finetuning.models import RowModel

FOLDS = 3
NO_NUMBER = "the loss is not a number; lower finetuning.learning_rate or finetuning.lora.alpha"


@dataclass(frozen=True)
class RowResults:
    """Per evaluation row: loss in nats and 1.0 where the prediction is right, float64 [rows]."""

    losses: np.ndarray
    right: np.ndarray

    def summary(self) -> dict[str, float]:
        """Mean loss and accuracy."""
        return {"loss": float(self.losses.mean()), "accuracy": float(self.right.mean())}


def evaluate(model: RowModel, rows: EncodedRows) -> RowResults:
    """Evaluate every row. Raises TrainingError where a loss is not a number."""
    losses, right = np.zeros(len(rows)), np.zeros(len(rows))
    with torch.no_grad():
        for chunk in rows.chunks(range(len(rows))):
            chunk_losses, chunk_right = model.row_results(rows.collate(chunk))
            losses[list(chunk)], right[list(chunk)] = chunk_losses.cpu().numpy(), chunk_right.cpu().numpy()
    if not np.isfinite(losses).all():
        row_id = rows.row_ids[int(np.flatnonzero(~np.isfinite(losses))[0])]
        raise TrainingError(f"evaluation row {row_id}: {NO_NUMBER}")
    return RowResults(losses, right)


def evaluation_report(before: RowResults, after: RowResults, rows: EncodedRows) -> dict[str, Any]:
    """What `evaluation.json` holds: see docs/reference/artifacts.md."""
    slices = np.array(rows.slices)
    by_slice = {}
    for name in sorted(set(rows.slices)):
        chosen = slices == name
        part = RowResults(after.losses[chosen], after.right[chosen])
        by_slice[name] = {"rows": int(chosen.sum()), **part.summary()}
    return {"rows": len(rows), **after.summary(), "before": before.summary(), "slices": by_slice}


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
