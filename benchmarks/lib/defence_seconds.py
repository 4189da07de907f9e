"""What the default defences add to the demo. See incentives.py."""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tribute.config import load_config
from tribute.contributions.intake import read_jsonl
from tribute.contributions.rows import ContributedRow, contributed
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening import BASIC, Screening, ScreeningPolicy, excluded, find
from tribute.contributions.sources import write_source
from tribute.incentives.screened import POLICY

CONFIG = Path(__file__).parents[2] / "configs" / "docs.yaml"
TURNS = 5


def second_lines() -> Iterator[str]:
    """CPU seconds of a release's screening, with the checks of every dataset and with the default policy, in turns."""
    source = load_config(CONFIG).dataset
    with tempfile.TemporaryDirectory() as folder:
        schema, submissions, evaluation = write_source(source.source, source.name, Path(folder))
        rows = [
            row
            for item in submissions
            for row in contributed(f"c-{item.contributor_id}", item.contributor_id, read_jsonl(item.file, schema))
        ]
        sealed = contributed("evaluation", "", read_jsonl(evaluation, schema))
    seconds: dict[str, list[float]] = {"off": [], "on": []}
    out = {}
    for _ in range(TURNS):
        for name, policy in (("off", BASIC), ("on", POLICY)):
            started = time.process_time()
            out[name] = _left_out(schema, rows, sealed, policy)
            seconds[name].append(time.process_time() - started)
    same = "the same" if out["off"] == out["on"] else "others"
    yield (
        f"`configs/docs.yaml`: {len(rows):,} rows, {len(sealed):,} sealed. CPU seconds of a release's screening on one "
        f"thread: the first turn, which loads what recognises languages, and the median of {TURNS}. *Off*: the checks "
        f"that every dataset has; *on*: screening at its defaults. The rows left out are {same} "
        f"({len(out['off'])} and {len(out['on'])})"
        + (", so everything after the release is the same work." if same == "the same" else ".")
    )
    yield ""
    yield "| screening | off | on | added |"
    yield "|---|---|---|---|"
    for words, pick in (("first turn", lambda taken: taken[0]), ("median", statistics.median)):
        off, on = (pick(seconds[name]) for name in ("off", "on"))
        yield f"| {words} | {off:.2f} s | {on:.2f} s | {on - off:.2f} s |"


def _left_out(
    schema: DatasetSchema, rows: Sequence[ContributedRow], sealed: Sequence[ContributedRow], policy: ScreeningPolicy
) -> set[str]:
    return {finding.row.row_id for finding in excluded(rows, find(Screening(rows, sealed, schema, policy)), {})}
