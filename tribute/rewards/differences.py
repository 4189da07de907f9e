"""Two policies side by side: which settings differ, and what a period would have paid by another one. Posts nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.artifacts import read_artifact
from tribute.rewards import tables
from tribute.rewards.allocation import Rule
from tribute.rewards.funding import divide
from tribute.rewards.gate import judge
from tribute.rewards.period import refuse_period
from tribute.rewards.policy import Policy
from tribute.rewards.pools import allocations
from tribute.rewards.sources import read_sources
from tribute.rewards.tables import USAGE_FILE
from tribute.workspace import Workspace

ABSENT = "–"


@dataclass(frozen=True)
class Simulation:
    """(Contributor, currency) → minor units that were paid and would have been, and the rule of the other policy."""

    rule: Rule
    paid: Mapping[tuple[str, str], int]
    would: Mapping[tuple[str, str], int]
    kept: Mapping[str, Mapping[str, int]]
    """Currency → platform, model owner, reserve and contributors by the other policy, in minor units."""

    def change(self, key: tuple[str, str]) -> int:
        """What the other policy would have paid more (> 0) or less."""
        return self.would[key] - self.paid[key]


def differences(before: Policy, after: Policy) -> list[tuple[str, str, str]]:
    """(Setting, before, after) of every setting that differs, such as `("kappa", "1", "1.96")`."""
    old, new = (dict(_flat(policy.model_dump(mode="json"))) for policy in (before, after))
    names = [*old, *(name for name in new if name not in old)]
    return [(name, old.get(name, ABSENT), new.get(name, ABSENT)) for name in names if old.get(name) != new.get(name)]


def simulate(workspace: Workspace, folder: Path, policy: Policy) -> Simulation:
    """What `policy` would have paid for a period, drafted or closed, from the same data and the same net fee.

    Raises RewardError where the policy does not hold for that month or nobody could be paid by it, RegistryError
    where the tables that the period was paid from are gone.
    """
    artifact, period = read_artifact(folder), folder.name
    refuse_period(period, policy)
    store, inputs = workspace.store, artifact.inputs
    sources = read_sources(store.get("dataset", inputs["dataset"]), store.get("attribution", inputs["attribution"]))
    verdict = judge(sources.card, policy.gate)
    fundings = [
        divide(int(one["net_minor"]), one["currency"], policy, period) for one in artifact.identity["config"]["funding"]
    ]
    usage = folder / USAGE_FILE if (folder / USAGE_FILE).exists() else None
    would: dict[tuple[str, str], int] = {}
    for one in allocations(sources, fundings, policy, usage, period, verdict.rule):
        for line in one.lines:
            key = (line.contributor_id, one.currency)
            would[key] = would.get(key, 0) + line.amount
    paid = dict.fromkeys(would, 0)
    for row in tables.read_csv(folder / "allocation.csv", tables.ALLOCATION):
        paid[row["contributor_id"], row["currency"]] += int(row["amount_minor"])
    names = ("platform", "model_owner", "reserve", "contributors")
    kept = {one.currency: {name: getattr(one, name) for name in names} for one in fundings}
    return Simulation(verdict.rule, paid, would, kept)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value)) or ABSENT
    else:
        yield name, ABSENT if value is None or value == {} else str(value)
