"""What a task of a run takes of the machine that a cluster finds for it."""

from typing import NamedTuple

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.finetuning.models.base_models import text_folder
from tribute.pipeline.planning.costs import plan_run
from tribute.pipeline.planning.machines import GPUS, Machine
from tribute.pipeline.planning.rows import planned_rows
from tribute.pipeline.planning.shape import shape_of


class Resources(NamedTuple):
    """Of one task: processors, GPUs, and bytes of the machine's memory."""

    cpus: int
    gpus: int
    memory: int


def needed(config: RunConfig, dataset: Artifact) -> Resources:
    """The most that any stage of the run takes, by its plan; the processes of a training each take as much.

    `finetuning.device: auto` asks for no GPU: it takes one where there is one.
    """
    tuning = config.finetuning
    base = text_folder(tuning.base)
    rows = planned_rows(config, dataset, base)
    # How fast it is makes no difference to memory; whether device and host have one together does.
    machine = next(iter(GPUS.values())) if tuning.device == "cuda" else Machine("processor", 1e9)
    stages = plan_run(config, rows, shape_of(base, tuning, rows.task), machine).stages
    most = max(stage.host + (0.0 if machine.is_gpu else stage.device) for stage in stages)
    return Resources(tuning.processes, tuning.processes if machine.is_gpu else 0, int(most) * tuning.processes)
