"""The engine of this process: torch and PEFT, all adapters resident, rows of different adapters in one batch.

An adapter is loaded beside the others, measured on the sealed evaluation, compared with what its training recorded,
and only then made resident. One that fails leaves the engine as it was.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tribute.config import FinetuningConfig
from tribute.errors import ServiceError, TrainingError
from tribute.finetuning.encoding.chat import Chat, chat_template
from tribute.finetuning.encoding.encoding import beginning
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.base_models import base_digest, base_folder, load_config, load_tokenizer
from tribute.finetuning.models.row_models import LOGIT_SCALE, RowModel
from tribute.finetuning.preparation.task_types import TaskType, described_task
from tribute.services.engines.engine import Piece, Sampling, Tokens
from tribute.services.engines.generation import generate
from tribute.services.engines.shared import BASE, SharedBase

TOLERANCE = 1e-3
"""Nats by which the loss may differ from the recorded one: sums on another processor round otherwise."""
SAME = 1e-4
"""By how much a vector may differ beside the other adapters, where batches pad otherwise."""
COMPARED = 8
"""Evaluation rows that are computed both alone and beside the other adapters."""


@dataclass(frozen=True)
class Adapter:
    """What it takes to load and check an adapter."""

    id: str
    folder: Path
    description: Mapping[str, Any]
    """`dataset.json` of the version that it learned from."""
    config: FinetuningConfig
    evaluation: pd.DataFrame
    recorded: Mapping[str, float]
    """`loss` and `accuracy` on the evaluation rows, as its card has them."""


@dataclass(frozen=True)
class _Resident:
    shared: SharedBase
    tokenizer: Any
    config: FinetuningConfig
    task: TaskType
    head: Tensor | None
    chat: Chat | None


class LocalEngine:
    """See `Engine`. Close it to end its threads."""

    def __init__(self) -> None:
        self._bases: dict[tuple[str, str], SharedBase] = {}
        self._resident: dict[str, _Resident] = {}
        self._loading = threading.Lock()

    def load(self, adapter: Adapter) -> int:
        """Load, check and add an adapter: the most tokens that it takes. One that is resident is not loaded again.

        Raises TributeError or another exception where it cannot be loaded or is not the model of its card; then the
        engine is as before.
        """
        folder = base_folder(adapter.config.base)
        task = described_task(adapter.description)
        with self._loading:
            if adapter.id not in self._resident:
                tokenizer = load_tokenizer(folder)
                alone = _loaded(task.build(folder, adapter.config.precision), adapter)
                _check_card(alone, task, tokenizer, adapter)
                place = task.peft_name, base_digest(folder)
                shared = self._bases.get(place)
                if shared is None:
                    self._bases[place] = shared = SharedBase(alone.network, tokenizer.pad_token_id, task.reads_ahead)
                else:
                    shared.add(adapter.folder, adapter.id)
                    _check_beside(alone, shared, task, tokenizer, adapter)
                head = alone.head if task.reads_ahead else None
                chat = _chat(task, tokenizer, adapter.config)
                self._resident[adapter.id] = _Resident(shared, tokenizer, adapter.config, task, head, chat)
        return self.context(adapter.id)

    def context(self, model: str) -> int:
        """The most tokens that a text, or a prompt with its answer, may have."""
        resident = self._of(model)
        if resident.task.reads_ahead:
            return resident.config.max_tokens
        text = load_config(base_folder(resident.config.base)).get_text_config()
        return int(text.max_position_embeddings)

    def close(self) -> None:
        """End the threads."""
        for shared in self._bases.values():
            shared.close()

    def encode(self, model: str, text: str) -> Tokens:
        """See Engine."""
        resident = self._of(model)
        if resident.task.reads_ahead:
            return list(resident.tokenizer(text)["input_ids"])
        ids = resident.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [*beginning(resident.tokenizer), *ids]

    def encode_chat(self, model: str, messages: Sequence[Mapping[str, Any]]) -> Tokens:
        """See Engine."""
        resident = self._of(model)
        if resident.chat is not None:
            try:
                return resident.chat.prompt(messages)
            except TrainingError as error:
                raise ServiceError(str(error), 400) from error
        if [message["role"] for message in messages] != ["user"]:
            raise ServiceError(
                "this model learned single questions and answers and has no chat template; send one message of the "
                "role user",
                400,
            )
        return self.encode(model, f"{messages[0]['content']}\n")

    def cut(self, model: str, tokens: Tokens) -> Tokens:
        """A classifier's tokens cut as its rows were for the training: at the end, the closing token kept."""
        resident, most = self._of(model), self.context(model)
        if len(tokens) <= most:
            return tokens
        alone = resident.tokenizer.num_special_tokens_to_add(pair=False) - len(beginning(resident.tokenizer))
        return [*tokens[: most - alone], *tokens[len(tokens) - alone :]]

    def classify(self, model: str, rows: Sequence[Tokens]) -> list[list[float]]:
        """See Engine."""
        resident = self._of(model)
        if resident.head is None:
            raise ServiceError("this model writes answers and has no labels; ask /v1/chat/completions", 400)
        vectors = torch.stack(resident.shared.embed(model, rows))
        probabilities: list[list[float]] = (LOGIT_SCALE * vectors @ resident.head.T).softmax(-1).tolist()
        return probabilities

    def embed(self, model: str, rows: Sequence[Tokens]) -> list[list[float]]:
        """See Engine."""
        resident = self._of(model)
        if resident.head is None:
            raise ServiceError("this model writes answers and has no embeddings; ask one that classifies", 400)
        return [vector.tolist() for vector in resident.shared.embed(model, rows)]

    def embed_base(self, model: str, texts: Sequence[str]) -> np.ndarray:
        """See Engine."""
        resident, most = self._of(model), self.context(model)
        rows = [self.encode(model, text)[:most] for text in texts]
        width = int(resident.shared.network.config.get_text_config().hidden_size)
        vectors = resident.shared.embed(BASE, rows)
        return torch.stack(vectors).numpy() if vectors else np.zeros((0, width), dtype=np.float32)

    def score(self, model: str, prompt: Tokens, answer: Tokens) -> list[float]:
        """See Engine."""
        return self.score_here(model, model, prompt, answer)

    def score_here(self, adapter: str, model: str, prompt: Tokens, answer: Tokens) -> list[float]:
        """As `score`, in this process, by an adapter of the model's base or by BASE."""
        ids = torch.tensor([[*prompt, *answer]])
        logits = self._writer(model).shared.forward([adapter], input_ids=ids).logits[0].float()
        logs = logits.log_softmax(-1)[len(prompt) - 1 : -1]
        scores: list[float] = logs.gather(1, torch.tensor(answer).unsqueeze(1)).squeeze(1).tolist()
        return scores

    def tokens(self, model: str, text: str) -> Tokens:
        """The tokens of a text that goes on, without a beginning."""
        return list(self._of(model).tokenizer(text, add_special_tokens=False)["input_ids"])

    def writes(self, model: str) -> bool:
        """Whether the model writes answers; else it classifies."""
        return not self._of(model).task.reads_ahead

    def attests(self, model: str) -> bool:
        """See Engine: whatever is resident was checked against its card."""
        return model in self._resident

    def generate(self, model: str, prompt: Tokens, sampling: Sampling) -> Iterator[Piece]:
        """See Engine."""
        resident = self._writer(model)
        tokenizer = resident.tokenizer
        added = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
        ends = added | {tokenizer.eos_token_id}
        return generate(_steps(resident.shared, model), tokenizer, ends, prompt, sampling)

    def _of(self, model: str) -> _Resident:
        return self._resident[model]

    def _writer(self, model: str) -> _Resident:
        resident = self._of(model)
        if resident.task.reads_ahead:
            raise ServiceError("this model classifies and writes no answers; ask /classify", 400)
        return resident


def _steps(shared: SharedBase, model: str) -> Callable[[list[int], Any], tuple[Tensor, Any]]:
    def step(fresh: list[int], cache: Any) -> tuple[Tensor, Any]:
        passed = shared.forward([model], input_ids=torch.tensor([fresh]), past_key_values=cache, use_cache=True)
        return passed.logits[0, -1].float().log_softmax(-1), passed.past_key_values

    return step


def _loaded(model: RowModel, adapter: Adapter) -> RowModel:
    """A fresh base under the adapter, by its id."""
    import peft

    model.network = peft.PeftModel.from_pretrained(model.network, adapter.folder, adapter_name=adapter.id)
    return model


def _check_card(alone: RowModel, task: TaskType, tokenizer: Any, adapter: Adapter) -> None:
    """Raise ServiceError 500 where the model does not reach what its card says."""
    actual = evaluate(alone, task.encode(adapter.evaluation, tokenizer, adapter.config)).summary()
    expected = {name: adapter.recorded[name] for name in actual}
    rows = len(adapter.evaluation)
    if (
        abs(actual["loss"] - expected["loss"]) > TOLERANCE
        or abs(actual["accuracy"] - expected["accuracy"]) * rows > 0.5
    ):
        raise ServiceError(f"on the evaluation rows it reaches {actual}, its card says {expected}", 500)


def _check_beside(alone: RowModel, shared: SharedBase, task: TaskType, tokenizer: Any, adapter: Adapter) -> None:
    """Remove the adapter and raise ServiceError 500 where it answers otherwise beside the others than alone."""
    rows = task.encode(adapter.evaluation.head(COMPARED), tokenizer, adapter.config)
    network, differences = alone.network, []
    for index in range(len(rows)):
        batch = {name: value for name, value in rows.collate([index]).items() if name != "labels"}
        with torch.inference_mode():
            expected = network(**batch)
        actual = shared.forward([adapter.id], **batch)
        differences.append(float((expected[0] - actual[0]).abs().max()))
    if not max(differences, default=0.0) <= SAME:
        shared.remove(adapter.id)
        raise ServiceError(f"beside other adapters its output differs by {max(differences):.2g}", 500)


def _chat(task: TaskType, tokenizer: Any, config: FinetuningConfig) -> Chat | None:
    if task.reads_ahead:
        return None
    template = chat_template(tokenizer, config.template, task.has_conversations)
    return Chat(tokenizer, template) if template else None
