"""A GPU whose memory was full, beside what the plan says that the stage takes."""

from collections.abc import Iterator
from contextlib import contextmanager

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.errors import DeviceMemoryError, TributeError


@contextmanager
def compared_with_plan(config: RunConfig, dataset: Artifact) -> Iterator[None]:
    """Add to a DeviceMemoryError what `tribute plan` says of the run's stages."""
    try:
        yield
    except DeviceMemoryError as error:
        raise DeviceMemoryError(f"{error}; {_planned(config, dataset)}") from error


def _planned(config: RunConfig, dataset: Artifact) -> str:
    # They import torch, which a run that finds everything need not wait for.
    from tribute.finetuning.models.base_models import text_folder
    from tribute.pipeline.planning.costs import plan_run
    from tribute.pipeline.planning.machines import GB, GPUS
    from tribute.pipeline.planning.rows import planned_rows
    from tribute.pipeline.planning.shape import shape_of

    at_once = config.execution.processes
    others = f", and {at_once} processes may run at once (execution.processes)" if at_once > 1 else ""
    try:
        base = text_folder(config.finetuning.base)
        rows = planned_rows(config, dataset, base)
        shape = shape_of(base, config.finetuning, rows.task)
        # Which GPU it is makes no difference to what a stage takes of its memory.
        plan = plan_run(config, rows, shape, next(iter(GPUS.values())))
    except TributeError:
        return f"`tribute plan` says what a process takes{others}"
    stages = ", ".join(f"{stage.stage} {stage.device / GB:.1f} GB" for stage in plan.stages)
    return f"`tribute plan` says that a process takes: {stages}{others}"
