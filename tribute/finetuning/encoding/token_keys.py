"""A number for every token of a training step, the same whatever the batches: what dropout's masks hang on."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

LIMIT = 1 << 32
"""Hashes are below this."""
SPREAD = 0x9E3779B1
"""Neighbouring counts are multiplied by it before they are hashed (Knuth's multiplicative hashing)."""


def hashed(numbers: Tensor) -> Tensor:
    """T. Mueller's hash of 32 bits; int64 of any shape in and out, no product overflows."""
    for _ in range(2):
        numbers = (((numbers >> 16) ^ numbers) * 0x45D9F3B) & (LIMIT - 1)
    return (numbers >> 16) ^ numbers


def token_keys(rows: Sequence[Sequence[int]], step: int, width: int) -> Tensor:
    """A number per token of rows of token ids, padded to `width`: int64 [rows, width].

    It depends on the step, on what the row says, and on the place in it; not on the row's id, which has a name in it.
    """
    contents = torch.tensor([crc32(np.asarray(tokens, dtype=np.int64).tobytes()) for tokens in rows])
    keys = hashed((contents + hashed(torch.tensor(step))) % LIMIT)
    return hashed((keys[:, None] + torch.arange(width) * SPREAD) % LIMIT)
