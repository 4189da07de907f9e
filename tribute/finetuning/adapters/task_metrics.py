"""Metrics of a task by plug-in: functions that a config names, given prompts, answers and references.

A metric is `metric(prompts, answers, references) -> float`, lists of equally many texts. `finetuning.metrics` names it
as `package.module:function`, or by an entry point of the group `tribute.metrics`.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from tribute.config import FinetuningConfig
from tribute.digests import file_sha256
from tribute.errors import ConfigError, TrainingError

GROUP = "tribute.metrics"
Metric = Callable[[list[str], list[str], list[str]], float]


def load_metric(name: str) -> Metric:
    """The function behind a name of `finetuning.metrics`. Raises ConfigError where there is none."""
    known = {point.name: point.value for point in metadata.entry_points(group=GROUP)}
    module, _, function = known.get(name, name).partition(":")
    if not function:
        raise ConfigError(
            f"finetuning.metrics: {name!r} is no entry point of {GROUP} (known: {', '.join(sorted(known)) or 'none'}) "
            "and no package.module:function"
        )
    try:
        metric = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"finetuning.metrics: {name!r} cannot be imported ({error}); install its package, or put its folder on "
            "PYTHONPATH"
        ) from error
    if not callable(metric):
        raise ConfigError(f"finetuning.metrics: {name!r} is {type(metric).__name__}, expected a function")
    loaded: Metric = metric
    return loaded


def metric_digests(config: FinetuningConfig) -> dict[str, str]:
    """Name → sha256 of the file that defines the metric: another function gives another adapter folder."""
    files = {name: inspect.getsourcefile(inspect.unwrap(load_metric(name))) for name in config.metrics}
    return {name: file_sha256(Path(file)) if file else "" for name, file in files.items()}


def score(names: Sequence[str], frame: pd.DataFrame, answers: Mapping[str, list[str]]) -> dict[str, Any]:
    """`metrics.json`: how many rows were answered, and metric → what `answers` before and after come to.

    Raises TrainingError naming the metric that fails.
    """
    prompts, references = list(frame["text"]), list(frame["target"])
    return {
        "rows": len(frame),
        "metrics": {
            name: {when: _value(name, prompts, given, references) for when, given in answers.items()} for name in names
        },
    }


def _value(name: str, prompts: list[str], answers: list[str], references: list[str]) -> float:
    try:
        value = float(load_metric(name)(prompts, answers, references))
    except Exception as error:
        raise TrainingError(f"finetuning.metrics: {name} fails: {type(error).__name__}: {error}") from error
    if not isfinite(value):
        raise TrainingError(f"finetuning.metrics: {name} gives {value}, expected a finite number")
    return value
