"""The services of `tribute demo`: customers ask the served champion, and what they used pays the month, too."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tribute import months
from tribute.cli._flows import PARTS, RESULTS, running_flows, start_prefect, times
from tribute.cli._output import Output, Table
from tribute.cli._payout import Attributed, Paid, payout
from tribute.config import RunConfig
from tribute.pipeline.launch.preflight import refuse_training
from tribute.progress import timed
from tribute.rewards.ledger import read_calendar, simulate
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.simulation.customers import Visit

SERVED = {"questions": "questions answered", "explain answers": "answers explained"}
"""As PARTS, of the work after the run."""
DAYS = 365
"""For how long keys are valid."""
PAID_IN = "50.00"
"""What each payer pays in, in the currency of the prices."""


def run_and_serve(home: Workspace, config: RunConfig, configs: Path) -> Output[Paid | Attributed]:
    """A run; then its model is asked, and the month paid again with what that cost. Answers are asked for once."""
    rewards = config.rewards
    assert rewards is not None, "only a run that pays is paid by use"
    refuse_training(home, config)
    month, visits = rewards.period, list["Visit"]()
    # Its month is a fixed one, so its days are those of a simulation, and its manifests say so.
    simulate(home.rewards, months.last_day(month))
    with timed(PARTS, RESULTS) as seconds, running_flows():
        start_prefect(home.prefect)
        from flows.pipeline import pipeline
        from flows.runner import with_runner
        from flows.services import usage

        pipeline(str(home.root), config)
    with timed(SERVED, "the month paid again") as later, running_flows():
        if not (home.usage / month).exists():
            if read_calendar(home.rewards).today <= months.last_day(month):
                visits = _customers_ask(home, month, configs / "prices.yaml")
                simulate(home.rewards, f"{months.next_period(month)}-01")
            with_runner(usage, config.execution)(str(home.root), month)
        metered = with_usage(config, configs / "usage_policy.yaml")
        run_id = pipeline(str(home.root), metered)
    ended = payout(home, metered, run_id)
    asked = [_asked(visits)] if visits else []
    served = {"server's start" if part == "start" else part: spent for part, spent in later.items()}
    return replace(ended, tables=[*ended.tables, *asked, times(seconds | served)])


def with_usage(config: RunConfig, policy: Path) -> RunConfig:
    """The run whose pool is also what was metered, by `policy` in place of the policy.yaml beside it."""
    rewards = config.rewards
    assert rewards is not None, "only a run that pays is paid by use"
    by = policy if rewards.policy == policy.with_name("policy.yaml") else rewards.policy
    pools = [*(pool.model_dump() for pool in rewards.pools), {"from": "usage"}]
    metered = type(rewards).model_validate(rewards.model_dump() | {"pool": pools, "policy": by})
    return config.model_copy(update={"rewards": metered})


def _customers_ask(home: Workspace, month: str, prices: Path) -> "list[Visit]":
    """Serve the champion, let every customer ask, and stop serving."""
    import httpx

    from tribute.cli._serving import serving
    from tribute.progress import reporter
    from tribute.simulation.customers import CUSTOMERS, visit

    secrets, visits = _open_shop(home, prices), []
    with serving(home) as address:
        for customer in CUSTOMERS:
            headers = {"Authorization": f"Bearer {secrets[customer.name]}"}
            with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as client:
                visits.append(visit(client, customer, month, reporter(f"questions, {customer.name}")))
    return visits


def _asked(visits: "list[Visit]") -> Table:
    """What customers asked and paid, and where their money ended."""
    from tribute.micro import exact_micro

    rows = [(visit.customer.name, str(len(visit.labels)), exact_micro(visit.micro), visit.refusal) for visit in visits]
    return Table("Asked of the champion", ("customer", "answers", "paid", "then"), rows, right=("answers", "paid"))


def _open_shop(home: Workspace, prices: Path) -> dict[str, str]:
    """Publish prices, and give customers money and keys, unless that was done: customer → secret of the key.

    Only hashes of secrets are in the usage store; these customers keep theirs in `keys/customers.json`.
    """
    from tribute.pipeline.usage.payer_money import payer_money
    from tribute.server.setup.administration import administration, limits, load_prices, parse_margin
    from tribute.services.accounts import Agent
    from tribute.simulation.customers import AGENT_MARGIN, AGENT_OWNER, CUSTOMERS
    from tribute.strict import parse_json

    kept, list_ = home.keys / "customers.json", load_prices(prices, 1)
    if kept.exists():
        return dict(parse_json(kept.read_bytes()))
    with administration(home.root, None) as admin, payer_money(home) as money:
        if admin.next_version() == 1:
            admin.publish(list_)
        for payer in sorted({AGENT_OWNER, *(customer.payer for customer in CUSTOMERS)}):
            with _done_before():
                admin.accounts.add_payer(payer, list_.currency)
            money.top_up(payer, PAID_IN, f"demo-{payer}", read_calendar(home.rewards).today)
        secrets = dict[str, str]()
        for customer in CUSTOMERS:
            if customer.agent:
                with _done_before():
                    admin.accounts.add_agent(
                        Agent(customer.agent, AGENT_OWNER, (customer.model,), parse_margin(AGENT_MARGIN))
                    )
            allowed = limits(customer.budget, customer.budget, admin.end(DAYS), (customer.model,), "month")
            secrets[customer.name], _ = admin.keys.issue(customer.payer, allowed, agent=customer.agent or None)
    with open(kept, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        json.dump(secrets, file)
    return secrets


@contextmanager
def _done_before() -> Iterator[None]:
    """Whoever is there already, since an earlier demo was interrupted, is no error."""
    from tribute.errors import ServiceError

    try:
        yield
    except ServiceError as error:
        if error.status != 409:
            raise
