"""How `tribute run` and `demo` start the Prefect flows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tribute.cli._checkout import find_flows
from tribute.cli._output import Output, Table
from tribute.cli._payout import Attributed, Paid, outcome
from tribute.cli._prefect import set_prefect_environment
from tribute.cli._text import Plan, would
from tribute.cli._workers import ending_children
from tribute.config import RunConfig
from tribute.errors import ServerLostError
from tribute.pipeline.launch.preflight import refuse_engine, refuse_rows, refuse_training
from tribute.pipeline.stages.data import is_released
from tribute.pipeline.stages.repeating import repeat
from tribute.progress import timed
from tribute.workspace import Workspace

PARTS = {
    "contributions": "contributions",
    "fine-tune": "fine-tuning",
    "baselines": "fine-tuning",
    "attribute": "credit and predicted effects",
    "planted controls": "credit and predicted effects",
    "predict effects": "credit and predicted effects",
    "stand-in": "credit and predicted effects",
    "retrain": "contributors left out",
}
"""The part of a run that a report of progress belongs to."""
RESULTS = "shares, rewards and report"
"""The part after them."""


def run_pipeline(home: Workspace, config: RunConfig, dry_run: bool) -> Output[Paid | Attributed | Plan]:
    """All stages of a run, what it came to, and how long each part took."""
    refuse_engine(config.execution)
    refuse_training(home, config)
    if dry_run:
        if is_released(home, config.dataset):
            refuse_rows(home, config)
        return would(f"run {config.id} in {home.root}")
    with timed(PARTS, RESULTS) as seconds:
        # A server takes longer to start than such a run takes.
        run_id = repeat(home, config) or _run_flows(home, config)
    ended = outcome(home, config, run_id)
    return replace(ended, tables=[*ended.tables, times(seconds)])


def _run_flows(home: Workspace, config: RunConfig) -> str:
    start_prefect(home.prefect)
    from flows import pipeline

    with running_flows():
        return str(pipeline.run(str(home.root), config))


@contextmanager
def running_flows() -> Iterator[None]:
    """The trainings of flows in the body end with it. Raises ServerLostError where the server that they use fails."""
    from httpx import HTTPError, HTTPStatusError

    try:
        with ending_children():
            yield
    except HTTPError as error:
        from flows.server import server_url

        url = server_url()
        if not url or not str(error.request.url).startswith(url):
            raise
        why = f"HTTP {error.response.status_code}" if isinstance(error, HTTPStatusError) else str(error)
        raise ServerLostError(
            f"Prefect's server at {url} failed in mid-run ({why}); look at its log and its database, then run again: "
            "what was made is kept"
        ) from error


def start_prefect(folder: Path) -> None:
    """Find the flows and a server for them, which may be a local one that keeps what it knows in the folder."""
    # Prefect makes its own folder, but none above it.
    folder.parent.mkdir(parents=True, exist_ok=True)
    set_prefect_environment(folder)
    find_flows()
    from flows.server import prepare_server

    prepare_server()


def times(seconds: Mapping[str, float]) -> Table:
    """How long each part took."""
    rows = [(part, f"{spent:.0f}") for part, spent in (*seconds.items(), ("in all", sum(seconds.values())))]
    return Table("Time", ("part", "seconds"), rows, right=("seconds",))
