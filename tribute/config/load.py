"""A config file read and checked, with its overrides; its paths made absolute."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tribute.config.dataset import FolderSource
from tribute.config.run import RunConfig
from tribute.settings import apply_override, read_yaml, validate


def load_config(path: Path, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a run config and apply `a.b=c` overrides; relative paths start at the file's folder.

    Raises ConfigError listing every fault at once.
    """
    data = read_yaml(path)
    for override in overrides:
        apply_override(data, override)
    config = validate(RunConfig, data, path)
    return _absolute_paths(config, path.resolve().parent)


def _absolute_paths(config: RunConfig, folder: Path) -> RunConfig:
    rewards, update = config.rewards, dict[str, Any]()
    if rewards is not None:
        usage = None if rewards.usage is None else folder / rewards.usage
        update["rewards"] = rewards.model_copy(update={"policy": folder / rewards.policy, "usage": usage})
    source, base = config.dataset.source, config.finetuning.base
    if isinstance(source, FolderSource):
        moved = source.model_copy(update={"folder": folder / source.folder})
        update["dataset"] = config.dataset.model_copy(update={"source": moved})
    if base.folder is not None:
        moved_base = base.model_copy(update={"folder": folder / base.folder})
        update["finetuning"] = config.finetuning.model_copy(update={"base": moved_base})
    return config.model_copy(update=update)
