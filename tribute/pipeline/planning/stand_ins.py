"""The kind of stand-in that a plan has, and what it takes."""

from tribute.attribution.own_work import OwnWork, memory_work, probe_work
from tribute.finetuning.encoding.encoding import IGNORED, EncodedRows
from tribute.pipeline.planning.rows import PlannedRows
from tribute.pipeline.planning.shape import Shape


def stand_in_work(rows: PlannedRows, shape: Shape) -> OwnWork:
    """A memory for causal-lm, a probe for labels."""
    count, slices = len(rows.train), len(set(rows.evaluation.slices))
    if shape.vocabulary:
        return memory_work(count, _labelled(rows.evaluation), _labelled(rows.train), shape.width, slices)
    return probe_work(count, len(rows.evaluation), len(rows.task.labels), shape.width, slices)


def _labelled(rows: EncodedRows) -> int:
    return sum(label != IGNORED for labels in rows.targets for label in labels)
