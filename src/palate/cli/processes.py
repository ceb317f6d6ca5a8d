"""A command that `torchrun` starts many times over: all learn together, and one of them tells and saves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from palate.neural.choices import Device


@contextlib.contextmanager
def together(device: Device) -> Iterator[bool]:
    """Join the processes that `torchrun` started, and yield whether this one saves and tells; alone it does."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield True
        return
    from torch import distributed

    from palate.neural import devices, processes

    number, _ = processes.join(devices.pick(device))
    try:
        yield number == 0
        distributed.barrier()  # nobody goes on before the model is saved
    finally:
        distributed.destroy_process_group()
