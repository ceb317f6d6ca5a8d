"""Matrices of items by items: refused with advice, before the machine runs out of memory."""

from __future__ import annotations

import os

from palate.errors import DataError


def check_memory(model: str, n_items: int, bytes_each: int, advice: str) -> None:
    """Raise DataError when `bytes_each` x items^2 are more than four fifths of this machine's memory."""
    needed = bytes_each * n_items**2
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else needed
    if needed > 0.8 * there:
        raise DataError(
            f"{model}: {n_items:,} x {n_items:,} items need {needed / 2**30:.0f} GB and this machine has "
            f"{there / 2**30:.0f}: {advice}."
        )
