"""The commands behind the command line, each returning data and how to show it."""

from tribute.commands.checks import config_check, config_schema, inspect, verify
from tribute.commands.explain import explain
from tribute.commands.lineage import trace
from tribute.commands.registry import contribute, fetch, init, release, versions
from tribute.commands.stages import attribute, demo, finetune, reward, run

__all__ = [
    "attribute",
    "config_check",
    "config_schema",
    "contribute",
    "demo",
    "explain",
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
