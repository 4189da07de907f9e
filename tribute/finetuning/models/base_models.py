"""Where frozen base models come from: an installed package, a local folder or a pinned revision on the hub."""

import importlib
import importlib.metadata
import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from tribute.config import BaseConfig, weights_sha256
from tribute.config.weights import SHARDS, WEIGHTS, file_digest, weight_files
from tribute.digests import canonical_digest
from tribute.errors import BaseModelError
from tribute.strict import parse_json

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
TEXT_FILES = ("config.json", *TOKENIZER_FILES)
TEXT_PATTERNS = ("*.json", "*.jinja", "*.txt", "*.model")
"""Of a hub's files: everything but weights."""
QUANTIZED = "nf4"
"""The `finetuning.precision` that needs bitsandbytes: linear layers in 4 bits (Dettmers et al. 2023)."""


def base_folder(base: BaseConfig) -> Path:
    """The folder that holds config, tokenizer and weights, downloaded if need be and checked.

    Raises BaseModelError where something is missing or the weights have another sha256.
    """
    if base.package is not None:
        folder = _package_folder(base.package)
    elif base.folder is not None:
        folder = base.folder
    else:
        folder = _hub_folder(str(base.hub), str(base.revision), (*TEXT_PATTERNS, "*.safetensors"))
    _check(folder, base)
    return folder


def text_folder(base: BaseConfig) -> Path:
    """A folder that holds config and tokenizer: of a hub's model only these are downloaded. Raises BaseModelError."""
    if base.hub is None:
        return base_folder(base)
    return _hub_folder(base.hub, str(base.revision), TEXT_PATTERNS)


def base_digest(folder: Path) -> str:
    """What identifies a base: sha256 over the digests of its weights, config and tokenizer, 64 hex digits."""
    names = [name for name in TEXT_FILES if (folder / name).exists()] + weight_files(folder)
    return canonical_digest({name: file_digest(folder / name) for name in names})


def quantizer_version(precision: str) -> str | None:
    """The version of bitsandbytes where a precision needs it, else None. Raises BaseModelError where it is missing."""
    if precision != QUANTIZED:
        return None
    try:
        return importlib.metadata.version("bitsandbytes")
    except importlib.metadata.PackageNotFoundError:
        raise BaseModelError(
            f"finetuning.precision: {precision} needs bitsandbytes, which is not installed; run `pip install "
            "'tribute[quantization]'`, or set bfloat16"
        ) from None


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer of a base, with a padding token where it has an end token.

    A special token that is written in a row (`</s>`, `[SEP]`) is text: only the tokenizer itself sets special ones.
    Raises BaseModelError where it cannot be read.
    """
    from transformers import AutoTokenizer

    options = {"local_files_only": True, "trust_remote_code": False, "split_special_tokens": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BaseModelError(f"{folder}: its tokenizer cannot be read: {_first_line(error)}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_config(folder: Path) -> Any:
    """The transformers config of a base. Raises BaseModelError where it has code of its own, which is never run."""
    from transformers import AutoConfig

    return _read_config(AutoConfig, folder)


def load_encoder(folder: Path, precision: str = "float32") -> Any:
    """A frozen text encoder, without pooling layer and without dropout."""
    from transformers import AutoModel

    options = {"add_pooling_layer": False} if _model_type(folder) == "bert" else {}
    return _frozen(AutoModel, folder, precision, **options)


def load_causal(folder: Path, precision: str = "float32") -> Any:
    """A frozen causal language model, without dropout."""
    from transformers import AutoModelForCausalLM

    return _frozen(AutoModelForCausalLM, folder, precision)


def _frozen(factory: Any, folder: Path, precision: str, **options: Any) -> Any:
    import torch
    from transformers import AutoConfig
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config = _read_config(AutoConfig, folder)
    for part in {id(part): part for part in (config, config.get_text_config())}.values():
        _turn_dropout_off(part)
    try:
        model, report = factory.from_pretrained(
            folder,
            config=config,
            **_as_precision(precision),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except torch.OutOfMemoryError:
        raise  # nothing is wrong with the base
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        if damaged := _damaged(folder):
            raise BaseModelError(f"{damaged}: damaged ({_first_line(error)}); copy the base again") from error
        raise BaseModelError(f"{folder}: the base cannot be loaded: {_first_line(error)}") from error
    # A pooling layer is not used; anything else that is missing would be random.
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise BaseModelError(
            f"{folder}: {len(missing)} weights are missing and would be random, {missing[0]} first; "
            f"its {config.model_type} weights do not fit what is to be trained, use another base"
        )
    for module in model.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # bitsandbytes would round the weights once more at the first evaluation on some processors.
            module.support_avx512bf16_for_cpu = False
    model.requires_grad_(False)
    return model.eval()


def _damaged(folder: Path) -> Path | None:
    """The first file of weights that safetensors cannot read."""
    for file in (folder / name for name in weight_files(folder) if name != SHARDS):
        try:
            safe_open(file, "np")
        except (OSError, SafetensorError):
            return file
    return None


def _as_precision(precision: str) -> dict[str, Any]:
    """What `from_pretrained` takes for a `finetuning.precision`."""
    import torch

    if precision != QUANTIZED:
        return {"dtype": getattr(torch, precision)}
    from transformers import BitsAndBytesConfig

    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32
    )
    return {"dtype": torch.float32, "quantization_config": quantization}


def _read_config(factory: Any, folder: Path) -> Any:
    try:
        return factory.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        own = " (it has code of its own, which is never run)" if "auto_map" in _raw_config(folder) else ""
        raise BaseModelError(f"{folder}: transformers cannot read config.json{own}: {_first_line(error)}") from error


def _turn_dropout_off(config: Any) -> None:
    """Attribution replays the training: anything random in the forward pass would make it another training."""
    for name, value in config.to_dict().items():
        if "drop" in name and isinstance(value, float):
            setattr(config, name, 0.0)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _raw_config(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = parse_json((folder / "config.json").read_text(encoding="utf-8"))
    return content


def _model_type(folder: Path) -> str:
    return str(_raw_config(folder).get("model_type"))


def _package_folder(package: str) -> Path:
    name = package.replace("-", "_")
    if importlib.util.find_spec(name) is None:
        raise BaseModelError(f"the package {package} is not installed; run `pip install {package}`")
    module = importlib.import_module(name)
    if not hasattr(module, "get_model_path"):
        raise BaseModelError(f"the package {package} has no get_model_path(), so it carries no base model")
    return Path(module.get_model_path())


def _hub_folder(hub: str, revision: str, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    # Or every attempt to reach the hub is told in two lines.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=list(patterns)))
    except (OSError, ValueError) as error:
        raise BaseModelError(
            f"cannot fetch {hub} at {revision} from the hub ({_first_line(error)}); check the network and both names, "
            "and for a model with conditions its page and the token (HF_TOKEN or `hf auth login`)"
        ) from error


def _check(folder: Path, base: BaseConfig) -> None:
    missing = [name for name in ("config.json", WEIGHTS) if not (folder / name).exists()]
    if WEIGHTS in missing and (folder / SHARDS).exists():
        missing = [name for name in ("config.json", *weight_files(folder)) if not (folder / name).exists()]
    if missing:
        raise BaseModelError(
            f"{folder / missing[0]}: missing; a base needs config.json and {WEIGHTS}, or {SHARDS} and its shards"
            + ("" if folder.exists() else "; `tribute base make` pre-trains a small one")
        )
    digest = weights_sha256(folder) if base.sha256 is not None else None
    if digest != base.sha256:
        raise BaseModelError(
            f"{folder / weight_files(folder)[0]}: sha256 {digest}, the config says {base.sha256}; "
            "the weights are not the ones you asked for: correct finetuning.base"
        )
