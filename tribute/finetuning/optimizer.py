"""Adam with eps inside the root, so that a step is a smooth function of every gradient before it.

With eps outside, θ's step as a function of the gradients has a kink where v = 0. That happens in every LoRA
training (A has no gradient while B is 0), and there the derivative that replay walks along is infinite.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015) without weight decay and with eps inside the root: see RootAdam."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-4
    """Gradients far below it move a parameter as in SGD, those far above it as in Adam.

    Measured on 900 rows of CLINC150, last-layer LoRA, three seeds, against torch's 1e-8: loss + 0.0005, accuracy the
    same, and the contributors' in-run shares of two seeds differ by Σ|Δ| 0.17–0.21 where they differed by 0.60–0.94:
    at 1e-8 a few parameters whose first gradients happen to cancel decide the credit of single rows. Changing a row's
    weight by 2 % moves the final loss as the derivative says, within 2 %; at 1e-5 a change by 1 % missed it by 9–60 %.
    """


class RootAdam(torch.optim.Optimizer):
    """θ ← θ − lr · m̂ / √(v̂ + ε²), m̂ and v̂ the bias-corrected moments of Kingma & Ba (2015).

    Its state is called as torch calls Adam's, so that it is saved, resumed and recorded in the same way.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float, adam: Adam) -> None:
        super().__init__(parameters, {"lr": learning_rate, "betas": (adam.beta1, adam.beta2), "eps": adam.eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state |= {"step": 0, "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["exp_avg"].lerp_(gradient, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (state["exp_avg_sq"] / (1 - beta2 ** state["step"])).add_(group["eps"] ** 2).sqrt_()
        parameter.addcdiv_(state["exp_avg"], root, value=-group["lr"] / (1 - beta1 ** state["step"]))
