"""What a server needs once before deployments run on it, beside its limits: a work pool and automations."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectAlreadyExists, PrefectHTTPStatusError

from tribute.errors import TributeError

POOL = "tribute"
AGAIN = "AwaitingRetry"
"""The state of a crashed run that is started again."""
ENDS = ("Completed", "Failed", "Cancelled", "Suspended", "Paused", AGAIN)
"""States in which no heartbeat comes. `Crashed` is left to the automation that starts a run again: where Prefect's
records are in SQLite, what waits for the end of a run often finds the database locked, and then the event is lost to
every automation that it concerns."""
ONCE = timedelta(seconds=1)
"""A server that fails at an event looks at it again, up to three times; what came of it within this is not repeated."""
BEATS = timedelta(seconds=120)
"""A run without a heartbeat for this long has lost its process; workers send one every 30 seconds (prefect.yaml)."""
BEGINS = timedelta(minutes=10)
"""A run that a worker took and that does not run by then never will: its imports take seconds."""
TAGGED = {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.tribute"}
"""Runs of Tribute's deployments alone, none of their subflows: these carry no tags."""


def exit_in_one_line(action: Callable[[], None]) -> None:
    """Do it; a fault that the user can mend ends the process with its message alone."""
    try:
        action()
    except TributeError as error:
        sys.exit(str(error))


def create_pool() -> None:
    """Create the work pool of the deployments, unless it is there."""
    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        except ObjectAlreadyExists:
            return


def create_automations() -> None:
    """Create the automations that the server lacks; those that a person changed stay."""
    create_missing([_mark_lost(), mark_stuck(BEGINS), _start_again()])


def create_missing(automations: Sequence[AutomationCore]) -> None:
    """Create those whose names the server lacks, each once also where two workers are set up at the same time.

    Prefect takes any number of one name, so both may create; then both remove all but the one of the least id.
    """
    with get_client(sync_client=True) as client:
        for automation in automations:
            if client.read_automations_by_name(automation.name):
                continue
            client.create_automation(automation)
            ids = sorted(each.id for each in client.read_automations_by_name(automation.name))
            for surplus in ids[1:]:
                with suppress(PrefectHTTPStatusError):  # the other one has removed it
                    client.delete_automation(surplus)


def _mark_lost() -> AutomationCore:
    kinds = {f"prefect.flow-run.{state}" for state in ENDS}
    return AutomationCore(
        name="tribute: mark a run whose process is gone",
        description="A worker or a machine died: no heartbeat came.",
        trigger=EventTrigger(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=TAGGED,
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *kinds},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=BEATS,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat: its process is gone.")],
    )


def mark_stuck(within: timedelta) -> AutomationCore:
    """A run whose worker died while it imported the flow sends no heartbeat yet, so nobody would miss one."""
    others = ("Running", "Cancelling", "Scheduled", "Late", "AwaitingConcurrencySlot", *ENDS)
    return AutomationCore(
        name="tribute: mark a run that never began",
        description="Its worker died before the run sent a heartbeat.",
        trigger=EventTrigger(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=TAGGED,
            after={"prefect.flow-run.Pending"},
            expect={f"prefect.flow-run.{state}" for state in others},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=within,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="It never began: its worker is gone.")],
    )


def _start_again() -> AutomationCore:
    return AutomationCore(
        name="tribute: start a crashed run again",
        description="It finds what was made, and goes on with it; a run that crashes every time ends as failed.",
        trigger=EventTrigger(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=TAGGED,
            expect={"prefect.flow-run.Crashed"},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=ONCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.SCHEDULED, name=AGAIN, message="It crashed.")],
    )
