"""The control totals of a month: integers that seal and verification count alike."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tribute.services.meter.agent_calls import PREFIX as AGENT

BY_DATASET, BY_AGENT = ("payer", "dataset", "currency"), ("payer", "agent", "currency")
PAID = ("payer", "agent", "model", "currency", "micro", "test", "affiliated")
"""The columns that say who paid how much for what."""
Group = tuple[str, str, str]
"""A payer, what was paid for, and the currency: the key of a sum."""


class Totals:
    """Sums over a month's events, fed in batches.

    All are in 10⁻⁶ of `currency`, refunds deducted. `paid`, what live calls cost, is `funding`, which funds pools,
    `income`, which is the operator's because the payer is affiliated, and `margins`, which agents keep, per payer and
    agent; the others are per payer and dataset, as is `test`, what test keys' calls would cost.
    """

    def __init__(self) -> None:
        self.counts = Counter[str](
            dict.fromkeys(("events", "corrections", "input_tokens", "output_tokens", "micro"), 0)
        )
        self.paid, self.funding, self.income, self.margins, self.test = (Counter[Group]() for _ in range(5))

    def add(self, events: Mapping[str, Sequence[Any]]) -> None:
        """Count events: columns of usage.parquet, of any of its rows."""
        self.counts["events"] += len(events["micro"])
        self.counts["corrections"] += sum(receipt is not None for receipt in events["corrects"])
        for name in ("input_tokens", "output_tokens", "micro"):
            self.counts[name] += sum(events[name])
        paid = zip(*(events[name] for name in PAID), strict=True)
        for payer, agent, model, currency, micro, test, affiliated in paid:
            group = (payer, model.partition("@")[0], currency)
            if test:
                self.test[group] += micro
                continue
            self.paid[group] += micro
            if model.startswith(AGENT):
                self.margins[payer, agent, currency] += micro
            elif affiliated:
                self.income[group] += micro
            else:
                self.funding[group] += micro

    def document(self) -> dict[str, Any]:
        """The totals as JSON: counts, and lists of `payer, dataset, currency, micro`; of margins with `agent`."""
        document: dict[str, Any] = {**self.counts}
        for name in ("paid", "funding", "income", "margins", "test"):
            names = (*(BY_AGENT if name == "margins" else BY_DATASET), "micro")
            sums = sorted(getattr(self, name).items())
            document[name] = [dict(zip(names, (*group, micro), strict=True)) for group, micro in sums]
        return document
