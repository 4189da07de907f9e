"""Which rows of a dataset version are trained on, and which are held out to watch the training by."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact
from tribute.config import ValidationConfig
from tribute.errors import TrainingError


def split(
    dataset: Artifact, validation: ValidationConfig | None, columns: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of train.parquet to train on, and those held out, each in the order of their content.

    That order no name decides: batches, and with them every credit, are the same whoever owns the rows.
    Raises TrainingError where no row would be left to train on.
    """
    wanted = None if columns is None else [*columns, "content_sha256"]
    frame = pd.read_parquet(dataset.file("train.parquet"), columns=wanted)
    frame = frame.sort_values("content_sha256", ignore_index=True)
    held_out = np.zeros(len(frame), dtype=bool)
    if validation is not None:
        held_out[_drawn(list(frame["content_sha256"]), validation.fraction)] = True
    return frame[~held_out].reset_index(drop=True), frame[held_out].reset_index(drop=True)


def _drawn(contents: Sequence[str], fraction: float) -> list[int]:
    """The positions of a fraction of the rows, one at least.

    All rows together decide which: nobody who does not know those of the others can write a row that is held out, or
    one that is not.
    """
    salt = sha256("".join(contents).encode()).hexdigest()
    order = sorted(range(len(contents)), key=lambda row: sha256((salt + contents[row]).encode()).digest())
    count = max(1, int(fraction * len(contents)))
    if count >= len(contents):
        raise TrainingError(
            f"finetuning.validation: of {len(contents)} rows none is left to train on; contribute more, or take "
            "validation out"
        )
    return order[:count]
