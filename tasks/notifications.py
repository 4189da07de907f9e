"""Tells people what failed and what waits for them, at the address that TRIBUTE_NOTIFY holds at set-up."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from prefect.blocks.notifications import SlackWebhook
from prefect.events import emit_event
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from tasks.setup import TAGGED, create_missing
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
SENT = UUID("0b0f5a52-0f0c-5c0c-9a39-6b7d1f0f2d55")
"""Of the ids of events, which a draft's id gives."""
RUN = "{{ flow_run.name }} ({{ flow.name }})"


def create_notifications() -> None:
    """Store the address and create the automations that use it, where an address is set."""
    address = address_of_messages()
    if not address:
        return
    # Prefect has no block for SMTP; this one hands every address on to Apprise.
    block = SlackWebhook(url=address).save(BLOCK, overwrite=True, _sync=True)
    create_missing(_automations(block))


def tell_of_draft(workspace: Workspace, config: RunConfig, draft: Artifact | None) -> None:
    """Tell whoever watches of a draft, once, and the server which checks of its attribution card failed, if any."""
    if draft is None or config.rewards is None:
        return
    # A note, for a process that died after it had drafted and before it told: the draft is found then.
    told = workspace.scratch / "told" / draft.id
    if told.exists():
        return
    telemetry.tell_draft(draft)
    period = config.rewards.period
    if failed := failed_checks(workspace, period):
        resource = {"prefect.resource.id": f"{PERIOD}{period}", "prefect.resource.name": f"period {period}"}
        # By this id the server knows an event that it is sent twice within minutes.
        emit_event(CHECK_FAILED, resource, payload={"checks": failed}, id=uuid5(SENT, draft.id))
    told.parent.mkdir(parents=True, exist_ok=True)
    told.touch()


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
