"""Which rows a split takes: a draw inside each group, the first rows of each group, pairs met before."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def draw(
    codes: NDArray[np.int32],
    draws: NDArray[np.float64],
    left: NDArray[np.int64],
    wanted: NDArray[np.int64],
    taken: NDArray[np.bool_],
) -> None:
    """Take `wanted[c]` of the `left[c]` rows of each code c, every choice equally likely; marks `taken`.

    Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, Algorithm S), run for all groups at
    once: one pass in row order, no sorting. `left` and `wanted` are counted down, so rows may come in blocks.
    `draws` are uniform in [0, 1), one for each row.
    """
    for row in range(len(codes)):
        code = codes[row]
        if draws[row] * left[code] < wanted[code]:
            taken[row] = True
            wanted[code] -= 1
        left[code] -= 1


@njit(cache=True, nogil=True, parallel=True)
def take_first(
    indptr: NDArray[np.int64], rows: NDArray[np.int64], wanted: NDArray[np.int64], taken: NDArray[np.bool_]
) -> None:
    """Mark in `taken` the first `wanted[c]` rows of each group `rows[indptr[c]:indptr[c + 1]]`."""
    for c in prange(len(indptr) - 1):
        for n in range(indptr[c], indptr[c] + wanted[c]):
            taken[rows[n]] = True


@njit(cache=True, nogil=True)
def count_met(
    indptr: NDArray[np.int64],
    rows: NDArray[np.int64],
    item: NDArray[np.int32],
    later_indptr: NDArray[np.int64],
    later_rows: NDArray[np.int64],
    later_item: NDArray[np.int32],
    n_items: int,
) -> int:
    """Count the later rows whose user met the same item in the earlier rows (both grouped by the same users).

    An item of code -1 was never met. Linear in the rows: each item remembers the last user who met it.
    """
    met_by = np.full(n_items, -1, np.int64)
    count = 0
    for user in range(len(indptr) - 1):
        if later_indptr[user] == later_indptr[user + 1]:
            continue
        for n in range(indptr[user], indptr[user + 1]):
            met_by[item[rows[n]]] = user
        for n in range(later_indptr[user], later_indptr[user + 1]):
            code = later_item[later_rows[n]]
            if code >= 0 and met_by[code] == user:
                count += 1
    return count
