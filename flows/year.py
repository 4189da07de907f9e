"""Runs month after month of a growing dataset: release, train, attribute, pay and close."""

from prefect import flow

from flows import pipeline
from flows.runner import part_of_run
from tasks.year import begin, close, grow, happen, summarise
from tribute.simulation.config import YearConfig


@part_of_run
@flow(name="month", flow_run_name="{period}")
def month(workspace: str, config: YearConfig, period: str) -> str:
    """One month; returns its folder."""
    grow(workspace, config, period)
    happen(workspace, config, period)
    pipeline.run(workspace, config.month(period))
    return close(workspace, config, period)


@flow(name="year")
def year(workspace: str, config: YearConfig) -> str:
    """All months, one after the other; returns the page that shows them."""
    months = begin(workspace, config)
    [month(workspace, config, period) for period in months]
    return summarise(workspace, config)
