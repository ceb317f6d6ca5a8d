"""Which numbers a dropout keeps: drawn by a counter, so that one multiplication in 64 bits serves four of them."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from palate.kernels.sampling import mixed


@njit(cache=True, nogil=True)
def keep(seed: np.uint64, threshold: np.uint64, value: np.float32, out: NDArray[np.float32]) -> None:
    """Fill `out` with `value` where 16 random bits are at least `threshold`, else with 0.

    The bits are SplitMix64 of a counter, which passes BigCrush; each draw serves four numbers. The length of `out`
    must be a multiple of four.
    """
    for place in range(np.uint64(len(out) // 4)):
        bits = mixed(seed, np.uint64(place))
        for part in range(np.uint64(4)):
            drawn = (bits >> (np.uint64(16) * part)) & np.uint64(0xFFFF)
            out[np.uint64(4) * place + part] = value if drawn >= threshold else np.float32(0)
