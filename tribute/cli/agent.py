"""Agents: programs that ask models for payers, and keep a margin. Works also while a server runs."""

from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, StoreUrl, WorkspaceFolder
from tribute.cli._output import Output

if TYPE_CHECKING:
    from tribute.services.accounts import Agent

AgentId = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")]


class RegisteredAgent(TypedDict):
    agent: str
    agent_owner: str
    allowed_models: list[str] | None
    margin_millionths: int


@command
def add(
    agent: AgentId,
    owner: Annotated[str, typer.Option(metavar="PAYER", help="The payer who owns the agent.")],
    margin: Annotated[
        str, typer.Option(metavar="SHARE", help="What it keeps of what the calls within its own cost, such as 0.05.")
    ] = "0",
    model: Annotated[
        list[str] | None, typer.Option(metavar="MODEL", help="A model that it may call; by default all. Repeatable.")
    ] = None,
    store: StoreUrl = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[RegisteredAgent]:
    """Register an agent; payers then make keys for it."""
    from tribute.server.setup.administration import administration, parse_margin
    from tribute.services.accounts import Agent

    registered = Agent(agent, owner, tuple(model) if model else None, parse_margin(margin))
    with administration(workspace, store) as admin:
        admin.accounts.add_agent(registered)
    return _shown(registered)


@command
def show(agent: AgentId, store: StoreUrl = None, workspace: WorkspaceFolder = HERE) -> Output[RegisteredAgent]:
    """Show an agent's owner, models and margin."""
    from tribute.server.setup.administration import administration

    with administration(workspace, store) as admin:
        return _shown(admin.accounts.agent(agent))


def _shown(agent: "Agent") -> Output[RegisteredAgent]:
    from tribute.micro import exact_micro

    data: RegisteredAgent = {
        "agent": agent.id,
        "agent_owner": agent.owner,
        "allowed_models": None if agent.models is None else list(agent.models),
        "margin_millionths": agent.margin,
    }
    models = "all models" if agent.models is None else ", ".join(agent.models)
    return Output(data, [f"{agent.id}: owned by {agent.owner}, calls {models}, margin {exact_micro(agent.margin)}"])
