"""Show or renew the terms of a contribution; new ones apply from the next version on."""

from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, By, ContributionId, DryRun, OptionalKeyFile, Why, WorkspaceFolder
from tribute.cli._output import Output


class Terms(TypedDict):
    contribution: str
    licence: str
    terms: dict[str, Any] | None


@command
def terms(
    contribution: ContributionId,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="YAML file: consent, purposes, expires; without it, show them."),
    ] = None,
    by: By = "",
    why: Why = "",
    key: OptionalKeyFile = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Terms]:
    from tribute.cli._registry import open_registry
    from tribute.contributions.rights import renew_terms
    from tribute.contributions.terms import load_terms
    from tribute.errors import RegistryError

    registry = open_registry(workspace, dry_run)
    recorded = registry.snapshot().recorded(contribution)
    if recorded is None:
        raise RegistryError(f"there is no contribution {contribution}; `tribute show DATASET` lists them")
    standing = dict(recorded.terms) if recorded.terms else None
    if file is not None:
        wanted = load_terms(file)
        renew_terms(registry, contribution, wanted, by, why, key)
        standing = wanted.meta()
    data: Terms = {"contribution": contribution, "licence": recorded.licence, "terms": standing}
    lines = [f"licence: {recorded.licence}"]
    lines += [f"{name}: {value}" for name, value in (standing or {"terms": "none beyond the licence"}).items()]
    return Output(data, [*(["would renew the terms"] if dry_run and file else []), *lines])
