"""Which accrual the money on a contributor's accounts comes from. Reads the ledger's lines; posts nothing.

A lot is an ACCRUE, or an ADJUST in favour; a hold is a HOLD. Every later entry that touches :Accrued or :Held
refers to the one it takes from (`ref_entry_id`), directly or by way of others, so what is left of each follows from
the lines alone.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TypeVar

from tribute.errors import RewardError
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.entries import Row

HOLDBACK = "holdback"
"""The `reason_code` of a HOLD that ends by itself after the policy's days."""


@dataclass
class Lot:
    """What is left of one accrual on :Accrued, in minor units."""

    entry_id: str
    contributor_id: str
    currency: str
    posted_at: str
    left: int = 0
    moved: int = 0
    """How many PAYABLE entries took from it."""


@dataclass
class Hold:
    """What is left of one HOLD on :Held, in minor units, and the lot that it came from."""

    entry_id: str
    lot: Lot
    reason_code: str
    posted_at: str
    left: int = 0
    moved: int = 0
    """How many RELEASE entries took from it."""


Kept = TypeVar("Kept")


class Lots:
    """All lots and holds of a ledger, in its order."""

    def __init__(self) -> None:
        self.lots: dict[str, Lot] = {}
        self.holds: dict[str, Hold] = {}
        self._ref: dict[str, str] = {}

    def copy(self) -> "Lots":
        """Lots of their own, of which more may be taken without a change to these."""
        new = Lots()
        new.lots = {entry_id: copy(lot) for entry_id, lot in self.lots.items()}
        new.holds = {id_: replace(hold, lot=new.lots[hold.lot.entry_id]) for id_, hold in self.holds.items()}
        new._ref = dict(self._ref)
        return new

    def of(self, contributor_id: str, currency: str, first: str = "") -> list[Lot]:
        """A contributor's lots with something left, oldest first but for the one of the entry `first`."""
        own = [lot for lot in self.lots.values() if (lot.contributor_id, lot.currency) == (contributor_id, currency)]
        origin = self._origin(first, self.lots)
        return sorted((lot for lot in own if lot.left), key=lambda lot: lot.entry_id != origin)

    def holds_of(self, contributor_id: str, currency: str, first: str = "") -> list[Hold]:
        """A contributor's holds with something left, oldest first but for those of the lot of the entry `first`."""
        own = [h for h in self.holds.values() if (h.lot.contributor_id, h.lot.currency) == (contributor_id, currency)]
        origin = self._origin(first, self.lots)
        return sorted((hold for hold in own if hold.left), key=lambda hold: hold.lot.entry_id != origin)

    def disputed(self) -> set[str]:
        """The entries of the lots of which a dispute holds something."""
        return {hold.lot.entry_id for hold in self.holds.values() if hold.left and hold.reason_code != HOLDBACK}

    def check(self) -> None:
        """Raise RewardError where more was taken from a lot or a hold than it had."""
        kept: list[Lot | Hold] = [*self.lots.values(), *self.holds.values()]
        for one in kept:
            if one.left < 0:
                raise RewardError(
                    f"entry {one.entry_id} would be overdrawn by {-one.left} minor units; its money has gone on already"
                )

    def take(self, row: Row) -> None:
        """Follow the next line of the ledger. Raises RewardError where it does not say what it takes from."""
        entry_id, event = row["entry_id"], row["event_type"]
        self._ref[entry_id] = row["ref_entry_id"]
        contributor_id, stage = accounts.owner(row["account"])
        change = int(row["credit_minor"]) - int(row["debit_minor"])
        if stage == "Accrued":
            if event in ("ACCRUE", "ADJUST") and change > 0:
                self.lots[entry_id] = Lot(entry_id, contributor_id, row["currency"], row["posted_at"])
            lot = self._lot(entry_id)
            lot.left += change
            lot.moved += event == "PAYABLE"
        elif stage == "Held":
            if event == "HOLD":
                made = Hold(entry_id, self._lot(entry_id), row["reason_code"], row["posted_at"])
                self.holds[entry_id] = made
            hold = self._found(entry_id, self.holds)
            hold.left += change
            hold.moved += event == "RELEASE"

    def _lot(self, entry_id: str) -> Lot:
        return self._found(entry_id, self.lots)

    def _found(self, entry_id: str, among: Mapping[str, Kept]) -> Kept:
        origin = self._origin(entry_id, among)
        if not origin:
            raise RewardError(
                f"entry {entry_id} moves accrued or held money and refers to no accrual or hold; give ref_entry_id"
            )
        return among[origin]

    def _origin(self, entry_id: str, among: Mapping[str, object]) -> str:
        while entry_id and entry_id not in among:
            entry_id = self._ref.get(entry_id, "")
        return entry_id
