"""What Ray keeps free on a node for a task: as many processors and GPUs and as much memory as the run's plan says."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from tribute.config import RunConfig
from tribute.errors import ConfigError
from tribute.workspace import Workspace


def remote_options_of(parameters: Mapping[str, Any]) -> dict[str, float]:
    """By a task's parameters; of one that knows no dataset yet Ray's own default, one processor."""
    if not {"workspace", "config", "dataset"} <= parameters.keys():
        return {}
    return _planned(parameters["workspace"], parameters["config"].model_dump_json(), parameters["dataset"])


def refuse_nodes(nodes: Sequence[Mapping[str, float]], wanted: Mapping[str, float]) -> None:
    """Raise ConfigError where no node ever has room for a task: Ray would wait for one that has."""
    names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
    if not any(all(node.get(names[name], 0.0) >= count for name, count in wanted.items()) for node in nodes):
        most = {name: max((node.get(names[name], 0.0) for node in nodes), default=0.0) for name in wanted}
        raise ConfigError(
            f"a task takes {_in_words(wanted)} by the plan, and no node of the Ray cluster has that (at most "
            f"{_in_words(most)}); add such a node, or lower finetuning.tokens_at_once or finetuning.processes"
        )


def _in_words(resources: Mapping[str, float]) -> str:
    gigabytes = resources.get("memory", 0.0) / 1e9
    cpus, gpus = resources.get("num_cpus", 1), resources.get("num_gpus", 0)
    return f"{cpus:.0f} CPUs, {gpus:.0f} GPUs and {gigabytes:.1f} GB"


@cache
def _planned(workspace: str, config: str, dataset: str) -> dict[str, float]:
    from tribute.pipeline.planning.resources import needed

    run = RunConfig.model_validate_json(config)
    cpus, gpus, memory = needed(run, Workspace.open_at(workspace).store.get("dataset", dataset))
    return {"num_cpus": cpus, "num_gpus": gpus, "memory": memory}
