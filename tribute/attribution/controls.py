"""Planted controls: rows whose worth is known beforehand, to see whether attribution sees it too.

Some rows are taken from their contributors and handed in anew under names of our own: with the targets exchanged
among them (`shuffled`), with the letters of every word turned round (`irrelevant`), and as a heap of several texts
under one target (`outliers`). None of these can help, so an interval that lies above 0 is an error of the
attribution. Copies of rows (`duplicate`) are held against screening, which must exclude them all.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from tribute.attribution.estimate import Estimate
from tribute.attribution.jobs import Population
from tribute.attribution.measures import clipped_shares
from tribute.contributions.duplicates import duplicates
from tribute.contributions.findings import contributed
from tribute.contributions.rows import Row

PREFIX = "planted-"
PART, FEWEST = 0.03, 6
"""Each control's part of the training rows, and the fewest rows it has."""
HEAP = 4
"""Texts that make one outlier row."""
SPLIT = 10
"""Names among which one contributor is split."""


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


def excluded_duplicates(frame: pd.DataFrame) -> dict[str, int]:
    """How many of some planted copies, in another case and spacing, screening excludes."""
    rows = [Row(line, one.text, one.target, one.slice) for line, one in enumerate(frame.itertuples(), 1)]
    copies = [Row(row.line, "  ".join(row.text.upper().split()), row.target, row.slice) for row in rows[: _size(frame)]]
    found = duplicates([*contributed("kept", "kept", rows), *contributed("copies", "copies", copies)])
    caught = sum(one.row.contribution_id == "copies" for one in found)
    return {"rows": len(copies), "excluded": caught}


def split_figures(rows: Population, credits_as: Callable[[Population], Estimate]) -> dict[str, float]:
    """What standing under ten names does for the largest contributor: to its credit (nats) and to its share.

    `credits_as` gives the credits for any names of the rows. The credit stays; shares are clipped at 0, so whoever can
    tell which of its rows harm and puts them under a name of their own would gain, and who deals them out does not.
    """
    largest = int(np.bincount(rows.owner).argmax())
    names = np.array(rows.names, dtype=object)[rows.owner]
    own = rows.owner == largest
    names[own] = [f"{PREFIX}{place % SPLIT}" for place in range(own.sum())]
    apart = Population.of(rows.row_ids, names.tolist())
    parts = [name.startswith(PREFIX) for name in apart.names]
    whole, split = credits_as(rows).credit, credits_as(apart).credit
    return {
        "names": SPLIT,
        "change": float(split[parts].sum() - whole[largest]),
        "share_change": float(clipped_shares(split)[parts].sum() - clipped_shares(whole)[largest]),
    }


def _size(frame: pd.DataFrame) -> int:
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
