"""The control totals of a month: integers that seal and verification count alike."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


class Totals:
    """Sums over a month's events, fed in batches.

    `paid` and `funding` are per payer in 10⁻⁶ of `currency`, refunds deducted: what live calls cost, and the part of
    it that funds pools, which is all but affiliated payers'.
    """

    def __init__(self) -> None:
        self.counts = Counter[str](
            dict.fromkeys(("events", "corrections", "input_tokens", "output_tokens", "micro"), 0)
        )
        self.paid, self.funding, self.test = (Counter[tuple[str, str]]() for _ in range(3))

    def add(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Count events: `payer, currency, micro, test, affiliated, corrects, input_tokens, output_tokens`."""
        for event in events:
            self.counts["events"] += 1
            self.counts["corrections"] += event["corrects"] is not None
            for name in ("input_tokens", "output_tokens", "micro"):
                self.counts[name] += event[name]
            payer = (event["payer"], event["currency"])
            (self.test if event["test"] else self.paid)[payer] += event["micro"]
            if not event["test"] and not event["affiliated"]:
                self.funding[payer] += event["micro"]

    def document(self) -> dict[str, Any]:
        """The totals as JSON: counts, and lists of `payer, currency, micro` in order."""
        return {**self.counts} | {
            name: [{"payer": key[0], "currency": key[1], "micro": micro} for key, micro in sorted(sums.items())]
            for name, sums in (("paid", self.paid), ("funding", self.funding), ("test", self.test))
        }
