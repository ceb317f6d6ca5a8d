"""AdamW (Loshchilov and Hutter, ICLR 2019): its moments, and a step by torch's own kernels.

torch.optim's class does the same to the bit, but making one loads torch's compiler: some 60 MB, and seconds of a
program's start, which a model of a few megabytes would pay for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from palate.neural import processes

_EPS = 1e-8


class AdamW:
    """The moments of parameters, (as each parameter) two of them, and how many steps they have seen."""

    def __init__(
        self, parameters: Sequence[nn.Parameter], *, betas: tuple[float, float], weight_decay: float
    ) -> None:
        self.parameters, self.betas, self.weight_decay = list(parameters), betas, weight_decay
        self.moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in self.parameters]
        self.steps = [torch.zeros((), device=processes.own(one).device) for one in self.parameters]
        shared = [processes.is_part(one) for one in self.parameters]
        self.groups = [
            [place for place, is_shared in enumerate(shared) if is_shared is kind] for kind in (False, True)
        ]

    def step(self, learning_rate: float) -> None:
        """Move every parameter by its gradient."""
        for places in filter(None, self.groups):
            some: list[Tensor] = [self.parameters[place] for place in places]
            whole = not processes.is_part(some[0])
            with torch.no_grad():
                adamw(
                    some,
                    [one.grad for one in some if one.grad is not None],
                    [self.moments[place][0] for place in places],
                    [self.moments[place][1] for place in places],
                    [],
                    [self.steps[place] for place in places],
                    fused=whole and some[0].device.type in ("cpu", "cuda"),
                    amsgrad=False,
                    beta1=self.betas[0],
                    beta2=self.betas[1],
                    lr=learning_rate,
                    weight_decay=self.weight_decay,
                    eps=_EPS,
                    maximize=False,
                )

    def state(self) -> dict[str, Tensor]:
        """Return moments and steps by name."""
        found: dict[str, Tensor] = {}
        for place, (mean, square) in enumerate(self.moments):
            found |= {f"{place}.mean": mean, f"{place}.square": square, f"{place}.steps": self.steps[place]}
        return found

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned, of whole parameters."""
        for place, one in enumerate(self.parameters):
            for kept, name in zip(self.moments[place], ("mean", "square"), strict=True):
                kept.copy_(processes.like(state[f"{place}.{name}"].to(self.steps[place].device), one))
            self.steps[place].copy_(state[f"{place}.steps"])
