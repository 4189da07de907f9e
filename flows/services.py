"""Explains a month's paid answers and seals its usage, for `pay-period` to pay."""

from prefect import flow

from tasks.outcome import id_of
from tasks.services import add_addenda, explain, find_answers, seal


@flow(name="usage", flow_run_name="explain and seal {month}")
def usage(workspace: str, month: str, budget: int | None = None) -> str | None:
    """Explain what waits of a month that is over, and seal it; returns its folder, None where nothing is served."""
    futures = [explain.submit(workspace, batch) for batch in find_answers(workspace, month, budget)]
    add_addenda(workspace, [future.result() for future in futures])
    return id_of(seal(workspace, month))
