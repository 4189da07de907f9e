"""What a deployment's form gives, as a workspace and a checked config. Knows nothing of Prefect."""

import os
from datetime import datetime
from pathlib import Path

from tribute.config import DatasetConfig, RewardsConfig, RunConfig
from tribute.digests import canonical_digest, file_sha256
from tribute.errors import ConfigError, WorkspaceError
from tribute.ids import parse_tag
from tribute.months import checked_period, shifted
from tribute.pipeline.launch.preflight import checked_config, refuse_engine, refuse_training
from tribute.rewards.usage import SealedUsage
from tribute.settings import validate
from tribute.workspace import Workspace

LAST = "last"
"""The month before the run's scheduled start, as a period."""
VARIABLE = "TRIBUTE_WORKSPACE"


def workspace_of(folder: str, checkout: Path) -> Workspace:
    """The workspace of this folder, or of TRIBUTE_WORKSPACE where it is empty; relative to the checkout.

    Raises WorkspaceError where neither names one.
    """
    place = folder or os.environ.get(VARIABLE, "")
    if not place:
        raise WorkspaceError(
            f"no workspace: give the parameter `workspace`, or set {VARIABLE} where the worker was started"
        )
    return Workspace.open(checkout / place)


def config_of(config: RunConfig | None, file: str, checkout: Path, period: str = "", tag: str = "") -> RunConfig:
    """The config, or what the file holds where there is none.

    `period` is paid, and the dataset version `tag` learned from, in place of the config's own. A relative file starts
    at the checkout. Raises ConfigError for a version of another dataset, and what the config's reader raises.
    """
    if config is None:
        return _on_version(checked_config(checkout / file, [f"rewards.period={period}"] if period else []), tag)
    if not period:
        return _on_version(config, tag)
    rewards = validate(RewardsConfig, rewards_of(config).model_dump() | {"period": period}, Path("rewards"))
    return _on_version(config.model_copy(update={"rewards": rewards}), tag)


def _on_version(config: RunConfig, tag: str) -> RunConfig:
    if not tag:
        return config
    name, version = parse_tag(tag)
    if name != config.dataset.name:
        raise ConfigError(
            f"{tag} is no version of {config.dataset.name}, the dataset of the config of {config.run}; give that one's "
            "config_file"
        )
    # It is released, so it has no source to be taken from.
    return config.model_copy(update={"dataset": DatasetConfig(name=name, version=version)})


def rewards_of(config: RunConfig) -> RewardsConfig:
    """What a config pays. Raises ConfigError where it pays nobody."""
    if config.rewards is None:
        raise ConfigError(f"the config of {config.run} has no rewards, so there is nothing to pay; add the section")
    return config.rewards


def draft_terms(workspace: Workspace, config: RunConfig, attribution: str) -> dict[str, str]:
    """Name → id or digest of all that a draft follows from: run, policy, attribution and what was metered.

    Raises ConfigError for a month of usage that is not sealed, or a config that pays nobody.
    """
    rewards = rewards_of(config)
    terms = {"run": config.id, "policy": file_sha256(rewards.policy), "attribution": attribution}
    if not rewards.is_metered:
        return terms
    sealed = SealedUsage(workspace.usage / rewards.period, config.dataset.name)
    if not sealed.is_there:
        raise ConfigError(
            f"{sealed.folder}: no such sealed month; run the deployment `explain-usage`, or `tribute usage explain` "
            f"and `tribute usage seal {rewards.period}`"
        )
    return terms | {"usage": canonical_digest(sealed.record)}


def period_of(period: str, scheduled: datetime) -> str:
    """A month, YYYY-MM; `last` is the one before the scheduled start, empty stays empty. Raises RewardError."""
    if not period:
        return ""
    return shifted(f"{scheduled:%Y-%m}", -1) if period == LAST else checked_period(period)


def refuse(workspace: Workspace, config: RunConfig) -> None:
    """Raise what would stop the run after its first stages; see preflight."""
    refuse_engine(config.execution)
    refuse_training(workspace, config)


def refuse_repeated_crash(crashes: int, most: int) -> None:
    """Raise ConfigError where a run's process died so often: what ended it will end the next one."""
    if crashes >= most:
        raise ConfigError(
            f"this run's process ended without an answer {crashes} times, so it is not started again; look at the "
            "worker's memory and at its log, then start a new run, which finds what was made"
        )
