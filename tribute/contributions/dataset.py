"""Reading a built dataset version: its rows, what was left out, and its description.

Everything that trains, measures or pays reads a version through this module. It knows neither the registry nor
screening, so an edit there makes no adapter stale.
"""

from typing import TYPE_CHECKING, Any, Literal

from tribute.artifacts import Artifact

if TYPE_CHECKING:
    import pandas as pd

Part = Literal["train", "evaluation"]


def read_rows(dataset: Artifact, part: Part) -> "pd.DataFrame":
    """The training or evaluation rows of a dataset artifact; all columns are strings."""
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.read_table(dataset.file(f"{part}.parquet")).to_pandas()
    return frame


def read_description(dataset: Artifact) -> dict[str, Any]:
    """The content of `dataset.json`."""
    return dataset.json("dataset.json")
