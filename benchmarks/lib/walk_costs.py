"""What walking a recorded training costs, in trainings: in-run credit with its evaluation gradients."""

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from lib.small_training import ADAPTERS, model_of, rows_of, settings
from lib.timing import against, measure
from tribute.attribution.credit.inrun import in_run_credit
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import ResponseModel
from tribute.finetuning.recording.trace import Trace
from tribute.finetuning.training.training import train

EPOCHS, ROWS = 12, 80
"""Of the trainings that are walked."""


def walk_table() -> list[str]:
    """In-run credit along a default trace and one in segments: time in trainings, drift, credits."""
    with tempfile.TemporaryDirectory() as scratch:
        found, timed = walked(Path(scratch))
    lines, first = [], next(iter(found))
    for name, (credit, states) in found.items():
        scores, expected = credit.scores.sum(1), found[first][0].scores.sum(1)
        moved = np.abs(scores - expected).sum() / np.abs(expected).sum()
        cost = against(timed, name, "a training")
        lines.append(f"| {name} | {states} | {cost:.2f} | {credit.drift:.1e} | {moved:.4f} |")
    return [
        "",
        "## The walk along a trace",
        "",
        f"{EPOCHS * ROWS // 8} steps of 8 rows; a row in ten stands for an evaluation row. Medians of 3 walks, with "
        "their evaluation gradients.",
        "",
        "| what | states | time, in trainings | drift | Σ\\|difference\\| of rows' credits, relative |",
        "|---|---|---|---|---|",
        *lines,
    ]


def walked(scratch: Path) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """The credits of each kind of trace, and the seconds of their walks and of a training that records nothing."""
    rows = rows_of(ROWS, 24)
    sample = rows.take(range(0, len(rows), 10))
    weights = np.full(len(sample), 1 / len(sample))
    found: dict[str, Any] = {}
    runs: dict[str, Callable[[], Any]] = {"a training": lambda: unrecorded(rows)}
    for name, changes in {
        "walk, states by default": {},
        "walk, `trace_segments`, 6 states": {"trace_states": 6, "trace_segments": True},
    }.items():
        model = model_of(ADAPTERS)
        trace = train(model, rows, settings(epochs=EPOCHS, **changes), 0, scratch / str(len(runs))).trace

        def walk(name: str = name, model: ResponseModel = model, trace: Trace = trace) -> None:
            found[name] = in_run_credit(model, rows, sample, weights, trace), len(trace.states)

        runs[name] = walk
    timed = measure(
        {name: (nullcontext, lambda *_, run=run: run()) for name, run in runs.items()}, range(3), warm=False
    )
    return found, timed


def unrecorded(rows: EncodedRows) -> None:
    """The training that is walked, with nobody watching."""
    with tempfile.TemporaryDirectory() as scratch:
        train(model_of(ADAPTERS), rows, settings(epochs=EPOCHS), 0, Path(scratch), recorded=False)
