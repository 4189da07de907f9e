"""Tells people what failed and what waits for them, at the address that TRIBUTE_NOTIFY holds at set-up."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.blocks.notifications import SlackWebhook
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from tasks.setup import TAGGED
from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.pipeline.launch.notify import ADDRESS, address_of_messages
from tribute.pipeline.runs import telemetry
from tribute.pipeline.runs.summary import failed_checks
from tribute.workspace import Workspace

BLOCK = "tribute-notify"
CHECK_FAILED = "tribute.check.failed"
PERIOD = "tribute.period."
ONCE: dict[str, Any] = {"posture": Posture.Reactive, "threshold": 1, "within": timedelta(0)}
"""A message per event."""
RUN = "{{ flow_run.name }} ({{ flow.name }})"


def create_notifications() -> None:
    """Store the address and create the automations that use it, where an address is set."""
    address = address_of_messages()
    if not address:
        return
    # Prefect has no block for SMTP; this one hands every address on to Apprise.
    block = SlackWebhook(url=address).save(BLOCK, overwrite=True, _sync=True)
    with get_client(sync_client=True) as client:
        for automation in _automations(block):
            if not client.read_automations_by_name(automation.name):
                client.create_automation(automation)


def tell_of_draft(workspace: Workspace, config: RunConfig, draft: Artifact | None) -> None:
    """Tell whoever watches of a new draft, and the server which checks of its attribution card failed, if any."""
    if draft is None or draft.found or config.rewards is None:
        return
    telemetry.tell_draft(draft)
    period = config.rewards.period
    if failed := failed_checks(workspace, period):
        resource = {"prefect.resource.id": f"{PERIOD}{period}", "prefect.resource.name": f"period {period}"}
        emit_event(CHECK_FAILED, resource, payload={"checks": failed})


def _automations(block: UUID) -> list[AutomationCore]:
    return [
        _automation(
            "tribute: tell of a run that failed or crashed",
            _of_runs("Failed", "Crashed"),
            SendNotification(
                block_document_id=block,
                subject=f"{RUN}: {{{{ flow_run.state.name }}}}",
                body="{{ flow_run.state.message }}\n{{ flow_run|ui_url }}",
            ),
        ),
        _automation(
            "tribute: tell of a period that waits for approval",
            _of_runs("Suspended"),
            SendNotification(
                block_document_id=block,
                subject=f"{RUN} waits for a person",
                body="Resume it at {{ flow_run|ui_url }}",
            ),
        ),
        _automation(
            "tribute: tell of failed checks of an attribution card",
            EventTrigger(match={"prefect.resource.id": f"{PERIOD}*"}, expect={CHECK_FAILED}, **ONCE),
            SendNotification(
                block_document_id=block,
                subject="{{ event.resource['prefect.resource.name'] }}: checks of the attribution card failed",
                body="{{ event.payload.checks|join('\n') }}",
            ),
        ),
    ]


def _of_runs(*states: str) -> EventTrigger:
    return EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related=TAGGED,
        expect={f"prefect.flow-run.{state}" for state in states},
        **ONCE,
    )


def _automation(name: str, trigger: EventTrigger, action: SendNotification) -> AutomationCore:
    return AutomationCore(name=name, description=f"To the address in {ADDRESS}.", trigger=trigger, actions=[action])
