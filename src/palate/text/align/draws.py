"""What dropout draws by: kept, and put back where a text is read again and is to be read the same way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TypeAlias

import torch
from torch import Tensor

State: TypeAlias = tuple[Tensor, Tensor | None]
"""Of the processor's generator, and of the card's where the weights are on one."""


def state(device: torch.device) -> State:
    """Return the state of the generators that a device draws by."""
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def restore(device: torch.device, kept: State) -> None:
    """Draw on from a state."""
    torch.set_rng_state(kept[0])
    if kept[1] is not None:
        torch.cuda.set_rng_state(kept[1], device)


@contextlib.contextmanager
def from_state(device: torch.device, kept: State) -> Iterator[None]:
    """Draw from a state while it lasts, and then on from where it stood before."""
    now = state(device)
    restore(device, kept)
    try:
        yield
    finally:
        restore(device, now)
