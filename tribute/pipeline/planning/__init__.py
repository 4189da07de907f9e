"""What a run will take, before anything runs: tokens, FLOP, hours, memory and disk of every stage."""

from tribute.pipeline.planning.costs import Plan, StageCost, plan_run
from tribute.pipeline.planning.full_memory import compared_with_plan
from tribute.pipeline.planning.machines import GPUS, Machine, machine
from tribute.pipeline.planning.rows import PlannedRows, planned_rows
from tribute.pipeline.planning.shape import Shape, shape_of

__all__ = [
    "GPUS",
    "Machine",
    "Plan",
    "PlannedRows",
    "Shape",
    "StageCost",
    "compared_with_plan",
    "machine",
    "plan_run",
    "planned_rows",
    "shape_of",
]
