"""A period of the small world with everybody's statement, paid for two months and stated for the second."""

import dataclasses
import html
import json
import re
from pathlib import Path

from tests.rewards.helpers.people import words
from tests.rewards.helpers.world import TOKENS_POLICY, World, make_world
from tribute.rewards.statements.statements import write_statements
from tribute.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Stated:
    """A period with everybody's statement."""

    world: World
    path: Path

    def page(self, name: str) -> str:
        """Somebody's page."""
        return (self.folder / f"{name}.html").read_text(encoding="utf-8")

    def document(self, name: str) -> dict:
        """Somebody's JSON."""
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))

    def text(self, name: str) -> str:
        """A page's words, without markup."""
        body = self.page(name).split("</style>", 1)[1]
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))

    @property
    def folder(self) -> Path:
        """Where the statements are."""
        return self.path.parents[1] / "statements" / self.path.name


def stated(root: Path, *, policy: Path = TOKENS_POLICY, **changes: object) -> Stated:
    """The small world, paid for two months and stated for the second."""
    Workspace.create(root)
    world = make_world(root, **changes)
    world.pay(root, period="2026-10", fees=[("800.00", "EUR")], policy=policy)
    paid = world.pay(root, policy=policy)
    write_statements(Workspace.open(root), "2026-11", words=lambda name: words(world, name))
    return Stated(world, paid.path)
