"""A workspace's classifier without a server, and under MLflow's."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tribute.contributions.dataset import read_rows
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.base_models import base_folder, load_tokenizer
from tribute.finetuning.preparation.task_types import described_task
from tribute.pipeline.runs.runs import all_runs
from tribute.server.setup.models import read_candidate
from tribute.workspace import Workspace

BATCH = 64
"""Texts that a batch has at most, as in Tribute's own engine."""


class BareClassifier:
    """Base, adapter and head of a workspace's first run."""

    def __init__(self, root: Path) -> None:
        import peft

        workspace = Workspace.open(root)
        candidate = read_candidate(workspace, all_runs(workspace)[0])
        folder, task = base_folder(candidate.config.finetuning.base), described_task(candidate.description)
        self.labels, self.tokenizer = list(task.labels), load_tokenizer(folder)
        self.model: Any = task.build(folder, candidate.config.finetuning.precision)
        self.model.network = peft.PeftModel.from_pretrained(self.model.network, candidate.adapter.path)
        self.model.eval()
        self.context = candidate.config.finetuning.max_tokens
        self.evaluation = read_rows(candidate.dataset, "evaluation")
        self.recorded = candidate.adapter.json("evaluation.json")

    def predict(self, texts: Sequence[str]) -> list[list[float]]:
        """Probabilities of the labels for up to BATCH texts; texts of similar length are computed together."""
        tokens = self.tokenizer(list(texts), truncation=True, max_length=self.context)["input_ids"]
        nothing = [""] * len(tokens)
        rows = EncodedRows(nothing, nothing, tokens, [0] * len(tokens), self.tokenizer.pad_token_id)
        answers: list[list[float]] = [[]] * len(tokens)
        with torch.inference_mode():
            for chunk in rows.chunks(range(len(rows))):
                for index, chances in zip(chunk, self.model.log_probabilities(rows.collate(chunk)).exp(), strict=True):
                    answers[index] = chances.tolist()
        return answers


def loop(root: Path, seconds: float = 10.0) -> float:
    """Texts a second of a loop over batches of the evaluation's texts."""
    bare = BareClassifier(root)
    texts = list(bare.evaluation["text"])
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    bare.predict(batches[0])
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        for batch in batches:
            count += len(bare.predict(batch))
    return count / (time.perf_counter() - start)


def save_mlflow(root: Path, folder: Path) -> None:
    """Save it as MLflow's pyfunc."""
    import mlflow

    class Model(mlflow.pyfunc.PythonModel):
        """Loads the model where it is served."""

        def load_context(self, context: Any) -> None:
            """Load the model."""
            from lib.bare_classifier import BareClassifier

            self.bare = BareClassifier(root)

        def predict(self, context: Any, model_input: list[str], params: Any = None) -> list[list[float]]:
            """Answer the texts."""
            return self.bare.predict(model_input)

    mlflow.pyfunc.save_model(folder, python_model=Model(), pip_requirements=[])


def main() -> None:
    """`loop WORKSPACE` prints texts a second; `litserve WORKSPACE PORT` serves, `mlflow WORKSPACE FOLDER` saves."""
    what, workspace, *rest = sys.argv[1:]
    torch.set_num_threads(1)
    if what == "loop":
        print(loop(Path(workspace)))
    elif what == "litserve":
        from lib.litserve_api import serve

        serve(Path(workspace), int(rest[0]))
    else:
        save_mlflow(Path(workspace), Path(rest[0]))
