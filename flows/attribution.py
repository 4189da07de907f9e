"""Measures what the plan proposes, round after round, and combines the results into shares."""

from typing import Any

from prefect import flow

from flows.runner import with_runner
from tasks.attribution import combine, measure, propose
from tasks.outcome import id_of
from tribute.config import RunConfig


@flow(name="attribution", flow_run_name="attribution on {config.dataset.tag}")
def attribution(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> dict[str, Any]:
    """Returns the attribution's id. The plan decides what is measured and when to stop."""
    measured: list[Any] = []
    while work := propose(workspace, config, dataset, adapters, measured):
        futures = [measure.submit(workspace, config, dataset, adapters, piece) for piece in work]
        measured += zip(work, [future.result() for future in futures], strict=True)
    return {"attribution": id_of(combine(workspace, config, dataset, adapters, measured))}


def run(workspace: str, config: RunConfig, dataset: str, adapters: list[str]) -> dict[str, Any]:
    """The flow on the engine that the config names."""
    return with_runner(attribution, config.execution)(workspace, config, dataset, adapters)
