"""Commands for a registry that several stewards share, and for datasets with a history of their own."""

from pathlib import Path

from tribute.commands.output import Output
from tribute.contributions.registry import Registry
from tribute.contributions.rights import forget_erased
from tribute.contributions.sources import tldr_import
from tribute.errors import ConfigError
from tribute.months import is_period
from tribute.workspace import Workspace


def sync(workspace: Path) -> Output:
    """`tribute sync`."""
    registry = Registry.open(Workspace.open(workspace))
    registry.sync()
    forget_erased(registry)
    entries = registry.entries()
    return Output({"entries": len(entries)}, [f"the ledger has {len(entries)} entries"])


def clone(origin: str, folder: Path, dry_run: bool) -> Output:
    """`tribute clone`."""
    if Workspace.is_at(folder) or dry_run:
        Registry.refuse_clone(folder.resolve(), origin)
    if dry_run:
        return Output({"workspace": str(folder), "entries": 0}, [f"would clone {origin} into {folder}"])
    registry = Registry.clone(Workspace.create(folder), origin)
    entries = registry.entries()
    return Output({"workspace": str(folder), "entries": len(entries)}, [f"{folder} shares {origin}"])


def import_dated(workspace: Path, source: str, folder: Path, until: str, dataset: str, dry_run: bool) -> Output:
    """`tribute import`."""
    if source != "tldr":
        raise ConfigError(f"unknown source {source!r}; tldr has dated contributions")
    if not is_period(until):
        raise ConfigError(f"--until {until}: expected a month such as 2024-06")
    registry = Registry.open(Workspace.open(workspace))
    if dry_run:
        months = tldr_import.months(folder, until)
        line = f"would hand in {len(months)} contributions to {dataset}"
        return Output({"dataset": dataset, "until": until, "contributions": len(months)}, [line])
    made = tldr_import.import_tldr(registry, folder, until, dataset)
    data = {"dataset": dataset, "until": until, "contributions": len(made), "rows": sum(one.rows for one in made)}
    line = f"{dataset} has {len(made)} contributions with {data['rows']} rows written until {until}"
    return Output(data, [line])
