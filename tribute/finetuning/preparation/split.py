"""Which rows of a dataset version are trained on, and which are held out to watch the training by."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import pandas as pd

from tribute.artifacts import Artifact
from tribute.config import ValidationConfig
from tribute.errors import TrainingError

FRACTION = 0.1
"""Of the rows, where a config asks for validation and names neither a fraction nor contributions."""


def split(
    dataset: Artifact, validation: ValidationConfig | None, columns: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of train.parquet to train on, and those held out, each in the order of their content.

    That order no name decides: batches, and with them every credit, are the same whoever owns the rows.
    Raises TrainingError where no row would be left to train on, or a contribution that is named has none.
    """
    wanted = None if columns is None else [*columns, "content_sha256", "contribution_id"]
    frame = pd.read_parquet(dataset.file("train.parquet"), columns=wanted)
    frame = frame.sort_values("content_sha256", ignore_index=True)
    held_out = np.zeros(len(frame), dtype=bool)
    if validation is not None:
        held_out[_held_out(frame, validation)] = True
        _check_left(held_out)
    return frame[~held_out].reset_index(drop=True), frame[held_out].reset_index(drop=True)


def _held_out(frame: pd.DataFrame, validation: ValidationConfig) -> Sequence[int]:
    if not validation.contributions:
        return _drawn(list(frame["content_sha256"]), validation.fraction or FRACTION)
    there = set(frame["contribution_id"])
    if absent := [name for name in validation.contributions if name not in there]:
        raise TrainingError(
            f"finetuning.validation.contributions: {absent[0]} has no row in the dataset version (all of them were "
            f"excluded, or the id is another); it has rows of {', '.join(sorted(there)[:8])}"
        )
    named: Sequence[int] = np.flatnonzero(frame["contribution_id"].isin(validation.contributions)).tolist()
    return named


def _check_left(held_out: np.ndarray) -> None:
    if held_out.all():
        raise TrainingError(
            f"finetuning.validation: of {len(held_out)} rows none is left to train on; contribute more, or take "
            "validation out"
        )


def _drawn(contents: Sequence[str], fraction: float) -> list[int]:
    """The positions of a fraction of the rows, one at least.

    All rows together decide which: nobody who does not know those of the others can write a row that is held out, or
    one that is not.
    """
    salt = sha256("".join(contents).encode()).hexdigest()
    order = sorted(range(len(contents)), key=lambda row: sha256((salt + contents[row]).encode()).digest())
    return order[: max(1, int(fraction * len(contents)))]
