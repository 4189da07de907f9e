"""Other libraries' per-row LoRA gradients, through their public interfaces, on a causal model and rows of ours.

Each function gives a callable that sets the library up (what it makes of data and model once and for all is made
before), goes once over `chunks` (the same token-budget batches that Tribute uses) and forms every row's gradient of
every LoRA weight in memory; nothing is projected or stored, but kronfluence has no such mode: it forms them and
multiplies each with one query's. Install with `pip install -e .[bench]`.
"""

import copy
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel

Pass = Callable[[], None]
Peer = Callable[[RowModel, EncodedRows, Sequence[Sequence[int]]], Pass]


def bergson(model: RowModel, rows: EncodedRows, chunks: Sequence[Sequence[int]]) -> Pass:
    """EleutherAI's bergson (MIT): hooks that form gradients per module."""
    os.environ["TQDM_DISABLE"] = "1"
    from bergson import CollectorComputer, GradientCollector, GradientProcessor, IndexConfig
    from datasets import Dataset

    logging.disable(logging.INFO)
    columns = {"input_ids": [list(row) for row in rows.tokens], "labels": [list(row) for row in rows.targets]}
    data = Dataset.from_dict(columns)
    names = {name.removeprefix("network.").removesuffix(".weight") for name in model.trainable()}

    def once() -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = IndexConfig(run_path=f"{folder}/run", loss_reduction="mean")
            config.partial_run_path.mkdir()
            collector = GradientCollector(
                model=model.network,
                data=data,
                cfg=config,
                processor=GradientProcessor(),
                target_modules=names,
                skip_index=True,
            )
            batches = [list(chunk) for chunk in chunks]
            computer = CollectorComputer(model.network, data, collector=collector, batches=batches, cfg=config)
            computer.run_with_collector_hooks()

    return once


def dattri_llm(model: RowModel, rows: EncodedRows, chunks: Sequence[Sequence[int]]) -> Pass:
    """dattri-llm (MIT) in its fastest way: it takes over the layers and leaves out the batch gradient."""
    from dattri_llm import CaptureCallback, HookManager, HookManagerConfig

    config = HookManagerConfig(invasive_linear_io=[r".*lora_[AB].*"], capture_style="materialized")

    def once() -> None:
        manager = HookManager(model.network, config=config, callbacks=[CaptureCallback()])
        with manager.collect(deregister_on_exit=True):
            for chunk in chunks:
                model.row_losses(rows.collate(chunk)).sum().backward()
                model.zero_grad()

    return once


def kronfluence(model: RowModel, rows: EncodedRows, chunks: Sequence[Sequence[int]]) -> Pass:
    """kronfluence (Apache-2.0) with identity factors: no curvature, one query, rows in batches of equal number."""
    from kronfluence import Analyzer, FactorArguments, Task, prepare_model
    from kronfluence.utils.dataset import DataLoaderKwargs

    logging.disable(logging.INFO)

    class Losses(Task):
        """Sums of row losses."""

        def compute_train_loss(self, batch: Any, model: Any, sample: bool = False) -> Any:
            """The batch's loss."""
            return model.row_losses(batch).sum()

        def compute_measurement(self, batch: Any, model: Any) -> Any:
            """The query's loss."""
            return model.row_losses(batch).sum()

        def get_influence_tracked_modules(self) -> list[str]:
            """The LoRA layers."""
            return [name.removesuffix(".weight") for name in model.trainable()]

    # It wraps the layers for good, so it gets a model of its own.
    own = prepare_model(copy.deepcopy(model), Losses())
    order: Any = [row for chunk in chunks for row in chunk]
    size = max(1, len(order) // len(chunks))
    loader = DataLoaderKwargs(collate_fn=rows.collate)

    def once() -> None:
        with tempfile.TemporaryDirectory() as folder:
            analyzer = Analyzer("rows", own, Losses(), cpu=True, disable_tqdm=True, output_dir=folder)
            # Without curvature there is nothing to fit, but scoring asks for the record of it.
            analyzer.fit_all_factors(
                "none", order, size, dataloader_kwargs=loader, factor_args=FactorArguments(strategy="identity")
            )
            analyzer.compute_pairwise_scores(
                "one", "none", order[:1], order, 1, size, dataloader_kwargs=loader, overwrite_output_dir=True
            )

    return once


PEERS: dict[str, Peer] = {
    "bergson": bergson,
    "dattri-llm": dattri_llm,
    "kronfluence": kronfluence,
}


def label(name: str) -> str:
    """The peer and its version."""
    return f"{name} {version(name)}"
