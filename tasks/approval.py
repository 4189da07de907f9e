"""Where a flow waits for a person."""

from typing import Any

from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from tribute.config import RunConfig
from tribute.digests import canonical_digest
from tribute.pipeline.launch.parameters import draft_terms, rewards_of
from tribute.workspace import Workspace

DAYS = 14


class Approval(RunInput):
    """What a person enters in the web page to let the run go on."""

    approved_by: str
    why: str = ""


def wait_for_approval(workspace: str, config: RunConfig, attribution: str, page: str) -> None:
    """Suspend the run until a person resumes it in the web page; the worker is free meanwhile.

    `page` is the artifact that shows the shares. A run that nobody resumes within 14 days fails. A resumed run starts
    anew, so the approval holds for just what was shown: where config, policy, usage or shares have changed since, it
    asks again.
    """
    rewards, terms = rewards_of(config), draft_terms(Workspace.open_at(workspace), config, attribution)
    lines = [
        f"Draft period **{rewards.period}**: pay {rewards.total} by the shares in the artifact `{page}`.",
        *(f"- {name} `{digest}`" for name, digest in terms.items()),
    ]
    form: Any = Approval.with_initial_data(description="\n".join(lines))
    # A run that crashed after its approval asks again, too: Prefect takes no second answer under one key.
    key = f"approval-{canonical_digest(terms)[:16]}-{flow_run.run_count}"
    approval = suspend_flow_run(wait_for_input=form, timeout=DAYS * 24 * 3600, key=key)
    get_run_logger().info("%s approved the draft of %s: %s", approval.approved_by, rewards.period, approval.why)
