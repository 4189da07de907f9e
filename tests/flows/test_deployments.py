"""Theorem: every deployment of prefect.yaml is named after its flow, starts with nothing filled in, on any machine."""

import asyncio
import re
from datetime import datetime, timedelta
from importlib import import_module
from inspect import signature
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from prefect.client.schemas.schedules import CronSchedule

from tasks.events import DATASET, RELEASED
from tasks.parameters import CONFIG_FILE
from tasks.setup import POOL
from tribute.config import load_config

ROOT = Path(__file__).parents[2]
PROJECT = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
DEPLOYMENTS = {deployment["name"]: deployment for deployment in PROJECT["deployments"]}
SCHEDULED = {"finetune", "explain-usage", "release-check"}
FOLLOW = {"attribute": "finetune", "pay-period": "explain-usage"}
"""Deployment → the one whose completion starts it."""


def test_the_deployments_have_the_names_of_their_flows():
    """Each can be deployed and started by a name of its own."""
    assert list(DEPLOYMENTS) == ["pipeline", "finetune", "attribute", "explain-usage", "pay-period", "release-check"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_deployments_load(name: str):
    """The entrypoint is a flow of that name, found the way Prefect finds it; every field of its form has a default."""
    from prefect import Flow
    from prefect.flows import load_flow_from_entrypoint

    deployment = DEPLOYMENTS[name]
    flow = load_flow_from_entrypoint(deployment["entrypoint"])
    module, _, function = deployment["entrypoint"].rpartition(".")

    assert isinstance(flow, Flow)
    assert flow.name == getattr(import_module(module), function).name == name
    assert not flow.parameters.required
    assert all(field.get("description") for field in flow.parameters.properties.values())
    assert set(deployment.get("parameters", {})) <= set(flow.parameters.properties)
    assert deployment["work_pool"]["name"] == POOL
    assert deployment["description"].endswith(".")
    assert "tribute" in deployment["tags"]
    assert deployment["version"]


def test_the_default_config_is_there():
    """What a form starts with is a config of the checkout."""
    configs = {signature(flow.fn).parameters["config_file"].default for flow in _flows("config_file")}

    assert configs == {CONFIG_FILE}
    assert (ROOT / CONFIG_FILE).is_file()


def test_schedules():
    """A nightly, a weekly and a monthly schedule, each with a time zone; others follow those."""
    schedules = {name: each["schedules"] for name, each in DEPLOYMENTS.items() if "schedules" in each}

    assert set(schedules) == SCHEDULED
    for [schedule] in schedules.values():
        assert CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"]).timezone == "UTC"
    for name, first in FOLLOW.items():
        [trigger] = DEPLOYMENTS[name]["triggers"]
        assert trigger["match_related"]["prefect.resource.name"] == first
        assert trigger["expect"] == ["prefect.flow-run.Completed"]


def test_what_a_trigger_gives_is_in_the_form():
    """Every parameter that an event fills in is one of the flow's; the event is the one that a release sends."""
    from prefect.flows import load_flow_from_entrypoint

    for deployment in DEPLOYMENTS.values():
        known = load_flow_from_entrypoint(deployment["entrypoint"]).parameters.properties
        for trigger in deployment.get("triggers", ()):
            assert set(trigger["parameters"]) <= set(known)
    [trigger] = DEPLOYMENTS["finetune"]["triggers"]
    assert trigger["expect"] == [RELEASED]
    assert trigger["match"]["prefect.resource.id"] == f"{DATASET}{load_config(ROOT / CONFIG_FILE).dataset.name}"


def test_daylight_saving():
    """A time that clocks skip in spring runs once, an hour earlier; one that they repeat in autumn runs once."""
    at_half_past_two = CronSchedule(cron="30 2 * * *", timezone="Europe/Berlin")
    spring, autumn = (_days(at_half_past_two, start) for start in (datetime(2027, 3, 27), datetime(2027, 10, 30)))

    assert spring == ["27 02:30 CET", "28 01:30 CET", "29 02:30 CEST"]
    assert autumn == ["30 02:30 CEST", "31 02:30 CEST", "01 02:30 CET"]


@pytest.mark.parametrize("name", sorted(SCHEDULED))
@pytest.mark.parametrize("change", [datetime(2027, 3, 21), datetime(2027, 10, 24)], ids=["spring", "autumn"])
def test_our_schedules_across_the_change_of_clocks(name: str, change: datetime):
    """With a place's time zone each runs on the days on which it runs in UTC, once: in the two weeks of a change."""
    [schedule] = DEPLOYMENTS[name]["schedules"]
    end = change + timedelta(days=14)
    in_berlin, in_utc = (
        [f"{run:%F}" for run in _runs(CronSchedule(cron=schedule["cron"], timezone=zone), change, end=end)]
        for zone in ("Europe/Berlin", "UTC")
    )

    assert in_berlin == in_utc
    assert len(in_berlin) == {"release-check": 14, "finetune": 2}.get(name, 1)


def test_nothing_holds_a_path_of_the_deployers_machine():
    """No pull step names a folder, and nothing else is absolute."""
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    settings = re.sub("#.*", "", text)

    assert PROJECT["pull"] == []
    assert not re.search(r"""(?:^|[\s"'])/\w""", settings)


def _days(schedule: CronSchedule, start: datetime) -> list[str]:
    """The first three runs from midnight of a day on, by the clock of the schedule's place."""
    return [run.strftime("%d %H:%M %Z") for run in _runs(schedule, start, n=3)]


def _runs(schedule: CronSchedule, start: datetime, end: datetime | None = None, n: int | None = None) -> list[datetime]:
    """When Prefect's server runs it from midnight of a day on, by the clock of the schedule's place."""
    from prefect.server.schemas.schedules import CronSchedule as ServersSchedule

    zone = ZoneInfo(schedule.timezone)
    from_, to = start.replace(tzinfo=zone), end and end.replace(tzinfo=zone) - timedelta(seconds=1)
    runs = asyncio.run(ServersSchedule(**schedule.model_dump()).get_dates(n, start=from_, end=to))
    return [run.astimezone(zone) for run in runs]


def _flows(parameter: str) -> list:
    flows = [getattr(import_module(module), name) for module, name in map(_parts, DEPLOYMENTS.values())]
    return [flow for flow in flows if parameter in signature(flow.fn).parameters]


def _parts(deployment: dict) -> tuple[str, str]:
    module, _, name = deployment["entrypoint"].rpartition(".")
    return module, name
