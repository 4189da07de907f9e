"""The control totals of a month: integers that seal and verification count alike."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tribute.services.meter.events import AGENT_CALL


class Totals:
    """Sums over a month's events, fed in batches.

    `paid`, `funding` and `test` are per payer and dataset in 10⁻⁶ of `currency`, refunds deducted: what live calls
    cost, the part of it that funds pools, which is all but affiliated payers' and agents' margins, and what test keys'
    calls would cost. `margins` is what agents keep, per agent.
    """

    def __init__(self) -> None:
        self.counts = Counter[str](
            dict.fromkeys(("events", "corrections", "input_tokens", "output_tokens", "micro"), 0)
        )
        self.paid, self.funding, self.test = (Counter[tuple[str, str, str]]() for _ in range(3))
        self.margins = Counter[tuple[str, str]]()

    def add(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Count events: the columns of usage.parquet."""
        for event in events:
            self.counts["events"] += 1
            self.counts["corrections"] += event["corrects"] is not None
            for name in ("input_tokens", "output_tokens", "micro"):
                self.counts[name] += event[name]
            payer = (event["payer"], event["model"].partition("@")[0], event["currency"])
            (self.test if event["test"] else self.paid)[payer] += event["micro"]
            if event["type"] == AGENT_CALL and not event["test"]:
                self.margins[event["agent"], event["currency"]] += event["micro"]
            elif not event["test"] and not event["affiliated"]:
                self.funding[payer] += event["micro"]

    def document(self) -> dict[str, Any]:
        """The totals as JSON: counts, and lists of `payer, dataset, currency, micro` or `agent, currency, micro`."""
        names = ("payer", "dataset", "currency", "micro")
        document: dict[str, Any] = {**self.counts}
        for name, sums in (("paid", self.paid), ("funding", self.funding), ("test", self.test)):
            document[name] = [dict(zip(names, (*key, micro), strict=True)) for key, micro in sorted(sums.items())]
        document["margins"] = [
            {"agent": agent, "currency": currency, "micro": micro}
            for (agent, currency), micro in sorted(self.margins.items())
        ]
        return document
