"""How `tribute run` and `demo` start the Prefect flows."""

from tribute.cli._checkout import find_flows
from tribute.cli._output import Output
from tribute.cli._payout import Paid, payout
from tribute.cli._prefect import set_prefect_environment
from tribute.cli._text import Plan, would
from tribute.config import RunConfig
from tribute.pipeline.preflight import refuse_engine, refuse_training
from tribute.pipeline.workers import ending_children
from tribute.workspace import Workspace


def run_pipeline(home: Workspace, config: RunConfig, dry_run: bool) -> Output[Paid | Plan]:
    """All stages of a run, and what it paid."""
    refuse_engine(config)
    refuse_training(home, config)
    if dry_run:
        return would(f"run {config.id} in {home.root}")
    set_prefect_environment(home)
    find_flows()
    from flows.server import check_server

    check_server()
    from flows.pipeline import pipeline

    with ending_children():
        run_id = pipeline(str(home.root), config)
    return payout(home, config, run_id)
