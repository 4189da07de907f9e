"""The control totals of a month: integers that seal and verification count alike."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tribute.services.meter.events import AGENT_CALL


class Totals:
    """Sums over a month's events, fed in batches.

    `paid` and `funding` are per payer in 10⁻⁶ of `currency`, refunds deducted: what live calls cost, and the part of
    it that funds pools, which is all but affiliated payers' and agents' margins. `margins` is the latter, per agent.
    """

    def __init__(self) -> None:
        self.counts = Counter[str](
            dict.fromkeys(("events", "corrections", "input_tokens", "output_tokens", "micro"), 0)
        )
        self.paid, self.funding, self.margins, self.test = (Counter[tuple[str, str]]() for _ in range(4))

    def add(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Count events: `type, payer, agent, currency, micro, test, affiliated, corrects` and both kinds of tokens."""
        for event in events:
            self.counts["events"] += 1
            self.counts["corrections"] += event["corrects"] is not None
            for name in ("input_tokens", "output_tokens", "micro"):
                self.counts[name] += event[name]
            payer = (event["payer"], event["currency"])
            (self.test if event["test"] else self.paid)[payer] += event["micro"]
            if event["type"] == AGENT_CALL and not event["test"]:
                self.margins[event["agent"], event["currency"]] += event["micro"]
            elif not event["test"] and not event["affiliated"]:
                self.funding[payer] += event["micro"]

    def document(self) -> dict[str, Any]:
        """The totals as JSON: counts, and lists of `payer, currency, micro` in order, of `margins` with `agent`."""
        sums = {"paid": self.paid, "funding": self.funding, "margins": self.margins, "test": self.test}
        return {**self.counts} | {
            name: [
                {"agent" if name == "margins" else "payer": key[0], "currency": key[1], "micro": micro}
                for key, micro in sorted(amounts.items())
            ]
            for name, amounts in sums.items()
        }
