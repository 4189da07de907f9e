"""From credits to shares: rows are summed, seeds averaged, and only then is anything clipped."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact
from tribute.attribution.shares.estimate import Estimate


def slice_scores(credits: Sequence[Artifact], scales: Sequence[float]) -> pd.DataFrame:
    """In-run credit of every row for every query, mean over the seeds, each times its scale."""
    keys = ["row_id", "contributor_id", "query"]
    tables = [pd.read_parquet(credit.file("scores.parquet")) for credit in credits]
    scaled = [table.assign(credit=table["credit"] * scale) for table, scale in zip(tables, scales, strict=True)]
    return pd.concat(scaled).groupby(keys, sort=False, as_index=False)["credit"].sum()


def interval(estimate: Estimate, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound of each credit, nats."""
    return estimate.credit - estimate.margin(confidence), estimate.credit + estimate.margin(confidence)


LEAST_ROWS = 10
"""Of training and of evaluation: on fewer, how seeds and folds of the evaluation scatter says nothing, and there are
no intervals."""


def told_from_content(estimate: Estimate, content: np.ndarray, confidence: float) -> int:
    """How many credits differ from what the total divided by distinct content [names] would be.

    `confidence` holds for all names at once (Bonferroni), so none differs by chance but in one case of
    1 / (1 − confidence).
    """
    if not content.sum():
        return 0
    even = estimate.credit.sum() * content / content.sum()
    margin = estimate.margin(1 - (1 - confidence) / len(content))
    return int((np.abs(estimate.credit - even) > margin).sum())


def shares_table(
    estimate: Estimate,
    names: Sequence[str],
    everybody: Sequence[str],
    confidence: float,
    method: str,
    seeds: int,
    trainings: float,
) -> pd.DataFrame:
    """`shares.parquet`: one line for each of `everybody`; `names` are those whom the estimate covers.

    `share` is the credit clipped at 0 and divided by the sum of clipped ones. Contributors without trained rows have
    credit 0, certainly.
    """
    low, high = interval(estimate, confidence)
    table = pd.DataFrame(
        {
            "credit": estimate.credit,
            "share": clipped_shares(estimate.credit),
            "se": estimate.standard_errors(),
            "low": low,
            "high": high,
        },
        index=list(names),
    )
    table = table.reindex(list(everybody), fill_value=0.0).rename_axis("contributor_id").reset_index()
    return table.assign(method=method, seeds=seeds, trainings=trainings)


def clipped_shares(credit: np.ndarray) -> np.ndarray:
    """Credits [..., contributors] below 0 count as 0, the rest is divided by its sum; all 0 where none is above."""
    positive = np.maximum(credit, 0.0)
    total = positive.sum(-1, keepdims=True)
    return np.asarray(np.divide(positive, total, out=np.zeros_like(positive), where=total > 0))
