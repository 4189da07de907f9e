"""TRL's SFTTrainer on a model and rows of ours, with the settings of a training of ours.

Install with `pip install -e .[bench]`.
"""

import statistics
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from lib.small_training import ADAPTERS, model_of, rows_for, settings, where
from lib.timing import measure, quartiles
from tribute.config import FinetuningConfig
from tribute.finetuning.encoding.encoding import EncodedRows
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.training.training import train


def trl_table(jsonl: Path | None) -> list[str]:
    """Rows a second of whole trainings, beside TRL's trainer."""
    try:
        version("trl")
    except PackageNotFoundError:
        return ["", "## Beside TRL", "", "Not measured: trl is not installed (`pip install -e .[bench]`)."]
    rows, config = rows_for(jsonl, 96), settings(batch_size=16, epochs=1, warmup=0.0)

    def ours(budget: int, recorded: bool) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            train(model_of(ADAPTERS), replace(rows, budget=budget), config, 0, Path(scratch), recorded=recorded)

    def theirs(at_once: int) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            sft_trainer(model_of(ADAPTERS), rows, config, at_once, Path(scratch)).train()

    works: dict[str, Callable[[], None]] = {
        **{f"TRL's SFTTrainer, {count} rows at once": partial(theirs, count) for count in (16, 4, 1)},
        **{f"Tribute, recorded, {budget} tokens at once": partial(ours, budget, True) for budget in (512, 2048)},
        "Tribute, no recorder, 512 tokens at once": partial(ours, 512, False),
    }
    timed = measure({name: (nullcontext, lambda *_, work=work: work()) for name, work in works.items()}, range(5))
    best = min((name for name in works if name.startswith("TRL")), key=lambda name: statistics.median(timed[name]))
    lines = []
    for name, seconds in timed.items():
        lower, middle, upper = quartiles(timed, name, best)
        lines.append(
            f"| {name} | {len(rows) / statistics.median(seconds):.1f} | {middle:.2f} | {lower:.2f}–{upper:.2f} |"
        )
    return [
        "",
        "## Beside TRL",
        "",
        f"TRL {version('trl')}, one epoch of {len(rows)} rows, {where(jsonl)}, in batches of 16; LoRA of rank 8 on all "
        "linear layers, loss on responses, float32, every step logged; model and data are made within the time. TRL's "
        "defaults that cost time are off (checkpointed activations, bfloat16), its token accuracy and entropy are on. "
        "Against the fastest of its ways; medians of 5 trainings.",
        "",
        "| trainer | rows/s of CPU time | against TRL | quartiles |",
        "|---|---|---|---|",
        *lines,
    ]


def sft_trainer(model: RowModel, rows: EncodedRows, config: FinetuningConfig, at_once: int, scratch: Path) -> Any:
    """A trainer that has its data; a step's rows go through the model `at_once` at a time, which must divide a batch.

    TRL's defaults that cost time or change the work are taken back: bfloat16, checkpointed activations. Its optimizer
    is torch's AdamW; nothing is saved.
    """
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    columns = {"input_ids": rows.tokens, "labels": rows.targets}
    data = Dataset.from_dict({name: [list(row) for row in values] for name, values in columns.items()})
    torch.manual_seed(0)
    arguments = SFTConfig(
        output_dir=str(scratch),
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=config.batch_size // at_once,
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule,
        warmup_steps=0,
        max_grad_norm=0.0,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=model.device.type == "cpu",
        dataloader_pin_memory=False,
        bf16=False,
        gradient_checkpointing=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = SFTTrainer(model.network, args=arguments, train_dataset=data, processing_class=_tokenizer())
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ in ("PrinterCallback", "ProgressCallback", "RichProgressCallback"):
            trainer.remove_callback(type(callback))
    return trainer


def _tokenizer() -> PreTrainedTokenizerFast:
    """Nothing is tokenised; the trainer asks what pads."""
    vocabulary = {"<pad>": 0, "<eos>": 1}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>")),
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<pad>",
    )
