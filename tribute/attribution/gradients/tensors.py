"""Tensors on disk with their own checksum, written whole or not at all."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tribute.errors import IntegrityError
from tribute.files import write_atomically

CHECKSUM = "sha256"


def save_checked(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file whose header holds the sha256 of its tensors."""
    placed = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    write_atomically(path, save(placed, {CHECKSUM: checksum(placed)}))


def load_checked(path: Path, remedy: str = "delete its folder and run the command again") -> dict[str, Tensor]:
    """Read what `save_checked` wrote. Raises IntegrityError naming the file where it is not as it was written."""
    try:
        with safe_open(path, framework="pt") as file:
            recorded = (file.metadata() or {}).get(CHECKSUM)
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (OSError, SafetensorError) as error:
        raise IntegrityError(f"{path}: cannot be read ({error}); {remedy}") from error
    found = checksum(tensors)
    if found != recorded:
        raise IntegrityError(f"{path}: sha256 of its tensors is {found}, it was written with {recorded}; {remedy}")
    return tensors


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bytes, 64 hex digits."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
