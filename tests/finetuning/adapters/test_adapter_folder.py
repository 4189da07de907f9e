"""The folder of an adapter of conversations is complete: PEFT, transformers and vLLM load it, people read its card."""

import re

import pandas as pd
import pytest
from safetensors.torch import load_file

from tests.finetuning.helpers import tiny
from tribute.errors import TrainingError
from tribute.finetuning.adapters.adapter_folder import export_adapter, export_merged
from tribute.finetuning.evaluation import evaluate
from tribute.finetuning.models.row_models import ResponseModel
from tribute.finetuning.preparation.preparation import encode

pytestmark = pytest.mark.numeric

CHAT = (
    "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}:{{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)


@pytest.fixture(scope="module")
def chat_adapter(root, llama):
    """Seed 0's adapter of conversations, written by the config's template; read only."""
    config = tiny.llama_config(llama, template=CHAT, max_tokens=64, lora={"r": 4, "target_modules": "all-linear"})
    return config, tiny.make_adapter(root, tiny.make_dataset(root, "causal-lm", turns=True), config, 0)


def test_an_adapter_folder_is_complete(chat_adapter):
    """AutoPeftModelForCausalLM and AutoTokenizer make of it what was evaluated."""
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoTokenizer

    config, adapter = chat_adapter
    rows = pd.read_parquet(adapter.path / "losses.parquet")

    model = AutoPeftModelForCausalLM.from_pretrained(adapter.path)
    tokenizer = AutoTokenizer.from_pretrained(adapter.path)

    assert tokenizer.chat_template == CHAT
    turns = [{"role": "user", "content": "draw a line"}]
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert prompt == "<s>u:draw a line</s>a:"
    dataset = tiny.make_dataset(adapter.path.parents[2], "causal-lm", turns=True)
    encoded = encode(dataset, config, "evaluation")[1]
    assert evaluate(ResponseModel(model.eval()), encoded).losses == pytest.approx(rows["loss"], rel=1e-5)


def test_the_adapter_is_what_vllm_loads(chat_adapter):
    """The keys and names that vLLM's PEFTHelper and LoRA loader read (docs.vllm.ai, vllm.lora.peft_helper)."""
    _, adapter = chat_adapter
    saved = adapter.json("adapter_config.json")
    tensors = load_file(adapter.file("adapter_model.safetensors"))

    assert isinstance(saved["target_modules"], list)
    expected = {"r": 4, "lora_alpha": 16, "bias": "none", "use_dora": False, "modules_to_save": None}
    assert {key: saved[key] for key in expected} == expected
    name = re.compile(r"base_model\.model\.model\.layers\.\d+\.[a-z_.]+\.lora_[AB]\.weight")
    assert all(name.fullmatch(tensor) for tensor in tensors)
    assert "lm_head" not in saved["target_modules"]


def test_a_model_card(chat_adapter):
    """Base, contributors, licences, the format with an example, and what was cut."""
    card = chat_adapter[1].file("README.md").read_text()

    assert card.startswith("---\nlibrary_name:")
    assert "<s>u:What is asked?</s>a:What is answered.</s>" in card
    assert "| ada | ada |" in card
    assert "No row was cut at 64 tokens." in card


def test_cut_rows_are_counted_by_contributor(root, llama):
    """They stand in rows.json and on the card; without `truncate` a training that cuts the evaluation is refused."""
    dataset = tiny.make_dataset(root, "causal-lm", turns=True)
    config = tiny.llama_config(llama, template=CHAT, max_tokens=48, epochs=1, truncate=False)

    with pytest.raises(TrainingError, match=r"max_tokens: 48: \d+ rows of the evaluation would be cut, held-out-1:"):
        tiny.make_adapter(root, dataset, config, 0)
    adapter = tiny.make_adapter(root, dataset, config.model_copy(update={"truncate": True}), 1)

    cut = adapter.json("rows.json")
    encoded = encode(dataset, config.model_copy(update={"max_tokens": 64}), "train")[1]
    assert sum(cut["train"]["cut"].values()) == sum(encoded.lengths() > 48) > 0
    assert cut["train"]["rows"] == 48
    assert all(
        f"{name} {count}" in adapter.file("README.md").read_text() for name, count in cut["train"]["cut"].items()
    )


def test_a_row_without_a_prompt_is_refused(root, llama):
    """What would be learned has nothing to answer."""
    dataset = tiny.make_dataset(root, "causal-lm", turns=True)

    with pytest.raises(TrainingError, match=r"max_tokens: 24: 72 rows would lose the whole prompt, ada-1:0 first"):
        tiny.make_adapter(root, dataset, tiny.llama_config(llama, template=CHAT, max_tokens=24, truncate=False), 0)


def test_an_export_is_what_was_evaluated(chat_adapter, tmp_path):
    """As an adapter whose base is named, and merged into the base's weights: the same losses."""
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    config, adapter = chat_adapter
    dataset = tiny.make_dataset(adapter.path.parents[2], "causal-lm", turns=True)
    encoded, losses = encode(dataset, config, "evaluation")[1], pd.read_parquet(adapter.file("losses.parquet"))["loss"]

    for name in ("adapter", "merged"):
        (tmp_path / name).mkdir()
    export_adapter(adapter, tmp_path / "adapter")
    export_merged(adapter, config, tmp_path / "merged")

    for network in (
        AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter"),
        AutoModelForCausalLM.from_pretrained(tmp_path / "merged"),
    ):
        assert evaluate(ResponseModel(network.eval()), encoded).losses == pytest.approx(losses, rel=1e-4)
    assert not (tmp_path / "adapter" / "trace").exists()
