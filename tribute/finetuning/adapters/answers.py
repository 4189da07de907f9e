"""What base and adapter answer: to the config's prompts, and to evaluation rows where the config names metrics.

`generations.json`: `prompt`, `before` and `after`, lists. `metrics.json`: `rows` answered, and `metrics`, name →
`before` and `after`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tribute.artifacts import Artifact
from tribute.config import FinetuningConfig
from tribute.contributions.dataset import read_rows
from tribute.files import write_json
from tribute.finetuning.adapters.adapter_folder import GENERATIONS, METRICS
from tribute.finetuning.adapters.task_metrics import score
from tribute.finetuning.encoding.encoding import IGNORED
from tribute.finetuning.evaluation import respond
from tribute.finetuning.models.base_models import base_folder, load_tokenizer
from tribute.finetuning.models.lora import load_adapter
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.preparation.preparation import Prepared
from tribute.finetuning.preparation.task_types import task_type

NEW_TOKENS = 64
"""The most that an answer has."""


def write_answers(dataset: Artifact, config: FinetuningConfig, ready: Prepared, folder: Path) -> None:
    """Write the files that the config asks for beside the adapter in `folder`. Raises TrainingError."""
    if not config.prompts and not config.metrics:
        return
    model, task, tokenizer = ready.model, task_type(dataset), load_tokenizer(base_folder(config.base))
    if ready.train.hidden is not None:
        # Of the trained model only the upper layers are left.
        model = task.build(base_folder(config.base), config.precision)
        load_adapter(model, folder)
    model.eval()

    def texts(asked: Sequence[str]) -> list[str]:
        return list(task.answers(model, asked, tokenizer, config, NEW_TOKENS).iloc[:, 0])

    if config.prompts:
        before, after = _twice(model, lambda: texts(config.prompts))
        write_json(folder / GENERATIONS, {"prompt": list(config.prompts), "before": before, "after": after})
    if config.metrics:
        chosen = _spread(len(ready.evaluation), config.metric_rows)
        rows = ready.evaluation.take(chosen)
        frame = read_rows(dataset, "evaluation").iloc[chosen]

        def answers() -> list[str]:
            if task.reads_ahead:
                return texts(list(frame["text"]))
            asked = zip(rows.tokens, rows.targets, strict=True)
            return [respond(model, _prompt(*row), tokenizer, NEW_TOKENS) for row in asked]

        before, after = _twice(model, answers)
        write_json(folder / METRICS, score(config.metrics, frame, {"before": before, "after": after}))


def _twice(model: RowModel, answer: Callable[[], list[str]]) -> tuple[list[str], list[str]]:
    """Answers of the base and with the adapter."""
    network: Any = model.network
    with network.disable_adapter():
        before = answer()
    return before, answer()


def _spread(count: int, most: int) -> list[int]:
    """At most so many of `count` rows, evenly over all of them."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(most, count)).round()})


def _prompt(tokens: Sequence[int], labels: Sequence[int]) -> list[int]:
    """The ids before the last answer."""
    return list(tokens[: 1 + max(place for place, label in enumerate(labels) if label == IGNORED)])
