"""Records contributions, releases them as a version, and writes the version's tables."""

from prefect import flow

from flows.runner import part_of_run
from tasks.contributions import materialise, take_in
from tasks.contributions import release as cut
from tasks.outcome import id_of
from tribute.config import BaseConfig, RunConfig


@part_of_run
@flow(name="contributions", flow_run_name="contributions of {config.dataset.tag}")
def contributions(workspace: str, config: RunConfig) -> str:
    """Returns the id of the dataset artifact: the version as the base may learn it."""
    base = config.finetuning.base
    tag = take_in(workspace, config.dataset, base)
    return id_of(materialise(workspace, tag, base))


@flow(name="release", flow_run_name="release {tag}")
def release(workspace: str, tag: str, base: BaseConfig | None = None) -> str:
    """Release what was contributed; returns the id of the dataset artifact."""
    version = cut(workspace, tag, base)
    return id_of(materialise(workspace, version, base))
