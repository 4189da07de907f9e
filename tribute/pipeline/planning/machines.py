"""How fast a machine is: GPUs by their makers' datasheets, this CPU by half a layer of the base's own size."""

import time
from dataclasses import dataclass

from tribute.errors import ConfigError

GB = 1e9
USED = 0.4
"""The part of a datasheet's peak that LoRA training of a large model reaches (model FLOPs utilization). Chowdhery et
al. 2022, table 3, give 0.21 to 0.46 for pre-training on many devices; of Tribute on a GPU it is not measured."""
TRIED = 0.3
"""Seconds of computing by which this CPU is measured."""
RANK = 8
"""Of the adapters in what is tried."""


@dataclass(frozen=True)
class Machine:
    """What stages are planned for."""

    name: str
    flops: float
    """Floating point operations a second that a training gets out of it."""
    memory: float | None = None
    """Of the device, bytes; None where it is the host's."""
    source: str = ""

    @property
    def is_gpu(self) -> bool:
        """Whether device and host have memories of their own."""
        return self.memory is not None


def _gpu(name: str, gigabytes: float, teraflops: float, source: str) -> Machine:
    """From memory and the dense peak in bfloat16, without sparsity."""
    return Machine(name, USED * teraflops * 1e12, gigabytes * GB, f"https://{source}")


GPUS = {
    gpu.name: gpu
    for gpu in (
        _gpu("a100-80gb", 80, 312, "www.nvidia.com/en-us/data-center/a100"),
        _gpu("h100-sxm", 80, 989, "www.nvidia.com/en-us/data-center/h100"),
        _gpu("h200-sxm", 141, 989, "www.nvidia.com/en-us/data-center/h200"),
        _gpu("l4", 24, 121, "www.nvidia.com/en-us/data-center/l4"),
        _gpu("l40s", 48, 362, "www.nvidia.com/en-us/data-center/l40s"),
    )
}
"""By name; memory and dense bfloat16 peak from the sources' datasheets, where those with sparsity are halved."""


def machine(name: str, width: int, inner: int, tokens: int) -> Machine:
    """The GPU of this name, or `cpu`: one core of this machine, tried on half a layer that `tokens` pass through.

    Raises ConfigError for a name that is not known.
    """
    if name != "cpu" and name not in GPUS:
        raise ConfigError(f"the plan does not know {name!r}; it knows cpu, {', '.join(GPUS)}")
    return GPUS[name] if name in GPUS else Machine("cpu", _core_flops(width, inner, tokens))


def _core_flops(width: int, inner: int, tokens: int) -> float:
    """FLOP a second of CPU time, with one thread: the median of several tries.

    A gated half of a layer with adapters, there and back: what is done element by element, and products with a narrow
    matrix, take most of a small layer's time and little of a large one's.
    """
    import torch
    from torch.nn import functional

    from tribute.finetuning.models.threads import one_thread

    up, gate, down = torch.zeros(width, inner), torch.zeros(width, inner), torch.zeros(inner, width)
    before, after = (
        [torch.zeros(rows, RANK, requires_grad=True), torch.zeros(RANK, columns, requires_grad=True)]
        for rows, columns in ((width, inner), (inner, width))
    )
    states = torch.rand(tokens, width, requires_grad=True)
    flop = 4 * tokens * 3 * width * inner + 12 * tokens * RANK * (width + inner)
    rates = list[float]()
    with one_thread():
        end = time.process_time() + TRIED
        while time.process_time() < end or len(rates) < 3:
            start = time.process_time()
            read = functional.rms_norm(states, (width,))
            middle = functional.silu(read @ gate) * (read @ up + read @ before[0] @ before[1])
            torch.autograd.backward((states + middle @ down + middle @ after[0] @ after[1]).sum())
            rates.append(flop / max(time.process_time() - start, 1e-6))
    return sorted(rates)[len(rates) // 2]
