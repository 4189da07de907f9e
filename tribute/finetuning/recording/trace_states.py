"""The recorded states of a training: one safetensors file, written and read state by state.

`theta`, `m` and `v` are [states, parameters]. Neither side ever holds more than one state: a long training of many
parameters leaves tens of gigabytes.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from tribute.config import TracePrecision

VECTORS = ("theta", "m", "v")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PRECISIONS: dict[str, TracePrecision] = {"F32": "float32", "BF16": "bfloat16"}
"""What safetensors calls them → their names."""


@dataclass(frozen=True)
class State:
    """Before step `step`: parameters and Adam's moments, each float32 [parameters], read when they are asked for."""

    step: int
    read: Callable[[str], Tensor]
    precision: TracePrecision = "float32"
    """In which the moments were kept."""

    @property
    def theta(self) -> Tensor:
        """The parameters."""
        return self.read("theta")

    @property
    def m(self) -> Tensor:
        """The first moment."""
        return self.read("m")

    @property
    def v(self) -> Tensor:
        """The second moment."""
        return self.read("v")


class StatesFile:
    """A file for a known number of states, whose places are filled in any order, also again.

    Its bytes are those that safetensors writes for the whole at once. So a training that resumes from a checkpoint
    writes the states after it again, and leaves the file of an undisturbed one.
    """

    def __init__(self, path: Path, states: int, parameters: int, precision: TracePrecision) -> None:
        self.path = path
        self.dtypes = {"theta": "float32", "m": precision, "v": precision}
        sizes = {name: DTYPES[dtype].itemsize * parameters for name, dtype in self.dtypes.items()}
        header, end = {}, 0
        self.offsets: dict[str, int] = {}
        # The order in which safetensors lays tensors out.
        for name in sorted(VECTORS, key=lambda name: (-sizes[name], name)):
            start, end = end, end + states * sizes[name]
            header[name] = {
                "dtype": next(code for code, known in PRECISIONS.items() if known == self.dtypes[name]),
                "shape": [states, parameters],
                "data_offsets": [start, end],
            }
            self.offsets[name] = start
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self.head, self.sizes = len(text).to_bytes(8, "little") + text, sizes
        self.length = len(self.head) + end

    def create(self) -> None:
        """Make it anew, with zeros in all places."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        with self.path.open("xb") as file:
            file.write(self.head)
            file.truncate(self.length)

    def write(self, place: int, name: str, parts: Iterable[Tensor]) -> None:
        """Fill the place of one vector of a state with `parts`, which together are [parameters]."""
        dtype = DTYPES[self.dtypes[name]]
        with self.path.open("r+b") as file:
            file.seek(len(self.head) + self.offsets[name] + place * self.sizes[name])
            for tensor in parts:
                flat = tensor.detach().to("cpu", dtype).contiguous().view(-1)
                file.write(flat.view(torch.uint8).numpy().data)


def copy_states(states: Sequence[State], parameters: int, path: Path) -> list[State]:
    """The same states in a file of their own; one vector is held at a time."""
    file = StatesFile(path, len(states), parameters, states[-1].precision)
    file.create()
    for place, state in enumerate(states):
        for name in VECTORS:
            file.write(place, name, [state.read(name)])
    return read_states(path, [state.step for state in states])


def read_states(path: Path, steps: Sequence[int]) -> list[State]:
    """The states of these steps in a file, none of which is read yet.

    Raises ValueError where the file holds other vectors, and what safetensors raises where it is no whole file.
    """
    with safe_open(path, "pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in VECTORS]
        precision = PRECISIONS[file.get_slice("m").get_dtype()]
    if shapes != [[len(steps), shapes[0][1]]] * len(VECTORS):
        raise ValueError(f"{path.name} holds {shapes}, expected {len(steps)} states of theta, m and v")
    return [State(step, partial(_read, path, place), precision) for place, step in enumerate(steps)]


def _read(path: Path, place: int, name: str) -> Tensor:
    with safe_open(path, "pt") as file:
        vector: Tensor = file.get_slice(name)[place]
    return vector.float()
