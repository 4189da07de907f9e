"""Planted controls: rows whose worth is known beforehand, to see whether attribution sees it too.

Some rows are taken from their contributors and handed in anew under names of our own: with the targets exchanged
among them (`shuffled`), with the letters of every word turned round (`irrelevant`), and as a heap of several texts
under one target (`outliers`). None of these can help, so an interval that lies above 0 is an error of the
attribution. Copies of rows (`duplicate`) are held against screening, which must exclude them all.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from tribute.attribution.credit.planted_rows import PREFIX, planted_size
from tribute.attribution.retraining.jobs import TrainedRows
from tribute.attribution.shares.estimate import Estimate
from tribute.attribution.shares.shares import clipped_shares
from tribute.contributions.rows import Row, contributed, repeated

SPLIT = 10
"""Names among which one contributor is split."""


def excluded_duplicates(frame: pd.DataFrame) -> dict[str, int]:
    """How many of some planted copies, in another case and spacing, screening excludes."""
    rows = [Row(line, row.text, row.target, row.slice) for line, row in enumerate(frame.itertuples(), 1)]
    copies = [
        Row(row.line, "  ".join(row.text.upper().split()), row.target, row.slice) for row in rows[: planted_size(frame)]
    ]
    repeats = repeated([*contributed("kept", "kept", rows), *contributed("copies", "copies", copies)])
    caught = sum(row.contribution_id == "copies" for row, _ in repeats)
    return {"rows": len(copies), "excluded": caught}


def split_figures(rows: TrainedRows, credits_as: Callable[[TrainedRows], Estimate]) -> dict[str, float]:
    """What standing under ten names does for the largest contributor: to its credit (nats) and to its share.

    `credits_as` gives the credits for any names of the rows. The credit stays; shares are clipped at 0, so whoever can
    tell which of its rows harm and puts them under a name of their own would gain, and who deals them out does not.
    """
    largest = int(np.bincount(rows.owner).argmax())
    names = np.array(rows.names, dtype=object)[rows.owner]
    own = rows.owner == largest
    names[own] = [f"{PREFIX}{place % SPLIT}" for place in range(own.sum())]
    apart = TrainedRows.of(rows.row_ids, names.tolist())
    parts = [name.startswith(PREFIX) for name in apart.names]
    whole, split = credits_as(rows).credit, credits_as(apart).credit
    return {
        "names": SPLIT,
        "change": float(split[parts].sum() - whole[largest]),
        "share_change": float(clipped_shares(split)[parts].sum() - clipped_shares(whole)[largest]),
    }
