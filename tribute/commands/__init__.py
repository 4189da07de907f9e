"""The commands behind the command line, each returning data and how to show it."""

from tribute.commands.checks import config_check, config_schema, inspect, verify
from tribute.commands.lineage import trace
from tribute.commands.registry import Offer, contribute, fetch, init, release, versions
from tribute.commands.stages import attribute, demo, finetune, reward, run

__all__ = [
    "Offer",
    "attribute",
    "config_check",
    "config_schema",
    "contribute",
    "demo",
    "fetch",
    "finetune",
    "init",
    "inspect",
    "release",
    "reward",
    "run",
    "trace",
    "verify",
    "versions",
]
