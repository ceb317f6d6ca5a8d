"""Dropout whose random numbers cost less than the network on a processor."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


class Dropout(nn.Module):
    """Leave out a share of numbers while learning, and raise the others so that the mean stays.

    torch draws for each number apart, which takes a tenth of an epoch. Here a draw serves four numbers, so a share is
    kept to one part in 65,536. Seeded by torch's generator. On accelerators, and for float64, it is torch's own.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same."""
        if not self.training or self.share == 0:
            return x
        if x.device.type != "cpu" or x.dtype != torch.float32:
            return functional.dropout(x, self.share)
        from palate.kernels.dropout import keep

        kept = torch.empty(-(-x.numel() // 4) * 4)
        seed = int(torch.randint(2**62, ()))
        keep(
            np.uint64(seed),
            np.uint64(round(self.share * 65_536)),
            np.float32(1 / (1 - self.share)),
            kept.numpy(),
        )
        return x * kept[: x.numel()].view(x.shape)
