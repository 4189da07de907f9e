"""Release, train, attribute, pay and close month after month of a dated dataset, through the Prefect flows."""

from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer

from tribute.cli._checkout import find_flows
from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, Overrides, WorkspaceFolder
from tribute.cli._output import Output
from tribute.cli._text import Plan, would


class Year(TypedDict):
    months: list[dict[str, Any]]
    ties: list[str]
    page: str


@command
def year(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The year's YAML file.")],
    set_: Overrides = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Year | Plan]:
    from dataclasses import asdict

    from tribute.cli._flows import running_flows
    from tribute.cli._prefect import set_prefect_environment
    from tribute.contributions.sources import months_of
    from tribute.pipeline.launch.preflight import refuse_base, refuse_engine
    from tribute.rewards.policy import load_policy
    from tribute.rewards.verification import history
    from tribute.simulation.config import load_year
    from tribute.workspace import Workspace

    home, simulated = Workspace.open(workspace), load_year(config, set_ or [])
    policy = load_policy(simulated.policy)
    first = simulated.month(simulated.first)
    refuse_engine(first.execution)
    refuse_base(first)
    months = months_of(simulated.folder, simulated.last)
    if dry_run:
        return would(
            f"simulate {len(simulated.months)} months, {simulated.first} to {simulated.last}, "
            f"with {len(months)} contributions and policy {policy.id} {policy.version}"
        )
    set_prefect_environment(home.prefect)
    find_flows()
    from flows.server import prepare_server

    prepare_server()
    from flows.year import year as flow

    with running_flows():
        page = flow(str(home.root), simulated)
    record = history(home, simulated.fee.currency)
    data: Year = {"months": [asdict(month) for month in record.months], "ties": list(record.ties), "page": page}
    return Output(data, [*(f"✓ {tie}" for tie in record.ties), f"page: {page}"])
