"""Dropout on LoRA's inputs that can be replayed: its masks are a function of seed, step, row, token, layer and feature.

A generator's masks would depend on the order of batches, on padding and on the device. A hash does not: attribution
meets the masks of the training in whatever order it walks, and retrainings without some rows share them.
"""

from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from zlib import crc32

import torch
from torch import Tensor, nn

from tribute.errors import TrainingError
from tribute.finetuning.encoding.token_keys import LIMIT, SPREAD, hashed


class TokensInPass:
    """What the dropout layers of a model share: the keys of the tokens in the forward pass, None outside training."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None

    def of(self, keys: Tensor | None) -> AbstractContextManager[None]:
        """A context, also entered repeatedly, in which `keys` are those of the pass."""
        return _Pass(self, keys)

    def for_checkpoint(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """For `torch.utils.checkpoint`: the second forward pass, on the way back, has the tokens of the first."""
        return nullcontext(), self.of(self.keys)


class _Pass(AbstractContextManager[None]):
    def __init__(self, shared: TokensInPass, keys: Tensor | None) -> None:
        self.shared, self.keys = shared, keys

    def __enter__(self) -> None:
        self.before, self.shared.keys = self.shared.keys, self.keys

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.shared.keys = self.before


class RowDropout(nn.Module):
    """Inverted dropout (Srivastava et al. 2014) of x [rows, tokens, features]; outside training the identity."""

    def __init__(self, probability: float, seed: int, name: str, tokens: TokensInPass) -> None:
        super().__init__()
        self.probability, self.key, self.name, self.tokens = probability, crc32(f"{seed}/{name}".encode()), name, tokens

    def forward(self, x: Tensor) -> Tensor:
        """Each feature of each token zeroed with the probability, the others scaled by 1 / (1 − probability).

        Raises TrainingError where x is not of the tokens in the pass.
        """
        keys = self.tokens.keys
        if keys is None:
            return x
        if x.shape[:-1] != keys.shape:
            raise TrainingError(
                f"finetuning.lora.dropout: {self.name} does not see tokens row by row; take it out of target_modules "
                "or set dropout to 0"
            )
        features = hashed((self.key + torch.arange(x.shape[-1], device=x.device) * SPREAD) % LIMIT)
        kept = hashed(keys[..., None] ^ features) >= self.probability * LIMIT
        return x * kept / (1 - self.probability)

    def extra_repr(self) -> str:
        """As torch shows its own dropout."""
        return f"p={self.probability}"
