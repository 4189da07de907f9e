"""From credits to shares: rows are summed, seeds averaged, and only then is anything clipped."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact
from tribute.attribution.shares.estimate import Estimate
from tribute.errors import AttributionError


def seed_scores(credit: Artifact) -> pd.DataFrame:
    """One seed's scores, rescaled to its measured improvement."""
    facts = credit.json("credit.json")
    return rescaled(pd.read_parquet(credit.file("scores.parquet")), facts["integrated"], facts["measured"])


def fold_credits(credit: Artifact, names: Sequence[str]) -> np.ndarray:
    """One seed's credit as each fold of the evaluation has it, rescaled like `seed_scores`, [folds, contributors]."""
    facts = credit.json("credit.json")
    table = pd.read_parquet(credit.file("folds.parquet")).set_index("contributor_id").loc[list(names)]
    return np.asarray(table.to_numpy().T * (facts["measured"] / facts["integrated"]))


def rescaled(scores: pd.DataFrame, integrated: float, measured: float) -> pd.DataFrame:
    """One seed's scores, scaled so that they sum to the measured improvement U(all) − U(none) in nats.

    Raises AttributionError where the fine-tune improved nothing.
    """
    if measured <= 0 or integrated <= 0:
        raise AttributionError(
            f"the fine-tune changed the evaluation loss by {-measured:+.4f} nats (credits sum to {integrated:.4f}): "
            "there is no improvement to attribute; check data, labels and finetuning.learning_rate"
        )
    return scores.assign(credit=scores["credit"] * (measured / integrated))


def average_scores(seeds: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Mean credit over the seeds for every row and query."""
    keys = ["row_id", "contributor_id", "query"]
    return pd.concat(seeds).groupby(keys, sort=False, as_index=False)["credit"].mean()


def interval(estimate: Estimate, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound of each credit, nats."""
    return estimate.credit - estimate.margin(confidence), estimate.credit + estimate.margin(confidence)


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
