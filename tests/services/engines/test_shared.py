"""Theorem: rows of different adapters in a batch are answered as PEFT would, and residents cost the others nothing."""

import peft
import pytest
import torch
from transformers import BertModel

from tests.finetuning.helpers.tiny import write_bert
from tribute.services.engines.shared import BASE, SharedBase

ROWS = {"input_ids": torch.tensor([[2, 7, 9, 3], [2, 8, 5, 3], [2, 6, 6, 3]]), "attention_mask": torch.ones(3, 4)}


def settings(layers):
    """LoRA that does something from the start."""
    return peft.LoraConfig(r=2, target_modules=["query", "dense"], layers_to_transform=layers, init_lora_weights=False)


@pytest.fixture
def folder(tmp_path):
    """A small base."""
    return write_bert(tmp_path / "base")


@pytest.fixture
def shared(folder):
    """The base under one adapter on its last layer."""
    torch.manual_seed(0)
    network = peft.get_peft_model(BertModel.from_pretrained(folder, add_pooling_layer=False), settings([2]), "first")
    shared = SharedBase(network, 0, is_encoder=True)
    yield shared
    shared.close()


def alone(shared, adapters):
    """What PEFT itself says, which looks through all modules."""
    hooks, shared._hooks = shared._hooks, []
    for hook in hooks:
        hook.remove()
    with torch.inference_mode():
        result = shared.network(**ROWS, adapter_names=adapters).last_hidden_state
    shared._hook()
    return result


def saved(folder, tmp_path, layers):
    """Another adapter's folder."""
    network = peft.get_peft_model(BertModel.from_pretrained(folder, add_pooling_layer=False), settings(layers))
    network.save_pretrained(tmp_path / "second")
    return tmp_path / "second"


def test_a_mixed_batch_is_answered_as_peft_does(shared, folder, tmp_path):
    """Also where an adapter that comes later is on layers that had none."""
    shared.add(saved(folder, tmp_path, [0, 1]), "second")
    adapters = ["second", BASE, "first"]

    mixed = shared.forward(adapters, **ROWS).last_hidden_state

    assert torch.equal(mixed, alone(shared, adapters))
    assert len({tuple(row.flatten().tolist()) for row in mixed[:, 0]}) == 3
    base = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.inference_mode():
        assert torch.allclose(mixed[1], base(**ROWS).last_hidden_state[1], atol=1e-6)


def test_who_is_not_resident_is_not_answered_by_the_base(shared, folder, tmp_path):
    """Neither before it came nor after it went."""
    adapters = ["second"] * 3
    with pytest.raises(KeyError, match="second is not resident"):
        shared.forward(adapters, **ROWS)
    shared.add(saved(folder, tmp_path, [2]), "second")
    shared.forward(adapters, **ROWS)
    shared.remove("second")
    with pytest.raises(KeyError, match="second is not resident"):
        shared.forward(adapters, **ROWS)


def test_a_pass_looks_through_no_modules(shared, monkeypatch):
    """So it takes as long beside many residents as beside few."""
    monkeypatch.setattr(torch.nn.Module, "modules", lambda _: pytest.fail("looked through all modules"))

    shared.forward(["first"] * 3, **ROWS)
