"""What flows end of what tasks began."""

from tribute.pipeline.stages.training import end_trainings

__all__ = ["end_trainings"]
