"""What a period would have paid by another policy. Posts nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tribute.artifacts import read_artifact
from tribute.rewards import tables
from tribute.rewards.allocation.funding import Funding, divide_again
from tribute.rewards.allocation.gate import Verdict
from tribute.rewards.allocation.inputs import read_sources
from tribute.rewards.allocation.pools import allocate_period
from tribute.rewards.policy.payees import payees_of
from tribute.rewards.policy.policy import Policy, refuse_period
from tribute.rewards.tables import USAGE_FILE
from tribute.rewards.usage.sealed_usage import SealedUsage
from tribute.workspace import Workspace


@dataclass(frozen=True)
class Simulation:
    """(Contributor, currency) → minor units that were paid and would have been; the other policy's verdict."""

    verdict: Verdict
    paid: Mapping[tuple[str, str], int]
    would: Mapping[tuple[str, str], int]
    kept: Mapping[str, Mapping[str, int]]
    """Currency → platform, model owner, reserve and contributors by the other policy, in minor units."""

    def change(self, key: tuple[str, str]) -> int:
        """What the other policy would have paid more (> 0) or less."""
        return self.would[key] - self.paid[key]


def simulate_period(workspace: Workspace, folder: Path, policy: Policy) -> Simulation:
    """What `policy` would have paid for a period, drafted or closed, from the same data and the same net fee.

    Raises RewardError where the policy does not hold for that month or nobody could be paid by it, RegistryError
    where the tables that the period was paid from are gone.
    """
    artifact, period = read_artifact(folder), folder.name
    refuse_period(period, policy)
    store, inputs = workspace.store, artifact.inputs
    dataset, attribution = (store.get(kind, inputs[kind]) for kind in ("dataset", "attribution"))
    sources = read_sources(dataset, attribution)
    sources = replace(sources, payees=payees_of(workspace, policy, sources.dataset["contributors"]))
    fundings = divide_again(map(Funding.parse, artifact.identity["config"]["funding"]), policy, period)
    record, listed = artifact.identity["config"].get("usage"), folder / USAGE_FILE
    sealed = SealedUsage.recorded(workspace.usage / period, record) if record else None
    usage = sealed or (listed if listed.exists() else None)
    allocation = allocate_period(sources, policy, period, fundings, usage)
    would: dict[tuple[str, str], int] = {}
    for pool in allocation.pools:
        for line in pool.lines:
            key = (line.contributor_id, pool.currency)
            would[key] = would.get(key, 0) + line.amount
    paid = dict.fromkeys(would, 0)
    for row in tables.read(folder / "allocation.csv", tables.ALLOCATION):
        paid[row.contributor_id, row.currency] += row.amount_minor
    names = ("platform", "model_owner", "reserve", "contributors")
    kept = {funding.currency: {name: getattr(funding, name) for name in names} for funding in fundings}
    return Simulation(allocation.verdict, paid, would, kept)
