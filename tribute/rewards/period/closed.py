"""What closed periods and the registry say to the next one: seals, policies, manifests, and who may close."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tribute.artifacts import Artifact, read_artifact
from tribute.contributions.registry import Registry, public_keys
from tribute.rewards.policy.policy import Policy, recorded_policy
from tribute.workspace import Workspace


def terms_of(rewards: Path, closed: Iterable[str]) -> dict[str, Policy]:
    """Closed period → the policy that it was paid by."""
    return {period: policy_of(read_artifact(rewards / period)) for period in closed}


def policy_of(period: Artifact) -> Policy:
    """The policy that a period was paid by, open or closed."""
    return recorded_policy(period.identity["config"]["policy"])


def previous_id(rewards: Path, closed: Sequence[str]) -> str:
    """The id of the last closed period's manifest; empty before the first."""
    return read_artifact(rewards / closed[-1]).id if closed else ""


def keys_of(workspace: Workspace, name: str) -> list[str]:
    """Somebody's public keys in the registry, first to latest; none where none was registered."""
    return public_keys(Registry.open(workspace).snapshot().tree, name)


def closers_of(workspace: Workspace, policy: Policy) -> dict[str, str]:
    """Who may close → the latest public key in the registry; who has none yet is left out."""
    if not policy.closers or not (workspace.registry / ".git").exists():
        return {}
    tree = Registry.open(workspace).snapshot().tree
    keys = {id_: public_keys(tree, id_) for id_ in sorted(policy.closers)}
    return {id_: known[-1] for id_, known in keys.items() if known}
