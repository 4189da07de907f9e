"""What was said and decided about a statement: `disputes/<id>/dispute.json`, a chain of events. Moves no money.

    open → evidence, recheck (any number) → decide by two reviewers → outcome → appeal, once → decide by two others

Each event carries the hash of the one before, and a decision the reviewer's signature over it and all that was said
until then; whose key that is, `reviewers` checks. A reviewer may decide otherwise until there is an outcome: the
latest decision counts, the chain keeps all. Opening carries the day of receipt beside the day of posting, and where
that is earlier the signature of a second person who vouches for it. Evidence lies beside it, by its sha256.
"""

from dataclasses import dataclass
from typing import Any

import rfc8785

from tribute.digests import Chain
from tribute.errors import IntegrityError, RewardError
from tribute.files import write_json
from tribute.ids import is_dispute_id
from tribute.keys import check_signature
from tribute.strict import parse_json
from tribute.workspace import Workspace

FILE = "dispute.json"
OPEN, DECIDED, FINAL = "open", "decided", "final"
ROUND = ("open", "appeal", "outcome")
"""Events after which reviewers start anew."""

CHAIN = Chain("prev", "hash", genesis="")
Event = dict[str, Any]


@dataclass(frozen=True)
class Dispute:
    """One dispute about what a closed period accrued to a contributor in one currency."""

    id: str
    events: tuple[Event, ...]

    @property
    def period(self) -> str:
        """The closed period."""
        return str(self.events[0]["period"])

    @property
    def contributor_id(self) -> str:
        """Whose statement it is."""
        return str(self.events[0]["contributor_id"])

    @property
    def currency(self) -> str:
        """The currency of all its amounts."""
        return str(self.events[0]["currency"])

    @property
    def opened_by(self) -> str:
        """Who disputes."""
        return str(self.events[0]["by"])

    @property
    def state(self) -> str:
        """`open` until two reviewers agree, then `decided`; `final` once an appeal is decided, too."""
        appeals = self.count("appeal")
        if self.count("outcome") <= appeals:
            return OPEN
        return FINAL if appeals else DECIDED

    @property
    def holds(self) -> list[str]:
        """The HOLD entries of the money in dispute, of all rounds."""
        return [entry for event in self.events for entry in event.get("holds", ())]

    @property
    def head(self) -> str:
        """The hash of the last event that is no decision: what the reviewers have before them."""
        return str(next(event["hash"] for event in reversed(self.events) if event["event"] != "decide"))

    @property
    def opinions(self) -> list[Event]:
        """The latest decision of each reviewer over exactly what is before them now, in the order of the first."""
        decisions = [event for event in self.events if event["event"] == "decide" and event["head"] == self.head]
        return list({event["by"]: event for event in decisions}.values())

    @property
    def outcomes(self) -> list[Event]:
        """What two reviewers agreed on, round by round."""
        return [event for event in self.events if event["event"] == "outcome"]

    def count(self, event: str) -> int:
        """How many events of a kind there are."""
        return sum(entry["event"] == event for entry in self.events)


@dataclass(frozen=True)
class Step:
    """Who takes a step, why, and on which day of posting; with `dry_run` all is checked and nothing done."""

    by: str
    why: str
    day: str
    dry_run: bool = False


def record(workspace: Workspace, dispute: Dispute, event: str, step: Step, **about: Any) -> Dispute:
    """Add an event, only in memory for a dry run; whoever calls holds the rewards' lock."""
    check_day(dispute, step.day)
    previous = dispute.events[-1]["hash"] if dispute.events else CHAIN.genesis
    content = CHAIN.linked({"event": event, "at": step.day, **about}, previous)
    after = Dispute(dispute.id, (*dispute.events, content))
    if not step.dry_run:
        path = workspace.disputes / dispute.id / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, after.events, indent=1)
    return after


def check_day(dispute: Dispute, day: str) -> None:
    """Raise RewardError for a day before the dispute's last event."""
    last = dispute.events[-1]["at"] if dispute.events else day
    if day < last:
        raise RewardError(
            f"{dispute.id}: {day} lies before {last}, the day of its last event; give that day or a later"
        )


def read_dispute(workspace: Workspace, id_: str) -> Dispute:
    """One dispute. Raises RewardError where there is none, IntegrityError for the first event that was changed."""
    path = workspace.disputes / id_ / FILE
    if not is_dispute_id(id_) or not path.exists():
        known = ", ".join(file.parent.name for file in sorted(workspace.disputes.glob(f"*/{FILE}"))) or "none"
        raise RewardError(f"there is no dispute {id_}; there are: {known}")
    try:
        events = parse_json(path.read_text(encoding="utf-8"))
        _check_chain(id_, events)
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path}: not what was recorded ({error}); restore the file") from error
    return Dispute(id_, tuple(events))


def all_disputes(workspace: Workspace) -> list[Dispute]:
    """Every dispute, by id."""
    return [read_dispute(workspace, path.parent.name) for path in sorted(workspace.disputes.glob(f"*/{FILE}"))]


def signed_part(id_: str, decision: Event) -> bytes:
    """The bytes that a reviewer signs: the dispute, the hash of what was said before, who decides what, and why."""
    facts = {name: decision[name] for name in ("head", "by", "why", "amount_minor")}
    return bytes(rfc8785.dumps({"dispute": id_, **facts}))


def receipt_part(id_: str, received: str, witness: str) -> bytes:
    """The bytes that a witness signs: on which day before its posting a dispute came in."""
    return bytes(rfc8785.dumps({"dispute": id_, "received": received, "witness": witness}))


def _check_chain(id_: str, events: list[Event]) -> None:
    previous = CHAIN.genesis
    for place, event in enumerate(events, start=1):
        if event["prev"] != previous or not CHAIN.is_whole(event):
            raise ValueError(f"event {place} was changed")
        if event["event"] == "decide":
            check_signature(event["key"], event["signature"], signed_part(id_, event), f"dispute {id_}, event {place}")
        if "witness" in event:
            receipt = receipt_part(id_, event["received"], event["witness"])
            check_signature(event["key"], event["signature"], receipt, f"dispute {id_}, event {place}")
        previous = event["hash"]
