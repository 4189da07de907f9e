"""The commands behind the command line, each returning data and how to show it.

Each is imported when it is asked for: a command that only reads the registry must not wait for pandas and torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tribute.commands.checks import config_check, config_schema, inspect, verify
    from tribute.commands.disputes import (
        dispute_appeal,
        dispute_decide,
        dispute_evidence,
        dispute_open,
        dispute_recheck,
        dispute_show,
        policy_diff,
        policy_simulate,
        statement,
    )
    from tribute.commands.explaining import explain
    from tribute.commands.finance import pay_books, pay_file, pay_reconcile
    from tribute.commands.lineage import trace
    from tribute.commands.people import key_new, key_rotate, organisation, vault_forget, vault_set, vault_show
    from tribute.commands.periods import (
        cause,
        period_claw_back,
        period_close,
        period_correct,
        period_open,
        period_release,
        period_reverse,
        period_status,
        policy_check,
        policy_publish,
    )
    from tribute.commands.registry import Offer, contribute, fetch, init, release, versions
    from tribute.commands.sharing import clone, import_dated, sync
    from tribute.commands.stages import attribute, demo, finetune, reward, run, simulate_year
    from tribute.commands.steward import card, decide, diff, retrain, review, screening, show, withdraw

__all__ = [
    "Offer",
    "attribute",
    "card",
    "cause",
    "clone",
    "config_check",
    "config_schema",
    "contribute",
    "decide",
    "demo",
    "diff",
    "dispute_appeal",
    "dispute_decide",
    "dispute_evidence",
    "dispute_open",
    "dispute_recheck",
    "dispute_show",
    "explain",
    "fetch",
    "finetune",
    "import_dated",
    "init",
    "inspect",
    "key_new",
    "key_rotate",
    "organisation",
    "pay_books",
    "pay_file",
    "pay_reconcile",
    "period_claw_back",
    "period_close",
    "period_correct",
    "period_open",
    "period_release",
    "period_reverse",
    "period_status",
    "policy_check",
    "policy_diff",
    "policy_publish",
    "policy_simulate",
    "release",
    "retrain",
    "review",
    "reward",
    "run",
    "screening",
    "show",
    "simulate_year",
    "statement",
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
    "disputes": (
        "dispute_appeal",
        "dispute_decide",
        "dispute_evidence",
        "dispute_open",
        "dispute_recheck",
        "dispute_show",
        "policy_diff",
        "policy_simulate",
        "statement",
    ),
    "explaining": ("explain",),
    "finance": ("pay_books", "pay_file", "pay_reconcile"),
    "lineage": ("trace",),
    "people": (
        "key_new",
        "key_rotate",
        "organisation",
        "vault_forget",
        "vault_set",
        "vault_show",
    ),
    "periods": (
        "cause",
        "period_claw_back",
        "period_close",
        "period_correct",
        "period_open",
        "period_release",
        "period_reverse",
        "period_status",
        "policy_check",
        "policy_publish",
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
        "simulate_year",
    ),
    "steward": (
        "card",
        "decide",
        "diff",
        "retrain",
        "review",
        "screening",
        "show",
        "withdraw",
    ),
}


def __getattr__(name: str) -> Any:
    for module, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
