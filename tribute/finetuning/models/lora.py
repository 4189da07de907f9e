"""Low-rank adapters: put into a model fresh or from a folder, and what they may be put into."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from tribute.config import LoraConfig
from tribute.errors import TrainingError
from tribute.finetuning.models.dropout import RowDropout
from tribute.finetuning.models.row_models import RowModel


def add_lora(model: RowModel, lora: LoraConfig, seed: int) -> None:
    """Put fresh adapters into the network: A random from `seed`, B zero (Hu et al. 2021).

    A module to save is copied and the copy trained, also where its weight is tied to another's, which stays frozen.
    Raises TrainingError where target modules or modules to save do not exist.
    """
    import peft

    _check_modules(model, "modules_to_save", lora.modules_to_save, (nn.Linear, nn.Embedding))
    targets = _linear_layers(model) if lora.target_modules == "all-linear" else lora.target_modules
    kinds = _check_modules(model, "target_modules", targets, (nn.Linear, Conv1D))
    for key, pattern in (("alpha_pattern", lora.alpha_pattern), ("rank_pattern", lora.rank_pattern)):
        if unknown := sorted(set(pattern) - set(targets)):
            raise TrainingError(f"finetuning.lora.{key}: {unknown[0]} is none of {', '.join(targets)}")
    depth = getattr(model.network.config, "num_hidden_layers", None)
    if lora.layers and depth is not None and max(lora.layers) >= depth:
        raise TrainingError(f"finetuning.lora.layers: the base has layers 0 to {depth - 1}, found {max(lora.layers)}")
    torch.manual_seed(seed)
    settings = peft.LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        target_modules=list(targets),
        layers_to_transform=None if lora.layers is None else list(lora.layers),
        lora_dropout=lora.dropout,
        use_rslora=lora.rslora,
        alpha_pattern=dict(lora.alpha_pattern),
        rank_pattern=dict(lora.rank_pattern),
        bias="none",
        # GPT-2 keeps its weights the other way round.
        fan_in_fan_out=Conv1D in kinds,
        modules_to_save=list(lora.modules_to_save) or None,
    )
    try:
        model.network = peft.get_peft_model(model.network, settings)
    except ValueError as error:
        raise TrainingError(f"finetuning.lora: {error}") from error
    if lora.dropout:
        _replay_dropout(model, lora.dropout, seed)


def _replay_dropout(model: RowModel, probability: float, seed: int) -> None:
    """Put dropout that attribution can meet again in the place of PEFT's."""
    from peft.tuners.lora import LoraLayer

    for name, layer in model.network.named_modules():
        if isinstance(layer, LoraLayer):
            for adapter in layer.lora_dropout:
                layer.lora_dropout[adapter] = RowDropout(probability, seed, name, model.tokens_in_pass)


def _linear_layers(model: RowModel) -> Sequence[str]:
    """The names of all linear layers but the output head's."""
    head = model.network.get_output_embeddings()
    layers = (path for path, module in model.network.named_modules() if _is_linear(module) and module is not head)
    return sorted({path.rpartition(".")[2] for path in layers})


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear | Conv1D)


def _check_modules(
    model: RowModel, key: str, names: Sequence[str], kinds: tuple[type[nn.Module], ...]
) -> set[type[nn.Module]]:
    """Every name stands for modules that attribution can follow; returns their types. Raises TrainingError."""
    modules = dict(model.network.named_modules())
    matched: set[type[nn.Module]] = set()
    for name in names:
        named = [module for path, module in modules.items() if path == name or path.endswith(f".{name}")]
        if not named or not all(isinstance(module, kinds) for module in named):
            known = sorted({path.rpartition(".")[2] for path, module in modules.items() if isinstance(module, kinds)})
            what = f"{name} is a {type(named[0]).__name__}" if named else f"the base has no module {name}"
            raise TrainingError(f"finetuning.lora.{key}: {what}; attribution follows {', '.join(known)}")
        matched |= {type(module) for module in named}
    return matched


def load_adapter(model: RowModel, folder: Path) -> None:
    """Put a saved adapter into a fresh base."""
    import peft

    model.network = peft.PeftModel.from_pretrained(model.network, folder)
