"""Rows that runs left out as harmful, for the people who review them. Reads only."""

from collections.abc import Iterable

from tribute.contributions.dataset import read_description
from tribute.contributions.registry import Registry
from tribute.contributions.releases import harm_findings
from tribute.contributions.screening import Finding
from tribute.workspace import Workspace


def found_harm(workspace: Workspace, datasets: Iterable[str]) -> list[Finding]:
    """What runs on the last version of each dataset found harmful, each row once; nothing where none looked."""
    registry, store = Registry.open(workspace), workspace.store
    tags = {registry.versions(name)[-1].tag for name in datasets if registry.versions(name)}
    tables = {table.id: table for table in store.all("dataset") if read_description(table)["tag"] in tags}
    by_row = {
        finding.row.row_id: finding
        for harm in store.all("harm")
        if (table := tables.get(harm.inputs["dataset"]))
        for finding in harm_findings(table, harm)
    }
    return list(by_row.values())
