"""Rows whose worth is known beforehand, planted to see whether attribution sees it too.

Some rows are taken from their contributors and handed in under reserved names: with the targets exchanged among them
(`shuffled`), with the letters of every word reversed (`irrelevant`), and as several texts joined under one target
(`outliers`). None of these can help, so an interval above 0 is an error of the attribution.
"""

import numpy as np
import pandas as pd

PREFIX = "planted-"
PART, FEWEST = 0.03, 6
"""Each control's part of the training rows, and the fewest rows it has."""
HEAP = 4
"""Texts that make one outlier row."""


def planted(frame: pd.DataFrame) -> pd.DataFrame:
    """The training table with the controls planted: the same rows, some of them spoilt and renamed."""
    size = max(FEWEST, round(PART * len(frame)))
    order = np.argsort(frame["content_sha256"].to_numpy())
    parts = {name: order[place * size : (place + 1) * size] for place, name in enumerate(SPOILT)}
    altered = frame.copy()
    for name, rows in parts.items():
        own = frame.iloc[rows]
        altered.loc[own.index, ["text", "target"]] = SPOILT[name](own[["text", "target"]]).to_numpy()
        altered.loc[own.index, "contributor_id"] = PREFIX + name
    return altered


def planted_size(frame: pd.DataFrame) -> int:
    """How many rows are planted among so many."""
    return min(len(frame), max(FEWEST, round(PART * len(frame))))


def _shuffled(rows: pd.DataFrame) -> pd.DataFrame:
    """Targets moved on by half of the rows once they are sorted: nearly every row gets another's."""
    ranked = rows["target"].to_numpy()[np.argsort(rows["target"].to_numpy(), kind="stable")]
    order = np.argsort(np.argsort(rows["target"].to_numpy(), kind="stable"))
    return rows.assign(target=np.roll(ranked, len(rows) // 2)[order])


def _irrelevant(rows: pd.DataFrame) -> pd.DataFrame:
    """Every word backwards, under a target of another row."""
    return _shuffled(rows).assign(text=[" ".join(word[::-1] for word in text.split()) for text in rows["text"]])


def _outliers(rows: pd.DataFrame) -> pd.DataFrame:
    """Four texts in one, under one row's target."""
    texts = rows["text"].tolist()
    heaps = [" ".join(texts[(place + step) % len(texts)] for step in range(HEAP)) for place in range(len(texts))]
    return _shuffled(rows).assign(text=heaps)


SPOILT = {"shuffled": _shuffled, "irrelevant": _irrelevant, "outliers": _outliers}
