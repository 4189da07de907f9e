"""One base with all its adapters resident, and the thread that answers whatever waits in batches that mix them."""

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.embeddings import encoder_embeddings
from tribute.services.engines.engine import Tokens

BASE = "__base__"
"""PEFT's name for no adapter."""
MOST_ROWS = 64
"""Rows that one turn takes from what waits, so that a large request does not hold all others up."""


@dataclass(frozen=True)
class _Row:
    adapter: str
    tokens: Tokens
    vector: "Future[Tensor]" = field(default_factory=Future)


class SharedBase:
    """A base under many adapters (PEFT's `adapter_names`). Its hooks bear one forward pass at a time: see `turn`.

    PEFT looks through all modules at each pass for those that take the names, which with 256 resident adapters takes
    longer than the pass. Here they are looked for when an adapter comes or goes.
    """

    def __init__(self, network: Any, pad_id: int, is_encoder: bool) -> None:
        self.network, self.turn = network.eval(), threading.Lock()
        self._adapters: list[str] = []
        self._hooks: list[Any] = []
        self._hook()
        self._is_encoder = is_encoder
        self._pad_id = pad_id
        self._waiting: queue.SimpleQueue[_Row | None] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="tribute-batches", daemon=True)
        self._worker.start()

    def add(self, folder: Path, adapter: str) -> None:
        """Make one more adapter resident; where it cannot be loaded, nothing of it stays."""
        with self.turn:
            try:
                self.network.load_adapter(folder, adapter_name=adapter, torch_device="cpu")
            except Exception:
                if adapter in self.network.peft_config:
                    self.network.delete_adapter(adapter)
                raise
            finally:
                self.network.eval()
                self._hook()

    def remove(self, adapter: str) -> None:
        """Forget an adapter."""
        with self.turn:
            self.network.delete_adapter(adapter)
            self._hook()

    def forward(self, adapters: Sequence[str], **inputs: Any) -> Any:
        """One pass of the network, each row by its adapter or by BASE. Raises KeyError for one that is not resident."""
        with self.turn, torch.inference_mode():
            if unknown := set(adapters) - self.network.peft_config.keys() - {BASE}:
                raise KeyError(f"adapter {min(unknown)} is not resident")
            self._adapters = list(adapters)
            return self.network.get_base_model()(**inputs)

    def embed(self, adapter: str, rows: Sequence[Tokens]) -> list[Tensor]:
        """Unit-length embeddings, float [width] each; computed together with what other callers ask for.

        `adapter` may be BASE.
        """
        waiting = [_Row(adapter, tokens) for tokens in rows]
        for row in waiting:
            self._waiting.put(row)
        return [row.vector.result() for row in waiting]

    def close(self) -> None:
        """End the thread when all that waits is answered."""
        self._waiting.put(None)
        self._worker.join()

    def _hook(self) -> None:
        """Give the names of a pass to the layers that have adapters."""
        from peft.tuners.lora import LoraLayer
        from peft.utils import AuxiliaryTrainingWrapper

        def name(_: Any, inputs: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            return inputs, named | {"adapter_names": self._adapters}

        for hook in self._hooks:
            hook.remove()
        adapted = (each for each in self.network.modules() if isinstance(each, LoraLayer | AuxiliaryTrainingWrapper))
        self._hooks = [layer.register_forward_pre_hook(name, with_kwargs=True) for layer in adapted]

    def _work(self) -> None:
        while (row := self._waiting.get()) is not None:
            batch, ended = [row], False
            while len(batch) < MOST_ROWS and not ended:
                try:
                    further = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if further is None:
                    ended = True
                else:
                    batch.append(further)
            self._answer(batch)
            if ended:
                return

    def _answer(self, batch: Sequence[_Row]) -> None:
        """Compute rows of similar length together. Whatever fails is the callers' to hear; the thread goes on."""
        nothing = [""] * len(batch)
        rows = EncodedRows(nothing, nothing, [row.tokens for row in batch], [0] * len(batch), self._pad_id)
        for chunk in rows.chunks(range(len(batch))):
            chosen = [batch[index] for index in chunk]
            try:
                vectors = self._embedded(rows, chunk, [row.adapter for row in chosen])
            except Exception as error:
                for row in chosen:
                    row.vector.set_exception(error)
            else:
                for row, vector in zip(chosen, vectors, strict=True):
                    row.vector.set_result(vector)

    def _embedded(self, rows: EncodedRows, chunk: Sequence[int], adapters: Sequence[str]) -> Tensor:
        def network(**inputs: Any) -> Any:
            if self._is_encoder:
                return self.forward(adapters, **inputs)
            written = self.forward(adapters, **inputs, output_hidden_states=True)
            return SimpleNamespace(last_hidden_state=written.hidden_states[-1])

        with torch.inference_mode():
            return encoder_embeddings(network, rows.collate(chunk))
