"""A base of 4 bits learns, and its training can be walked again; without bitsandbytes one line says so."""

import importlib.metadata

import numpy as np
import pytest
import torch

from tests.finetuning.helpers import tiny
from tribute.attribution.credit.inrun import in_run_credit
from tribute.errors import BaseModelError
from tribute.finetuning.models.base_models import quantizer_version
from tribute.finetuning.preparation.preparation import prepare, training_inputs
from tribute.finetuning.training.training import train

pytestmark = pytest.mark.numeric


def test_a_quantized_base_learns_and_is_credited(dialogues, llama, tmp_path):
    """Linear layers hold bytes, what is trained is float32, and credits sum to the fall of the loss."""
    pytest.importorskip("bitsandbytes")
    lora = {"target_modules": "all-linear", "dropout": 0.1}
    config = tiny.llama_config(llama, precision="nf4", lora=lora, trace_states=64, learning_rate=3e-3)
    ready = prepare(dialogues, config, tmp_path, 0)

    training = train(ready.model, ready.train, config, 0, tmp_path / "own")
    weights = np.full(len(ready.evaluation), 1 / len(ready.evaluation))
    credit = in_run_credit(ready.model, ready.train, ready.evaluation, weights, training.trace)

    frozen = {value.dtype for name, value in ready.model.named_parameters() if "proj" in name and "lora" not in name}
    assert frozen == {torch.uint8}
    assert {value.dtype for value in ready.model.trainable().values()} == {torch.float32}
    fall = credit.losses[0] - credit.losses[-1]
    assert fall > 0.5
    assert credit.scores.sum() == pytest.approx(fall, rel=0.02)
    assert training_inputs(dialogues, config)[1]["bitsandbytes"] == importlib.metadata.version("bitsandbytes")


def test_without_bitsandbytes_nothing_is_loaded(dialogues, llama, tmp_path, monkeypatch):
    """One line says what to install, or to set instead."""

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)

    assert quantizer_version("bfloat16") is None
    with pytest.raises(BaseModelError, match=r"precision: nf4 needs bitsandbytes, which is not installed; run `pip"):
        prepare(dialogues, tiny.llama_config(llama, precision="nf4"), tmp_path, 0)
