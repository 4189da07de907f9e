"""A workspace in which periods really close: a registry with everybody's keys, a published policy, the small world.

Why it is adequate: nothing here is a stand-in but the data; drafts, signatures and the ledger are the real ones.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from tests.rewards.helpers.world import World, make_world
from tribute import months
from tribute.artifacts import Artifact
from tribute.contributions.registry.registry import Registry
from tribute.contributions.rights import keys_and_members
from tribute.keys import Key, load_key, make_key
from tribute.rewards import close as closing
from tribute.rewards.ledger import calendar, ledger
from tribute.rewards.policy import published
from tribute.rewards.statements.page_parts import RegistryTexts
from tribute.workspace import Workspace

CLOSERS = ("anna", "ben")
REVIEWERS = ("rita", "ron", "ruth", "rolf")
STEWARDS = ("rita", "sam")
TODAY = "2027-12-31"
"""The day that the simulated clock of the workspace has reached: every day of these tests has come."""
POLICY = f"""id: tiny
version: v1.0.0
description: Pays by credit.
effective_from: 2026-01-01
gate: {{leave_one_out_margin: null, duplicate_excluded: null, shuffled_below_zero: null, seed_split: null}}
split: {{reserve: "0.1", contributors: "0.9"}}
holdback: {{part: "0.2", days: 60}}
threshold: {{EUR: "10.00"}}
closers: [{", ".join(CLOSERS)}]
reviewers: [{", ".join(REVIEWERS)}]
stewards: [{", ".join(STEWARDS)}]
"""


@dataclass(frozen=True)
class House:
    """The workspace at `root`."""

    root: Path
    world: World

    @property
    def workspace(self) -> Workspace:
        """The same, opened."""
        return Workspace.open(self.root)

    @property
    def policy(self) -> Path:
        """The published policy's file."""
        return self.root / "policy.yaml"

    def key(self, name: str) -> Key:
        """Somebody's private key."""
        return load_key(self.root / "keys" / name)

    def pay(self, period: str, fee: str = "1000.00", **changes: object) -> Artifact:
        """The draft of a period."""
        order = {"period": period, "fees": [(fee, "EUR")], "policy": self.policy}
        return self.world.pay(self.root, **(order | changes))

    def close(self, period: str, fee: str = "1000.00") -> None:
        """Draft a period and let both closers close it on the day after its last."""
        self.pay(period, fee)
        day = f"{months.next_period(period)}-01"
        for name in CLOSERS:
            closing.close(self.workspace, period, name, self.key(name), day)

    def balance(self, account: str) -> int:
        """What stands on an account, in cents."""
        return ledger.load(self.workspace).balance(account, "EUR")

    def words(self, contributor: str) -> RegistryTexts:
        """What the registry would say, had the world's rows come by it."""
        return words(self.world, contributor)


def words(world: World, contributor: str) -> RegistryTexts:
    """A contributor's rows from the world's tables."""
    about = json.loads(world.dataset.file("dataset.json").read_text(encoding="utf-8"))
    own = {
        row["content_sha256"]: (row["row_id"], row["text"], row["target"])
        for row in pq.read_table(world.dataset.file("train.parquet")).to_pylist()
        if row["contributor_id"] == contributor
    }
    return RegistryTexts(about["tag"], {name: one["name"] for name, one in about["contributors"].items()}, own)


def make_house(root: Path, names: Mapping[str, str] = {}, today: str = TODAY) -> House:
    """Build it; takes some seconds, because a registry is a git and DVC repository."""
    workspace = Workspace.create(root)
    calendar.simulate(workspace.rewards, today)
    registry = Registry.create(workspace)
    for name in (*CLOSERS, *REVIEWERS, "sam"):
        keys_and_members.register_key(registry, name, make_key(workspace.keys / name))
    house = House(root, make_world(root, names=names))
    house.policy.write_text(POLICY, encoding="utf-8")
    published.publish(workspace, house.policy, "anna", house.key("anna"))
    return house
