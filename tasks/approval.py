"""Where a flow waits for a person."""

from typing import Any

from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger

from tribute.config import RunConfig
from tribute.pipeline.launch.parameters import rewards_of

DAYS = 14


class Approval(RunInput):
    """What a person enters in the web page to let the run go on."""

    approved_by: str
    why: str = ""


def wait_for_approval(config: RunConfig) -> None:
    """Suspend the run until a person resumes it in the web page; the worker is free meanwhile.

    A run that nobody resumes within 14 days fails.
    """
    rewards = rewards_of(config)
    form: Any = Approval.with_initial_data(
        description=f"Draft period **{rewards.period}**: pay {rewards.total} by the shares in the artifact `period`."
    )
    approval = suspend_flow_run(wait_for_input=form, timeout=DAYS * 24 * 3600, key="approval")
    get_run_logger().info("%s approved the draft of %s: %s", approval.approved_by, rewards.period, approval.why)
