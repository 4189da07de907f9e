"""From the seeds' credits to shares: rows are summed, seeds averaged, and only then is anything clipped."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from tribute.errors import AttributionError

METHOD = "in-run"


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


def credit_by_contributor(scores: pd.DataFrame, contributors: Sequence[str]) -> pd.Series:
    """Signed credit in nats summed over rows and queries; contributors without trained rows have 0."""
    return scores.groupby("contributor_id")["credit"].sum().reindex(list(contributors), fill_value=0.0)


def shares_table(seeds: Sequence[pd.DataFrame], contributors: Sequence[str], confidence: float) -> pd.DataFrame:
    """`shares.parquet`: one line a contributor, in the order given.

    `credit` is the mean over the seeds, `se` its standard error, `low` and `high` the t interval with
    (seeds − 1) degrees of freedom; `share` is the credit clipped at 0 and divided by the sum of clipped ones.
    """
    table = np.stack([credit_by_contributor(scores, contributors).to_numpy() for scores in seeds])
    credit = table.mean(0)
    se = table.std(0, ddof=1) / np.sqrt(len(table))
    margin = se * stats.t.ppf((1 + confidence) / 2, len(table) - 1)
    positive = np.maximum(credit, 0)
    return pd.DataFrame(
        {
            "contributor_id": list(contributors),
            "credit": credit,
            "share": positive / positive.sum(),
            "se": se,
            "low": credit - margin,
            "high": credit + margin,
            "method": METHOD,
            "seeds": len(table),
            "trainings": len(table),
        }
    )


def seed_agreement(seeds: Sequence[pd.DataFrame]) -> float | None:
    """Mean rank correlation of the contributors' credits between pairs of seeds; None where it is not defined."""
    names = sorted(set(seeds[0]["contributor_id"]))
    table = [credit_by_contributor(scores, names).to_numpy() for scores in seeds]
    pairs = [rank_correlation(table[a], table[b]) for a in range(len(table)) for b in range(a)]
    known = [correlation for correlation in pairs if correlation is not None]
    return float(np.mean(known)) if known else None


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's; None for fewer than three points or where one side is constant: then it says nothing."""
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(stats.spearmanr(a, b).statistic)


def spread_over_ranking(shares: pd.DataFrame, trained: Sequence[str], count: int) -> list[str]:
    """`count` of the trained contributors, evenly spread over the ranking by credit, best and worst included."""
    known = shares[shares["contributor_id"].isin(trained)]
    ranking = list(known.sort_values(["credit", "contributor_id"])["contributor_id"])
    positions = np.unique(np.linspace(0, len(ranking) - 1, min(count, len(ranking))).round().astype(int))
    return [ranking[position] for position in positions]
