"""The commands behind the command line, each returning data and how to show it."""

from tribute.commands.checks import config_check, config_schema, inspect, verify
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
