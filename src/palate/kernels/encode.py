"""Integer ids to codes, without sorting where the range of the ids is small enough for a table."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def mark(values: NDArray[np.int64], low: int, size: int) -> NDArray[np.uint8]:
    """Return a flag for each id of `low .. low + size - 1`: 1 where `values` holds it."""
    seen = np.zeros(size, np.uint8)
    for value in values:
        seen[value - low] = 1
    return seen


@njit(cache=True, nogil=True)
def look_up(values: NDArray[np.int64], low: int, table: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return `table[value - low]` for each value, -1 outside of the table."""
    codes = np.empty(len(values), np.int32)
    high = low + len(table)
    for n in range(len(values)):
        value = values[n]
        codes[n] = table[value - low] if low <= value < high else -1
    return codes


@njit(cache=True, nogil=True)
def bisect(values: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the position of each value in the sorted `ids`, -1 where it is not there."""
    codes = np.empty(len(values), np.int32)
    for n in range(len(values)):
        at = np.searchsorted(ids, values[n])
        codes[n] = at if at < len(ids) and ids[at] == values[n] else -1
    return codes
