"""Show or set the thresholds by which a dataset's rows are screened."""

from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, By, DatasetName, DryRun, Why, WorkspaceFolder
from tribute.cli._output import Output


class Screening(TypedDict):
    dataset: str
    thresholds: dict[str, Any]


@command
def screening(
    dataset: DatasetName,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="YAML file of thresholds; without it, show them.")
    ] = None,
    by: By = "",
    why: Why = "",
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Screening]:
    from tribute.cli._registry import open_registry
    from tribute.contributions.screening import load_policy

    registry = open_registry(workspace, dry_run)
    if file is not None:
        wanted = load_policy(file)
        registry.set_policy(dataset, wanted, by, why)
        if dry_run:
            return Output(
                {"dataset": dataset, "thresholds": wanted.model_dump(mode="json")},
                [f"would set the policy of {dataset}"],
            )
    snapshot = registry.snapshot()
    snapshot.schema(dataset)
    policy = snapshot.policy(dataset)
    return Output({"dataset": dataset, "thresholds": policy.model_dump(mode="json")}, policy.to_yaml().splitlines())
