"""Where to compute, in what precision, and what to say when memory runs out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

import torch

from palate.errors import OutOfMemory, PlanError
from palate.neural.choices import Device, Precision

__all__ = ["Device", "Precision"]

_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")
"""of memory that ran out, in the words of torch, Apple's cards and cuBLAS"""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_BLOCK = 2**22
"""Bytes from which a tensor has pages of its own, that are given back with it."""


def pick(device: Device) -> torch.device:
    """Return the device asked for; `auto` is a CUDA card where there is one, else the processor.

    Raises PlanError for one that is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = "cuda" if there["cuda"] else "cpu"
    if not there[device]:
        raise PlanError(
            f'device = "{device}" is not to be had here (torch {torch.__version__}): take "auto" or "cpu".'
        )
    # Under torchrun each process of a machine has a card of its own.
    return (
        torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        if device == "cuda"
        else torch.device(device)
    )


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[None]:
    """Return the context in which a forward pass runs: bfloat16 products on request."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def threads() -> int:
    """Return how many threads torch is to use: as OMP_NUM_THREADS says, else as many as it uses now."""
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(told) if told.isdecimal() and int(told) > 0 else torch.get_num_threads()


def return_memory() -> None:
    """Have memory that torch frees on a processor go back to the system, where that can be told (glibc).

    Else what layers make and drop again stays behind in holes of the heap, which grow to twice what is in use. Torch's
    own large pages (THP_MEM_ALLOC_ENABLE=1 in the environment, read at its first tensor) make new pages cheap.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_M_MMAP_THRESHOLD, _BLOCK)
        mallopt(_M_TRIM_THRESHOLD, _BLOCK)


def seed(number: int, device: torch.device) -> None:
    """Seed what a training draws from: the processor's generator, and that of its device alone."""
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)


@contextlib.contextmanager
def own_random(number: int, device: torch.device | None = None) -> Iterator[None]:
    """Draw by a seed while it lasts; torch's generators, which are the user's, then stand where they stood."""
    device = device or torch.device("cpu")
    held = torch.get_rng_state(), _state(device)
    try:
        seed(number, device)
        yield
    finally:
        torch.set_rng_state(held[0])
        _set_state(device, held[1])


def _state(device: torch.device) -> torch.Tensor | None:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def _set_state(device: torch.device, state: torch.Tensor | None) -> None:
    if state is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif state is not None:
        torch.mps.set_rng_state(state)


@contextlib.contextmanager
def enough_memory(advice: str) -> Iterator[None]:
    """Turn torch's ways of saying that memory ran out into one error with `advice`."""
    try:
        yield
    except OutOfMemory:
        raise
    except (RuntimeError, MemoryError) as error:
        words = " ".join(str(error).split())[:120]
        if not isinstance(error, MemoryError) and not any(sign in str(error).lower() for sign in _SIGNS):
            raise
        raise OutOfMemory(f"the memory did not suffice{f' ({words})' if words else ''}. {advice}") from None
