"""The embeddings of a version's rows as an artifact of kind `retrieval`: `vectors.npy`, float32 [rows, width].

Its key has the contributions whose terms allow retrieval, so a row without that consent never has a vector here.
`rows.parquet` holds `row_id` in the same order. Erasure removes the artifact.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tribute.artifacts import Artifact, Kind, Store
from tribute.contributions.dataset import read_rows

if TYPE_CHECKING:
    import pandas as pd

RETRIEVAL = Kind("retrieval", __name__)
Embed = Callable[[Sequence[str]], np.ndarray]
"""Texts → unit-length vectors, float32 [texts, width]."""


def row_vectors(
    store: Store, dataset: Artifact, base: str, contributions: Sequence[str], embed: Embed
) -> "tuple[pd.DataFrame, np.ndarray]":
    """The version's rows of these contributions, and their embeddings by the base of this digest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = read_rows(dataset, "train")
    rows = rows[rows["contribution_id"].isin(list(contributions))].reset_index(drop=True)

    def build(folder: Path) -> None:
        np.save(folder / "vectors.npy", embed([f"{row.text}\n{row.target}" for row in rows.itertuples()]))
        pq.write_table(pa.table({"row_id": rows["row_id"].tolist()}), folder / "rows.parquet")

    inputs = {"dataset": dataset.id, "base": base}
    artifact = store.make(RETRIEVAL, inputs, {"contributions": sorted(contributions)}, build)
    return rows, np.load(artifact.file("vectors.npy"))
