"""A frozen base whose layers' weights are shared out among the ranks of a training (FSDP: Zhao et al. 2023).

Each rank keeps its part of every layer and gathers a layer whole only while it computes. What is trained, embeddings
and output head stay whole in every rank. Every pass is of all ranks: each waits for the others' weights.
"""

from typing import Any

from torch import nn

from tribute.errors import TrainingError
from tribute.finetuning.models.row_models import RowModel
from tribute.finetuning.ranks import current


def shard(model: RowModel, device: str) -> None:
    """Keep this rank's part of the layers' frozen weights, on `cpu` or `cuda`, and drop the rest.

    Layers go to the device one at a time, so none but the present one is ever whole there. The ranks must have met.
    Raises TrainingError where transformers does not say what the base's layers are.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    layers = _layers(model.network)
    frozen = {value for layer in layers.values() for value in layer.parameters() if not value.requires_grad}
    options: dict[str, Any] = {
        "mesh": init_device_mesh(device, (current().count,)),
        "ignored_params": set(model.parameters()) - frozen,
    }
    for layer in layers.values():
        fully_shard(layer, **options)
    # What runs the layers holds nothing of its own here; it gathers the next layer while one computes.
    fully_shard(model.network.get_submodule(next(iter(layers)).rpartition(".")[0].rpartition(".")[0]), **options)
    model.is_sharded = True


def _layers(network: Any) -> dict[str, nn.Module]:
    """The layers that have weights, by path."""
    base = network.get_base_model() if hasattr(network, "get_base_model") else network
    kinds = set(base._no_split_modules or ())
    layers = {
        path: module
        for path, module in network.named_modules()
        if type(module).__name__ in kinds and path.rpartition(".")[2].isdigit()
    }
    if not layers:
        raise TrainingError(
            f"finetuning.shard: transformers does not say what the layers of {base.config.model_type} are; set it to "
            "false, or use another base"
        )
    return layers
