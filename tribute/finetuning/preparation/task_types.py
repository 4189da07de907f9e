"""What a dataset's task changes: how rows are encoded, which model is built, what it predicts. One class per task.

A new task is a class here and its name in TASK_TYPES. Two other places define its rows: COLUMNS in
contributions/schema.py, the columns that contributors write, and `Row` in contributions/rows.py, what is kept of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import torch

from tribute.artifacts import Artifact
from tribute.config import FinetuningConfig
from tribute.contributions.dataset import read_description
from tribute.errors import ConfigError, TrainingError
from tribute.finetuning.encoding.encoding import (
    EncodedRows,
    RowFormat,
    encode_causal,
    encode_classification,
    encode_prompt,
)
from tribute.finetuning.evaluation import baselines, evaluate, respond
from tribute.finetuning.models.base_models import load_tokenizer
from tribute.finetuning.models.row_models import RowModel, build_causal, build_classifier


class TaskType(ABC):
    """The task of one dataset version."""

    peft_name: ClassVar[str]
    """What PEFT calls it in `adapter_config.json`."""
    reads_ahead: ClassVar[bool]
    """Whether the model may see a row's later tokens: a label is of the whole text, a response grows token by token."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.tag = description["tag"]
        self.labels: Sequence[str] = description["labels"] if self.reads_ahead else ()
        self.has_conversations = description.get("rows") == "messages"

    @abstractmethod
    def check_training_rows(self, frame: pd.DataFrame) -> None:
        """Raises TrainingError where nothing could be learned from these rows of train.parquet."""

    @abstractmethod
    def encode(self, frame: pd.DataFrame, tokenizer: Any, config: FinetuningConfig) -> EncodedRows:
        """Rows of train.parquet or evaluation.parquet as the model sees them. Raises TrainingError naming a row."""

    @abstractmethod
    def build(self, base: Path, precision: str) -> RowModel:
        """The base model in `finetuning.precision` with the task's head, before any adapter."""

    @abstractmethod
    def baselines(self, model: RowModel, train: EncodedRows, evaluation: EncodedRows) -> dict[str, Any]:
        """What simple methods reach, by name; `model` is the base before any fine-tuning."""

    @abstractmethod
    def check_answer(self, response: str | None, label: str | None) -> str | None:
        """The answer to explain as the user gave it, or None for the one that the model predicts.

        Raises ConfigError where the task knows no such answer.
        """

    @abstractmethod
    def answers(
        self, model: RowModel, texts: Sequence[str], tokenizer: Any, config: FinetuningConfig, max_new_tokens: int = 64
    ) -> pd.DataFrame:
        """The model's answer to each text in the first column: `label` with its `probability`, or `response`.

        Raises TrainingError for a prompt that leaves the base no room to answer.
        """

    @abstractmethod
    def predict(self, model: RowModel, text: str, tokenizer: Any, max_tokens: int) -> str | None:
        """The model's answer to `text`; None where answers are too many to name the most probable."""


class SequenceClassification(TaskType):
    """A text and one of the labels."""

    peft_name = "FEATURE_EXTRACTION"
    reads_ahead = True

    def check_training_rows(self, frame: pd.DataFrame) -> None:
        """See TaskType: two labels at least."""
        if frame["target"].nunique() == 1:
            raise TrainingError(
                f"{self.tag}: all training rows have one label; contribute rows with another to tell it from"
            )

    def encode(self, frame: pd.DataFrame, tokenizer: Any, config: FinetuningConfig) -> EncodedRows:
        """See TaskType; the target is the label's position."""
        return encode_classification(frame, tokenizer, self.labels, config.max_tokens)

    def build(self, base: Path, precision: str) -> RowModel:
        """See TaskType; the head is made of the labels' own embeddings."""
        return build_classifier(base, load_tokenizer(base), self.labels, precision)

    def baselines(self, model: RowModel, train: EncodedRows, evaluation: EncodedRows) -> dict[str, Any]:
        """See TaskType: zero-shot, a linear probe and the most frequent label."""
        return baselines(model, train, evaluation)

    def check_answer(self, response: str | None, label: str | None) -> str | None:
        """See TaskType."""
        if response is not None:
            raise ConfigError(f"{self.tag} teaches labels: give --label, or neither for the label that is predicted")
        if label is not None and label not in self.labels:
            raise ConfigError(f"{self.tag} has no label {label!r}; known are {', '.join(self.labels)}")
        return label

    def answers(
        self, model: RowModel, texts: Sequence[str], tokenizer: Any, config: FinetuningConfig, max_new_tokens: int = 64
    ) -> pd.DataFrame:
        """See TaskType."""
        labels = [self._most_probable(model, text, tokenizer, config.max_tokens) for text in texts]
        return pd.DataFrame(labels, columns=["label", "probability"])

    def predict(self, model: RowModel, text: str, tokenizer: Any, max_tokens: int) -> str | None:
        """See TaskType."""
        return self._most_probable(model, text, tokenizer, max_tokens)[0]

    def _most_probable(self, model: RowModel, text: str, tokenizer: Any, max_tokens: int) -> tuple[str, float]:
        frame = pd.DataFrame([{"row_id": "answer", "slice": "answer", "text": text, "target": self.labels[0]}])
        batch = encode_classification(frame, tokenizer, self.labels, max_tokens).collate([0])
        with torch.no_grad():
            probabilities = model.log_probabilities(batch)[0].exp()
        return self.labels[int(probabilities.argmax())], float(probabilities.max())


class CausalLm(TaskType):
    """A prompt and a response, or a conversation."""

    peft_name = "CAUSAL_LM"
    reads_ahead = False

    def check_training_rows(self, frame: pd.DataFrame) -> None:
        """See TaskType: any response can be learned."""

    def encode(self, frame: pd.DataFrame, tokenizer: Any, config: FinetuningConfig) -> EncodedRows:
        """See TaskType; only the response's tokens, or the assistant's, are labelled."""
        return encode_causal(frame, tokenizer, RowFormat(config.max_tokens, self.has_conversations, config.template))

    def build(self, base: Path, precision: str) -> RowModel:
        """See TaskType."""
        return build_causal(base, precision)

    def baselines(self, model: RowModel, train: EncodedRows, evaluation: EncodedRows) -> dict[str, Any]:
        """See TaskType: zero-shot alone."""
        return {"zero_shot": evaluate(model, evaluation).summary()}

    def check_answer(self, response: str | None, label: str | None) -> str | None:
        """See TaskType."""
        if label is not None or not (response or "").strip():
            raise ConfigError(f"{self.tag} teaches responses: give the one to explain with --response, and no --label")
        return response

    def answers(
        self, model: RowModel, texts: Sequence[str], tokenizer: Any, config: FinetuningConfig, max_new_tokens: int = 64
    ) -> pd.DataFrame:
        """See TaskType: the most probable tokens, one after the other."""
        format_ = RowFormat(config.max_tokens, self.has_conversations, config.template)
        prompts = [encode_prompt(text, tokenizer, format_) for text in texts]
        return pd.DataFrame({"response": [respond(model, ids, tokenizer, max_new_tokens) for ids in prompts]})

    def predict(self, model: RowModel, text: str, tokenizer: Any, max_tokens: int) -> str | None:
        """See TaskType."""
        return None


TASK_TYPES: Mapping[str, type[TaskType]] = {
    "sequence-classification": SequenceClassification,
    "causal-lm": CausalLm,
}


def task_type(dataset: Artifact) -> TaskType:
    """The task of a dataset version."""
    return described_task(read_description(dataset))


def described_task(description: Mapping[str, Any]) -> TaskType:
    """The task by a dataset's description (`dataset.json`)."""
    return TASK_TYPES[description["task"]](description)
