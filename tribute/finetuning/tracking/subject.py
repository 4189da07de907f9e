"""What a run of Tribute is for MLflow: its id, its data and its settings, as tags, parameters and metrics."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tribute.artifacts import Artifact
from tribute.config import FinetuningConfig
from tribute.contributions.dataset import read_description

LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps: a chat template may have more."""


@dataclass(frozen=True)
class Subject:
    """A run of Tribute."""

    run_id: str
    dataset: Artifact
    config: FinetuningConfig

    @property
    def experiment(self) -> str:
        """MLflow's experiment, called like the dataset."""
        return str(read_description(self.dataset)["name"])

    def tags(self) -> dict[str, str]:
        """The tags of the run and of each of its trainings."""
        description = read_description(self.dataset)
        return {
            "tribute.run_id": self.run_id,
            "tribute.dataset": str(description["tag"]),
            "tribute.ledger_head": str(description["ledger_head"]),
        }

    def params(self) -> dict[str, str]:
        """The settings of the training by dotted names, such as `lora.r`; MLflow cannot forget a parameter's text."""
        settings = self.config.model_dump(mode="json", exclude={"seeds", "timeout_minutes", "prompts"})
        return {name: str(value)[:LONGEST_PARAM] for name, value in flat(settings)}

    def input(self) -> Any:
        """The dataset as MLflow's input of a training; the digest is DVC's."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        description = read_description(self.dataset)
        source = json.dumps({"tag": description["tag"], "ledger_head": description["ledger_head"]})
        entity = Dataset(description["name"], description["dvc_md5"], "dvc", source)
        return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def flat(settings: Mapping[str, Any], prefix: str = "", separator: str = ".") -> Iterator[tuple[str, Any]]:
    """The leaves of a nested mapping, by their paths."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}{separator}", separator)
        else:
            yield f"{prefix}{name}", value


def _named(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the names that MLflow takes: slices are called as contributors call them."""
    return {
        re.sub(r"^\.+$|[^\w.\- :]", "_", name): _named(value) if isinstance(value, Mapping) else value
        for name, value in figures.items()
    }


def numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers among the leaves of a nested mapping, by names such as `card/leave_one_out/spearman`."""
    return {
        name: float(value)
        for name, value in flat(_named(figures), separator="/")
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
