"""The commands behind the command line, each returning data and how to show it.

Each is imported when it is asked for: a command that only reads the registry must not wait for pandas and torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tribute.commands.checks import config_check, config_schema, inspect, verify
    from tribute.commands.explaining import explain
    from tribute.commands.lineage import trace
    from tribute.commands.people import (
        key_new,
        key_rotate,
        organisation,
        vault_forget,
        vault_set,
        vault_show,
    )
    from tribute.commands.registry import Offer, contribute, fetch, init, release, versions
    from tribute.commands.sharing import clone, import_dated, sync
    from tribute.commands.stages import attribute, demo, finetune, reward, run
    from tribute.commands.steward import card, decide, diff, policy, retrain, review, show, withdraw

__all__ = [
    "Offer",
    "attribute",
    "card",
    "clone",
    "config_check",
    "config_schema",
    "contribute",
    "decide",
    "demo",
    "diff",
    "explain",
    "fetch",
    "finetune",
    "import_dated",
    "init",
    "inspect",
    "key_new",
    "key_rotate",
    "organisation",
    "policy",
    "release",
    "retrain",
    "review",
    "reward",
    "run",
    "show",
    "sync",
    "trace",
    "vault_forget",
    "vault_set",
    "vault_show",
    "verify",
    "versions",
    "withdraw",
]

HOMES = {
    "checks": (
        "config_check",
        "config_schema",
        "inspect",
        "verify",
    ),
    "explaining": ("explain",),
    "lineage": ("trace",),
    "people": (
        "key_new",
        "key_rotate",
        "organisation",
        "vault_forget",
        "vault_set",
        "vault_show",
    ),
    "registry": (
        "Offer",
        "contribute",
        "fetch",
        "init",
        "release",
        "versions",
    ),
    "sharing": (
        "clone",
        "import_dated",
        "sync",
    ),
    "stages": (
        "attribute",
        "demo",
        "finetune",
        "reward",
        "run",
    ),
    "steward": (
        "card",
        "decide",
        "diff",
        "policy",
        "retrain",
        "review",
        "show",
        "withdraw",
    ),
}


def __getattr__(name: str) -> Any:
    for module, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
