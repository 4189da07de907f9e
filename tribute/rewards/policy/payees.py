"""Which contributors a period pays as one, where its policy nets by payee."""

from collections.abc import Collection

from tribute.contributions.registry import Registry
from tribute.contributions.rights import read_vault, same_payees
from tribute.rewards.policy.policy import Policy
from tribute.workspace import Workspace


def payees_of(workspace: Workspace, policy: Policy, contributors: Collection[str]) -> dict[str, str]:
    """Contributor → payee, of payees with several; nobody where the policy nets nothing.

    Read from the registry's organisations, and from the vault where there is one: RegistryError without its passphrase.
    The vault tells which names share an account, and nothing else of it goes further.
    """
    if policy.netting == "none":
        return {}
    tree = Registry.open(workspace).snapshot().tree if workspace.registry.exists() else {}
    return same_payees(tree, read_vault(workspace.vault), contributors)
