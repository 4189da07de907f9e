"""Which accrual the money on a contributor's accounts comes from. Reads postings; posts nothing.

A lot is an ACCRUE, or an ADJUST in favour; a hold is a HOLD. Every later entry that touches :Accrued or :Held
refers to the one it takes from (`ref_entry_id`), directly or by way of others, so what is left of each follows from
the lines alone.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TypeVar

from tribute.errors import RewardError
from tribute.formatting import money
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.journal import Posting

HOLDBACK = "holdback"
"""The `reason_code` of a HOLD that ends by itself after the policy's days."""


@dataclass
class Lot:
    """What is left of one accrual on :Accrued, in minor units."""

    entry_id: str
    contributor_id: str
    currency: str
    day: str
    left: int = 0
    moved: int = 0
    """How many PAYABLE entries took from it."""


@dataclass
class Hold:
    """What is left of one HOLD on :Held, in minor units, and the lot that it came from."""

    entry_id: str
    lot: Lot
    reason: str
    day: str
    left: int = 0
    moved: int = 0
    """How many RELEASE entries took from it."""

    @property
    def contributor_id(self) -> str:
        """Whose money it is."""
        return self.lot.contributor_id

    @property
    def currency(self) -> str:
        """Its currency."""
        return self.lot.currency


Source = TypeVar("Source", Lot, Hold)


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
        origin = self.origin(first)
        lots = _left(self.lots.values(), contributor_id, currency)
        return sorted(lots, key=lambda lot: lot.entry_id != origin)

    def holds_of(self, contributor_id: str, currency: str, first: str = "") -> list[Hold]:
        """A contributor's holds with something left, oldest first but for those of the lot of the entry `first`."""
        origin = self.origin(first)
        holds = _left(self.holds.values(), contributor_id, currency)
        return sorted(holds, key=lambda hold: hold.lot.entry_id != origin)

    def origin(self, entry_id: str) -> str:
        """The lot that an entry goes back to, itself or by its references; empty for none."""
        return self._nearest(entry_id, self.lots)

    def disputed(self) -> set[str]:
        """The entries of the lots of which a dispute holds something."""
        return {hold.lot.entry_id for hold in self.holds.values() if hold.left and hold.reason != HOLDBACK}

    def check(self) -> None:
        """Raise RewardError where more was taken from a lot or a hold than it had."""
        sources: list[Lot | Hold] = [*self.lots.values(), *self.holds.values()]
        for source in sources:
            if source.left < 0:
                raise RewardError(
                    f"entry {source.entry_id} would be overdrawn by {money(-source.left, source.currency)}; "
                    "its money has gone on already"
                )

    def take(self, posting: Posting) -> None:
        """Follow the next posting of the ledger. Raises RewardError where it does not say what it takes from."""
        entry_id, event = posting.entry_id, posting.event
        self._ref[entry_id] = posting.ref
        stage = accounts.stage(posting.account)
        if stage == "Accrued":
            if event in ("ACCRUE", "ADJUST") and posting.credit > 0:
                self.lots[entry_id] = Lot(entry_id, posting.contributor_id, posting.currency, posting.day)
            lot = self._source(entry_id, self.lots)
            lot.left += posting.credit
            lot.moved += event == "PAYABLE"
        elif stage == "Held":
            if event == "HOLD":
                lot = self._source(entry_id, self.lots)
                self.holds[entry_id] = Hold(entry_id, lot, posting.reason, posting.day)
            hold = self._source(entry_id, self.holds)
            hold.left += posting.credit
            hold.moved += event == "RELEASE"

    def _source(self, entry_id: str, sources: Mapping[str, Source]) -> Source:
        origin = self._nearest(entry_id, sources)
        if not origin:
            raise RewardError(
                f"entry {entry_id} moves accrued or held money and refers to no accrual or hold; give ref_entry_id"
            )
        return sources[origin]

    def _nearest(self, entry_id: str, sources: Mapping[str, object]) -> str:
        while entry_id and entry_id not in sources:
            entry_id = self._ref.get(entry_id, "")
        return entry_id


def _left(sources: Iterable[Source], contributor_id: str, currency: str) -> list[Source]:
    """The sources of one contributor and currency that have something left."""
    wanted = (contributor_id, currency)
    return [source for source in sources if source.left and (source.contributor_id, source.currency) == wanted]
