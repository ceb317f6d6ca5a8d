"""From the inverse of a ridge problem to item weights, without another matrix of float64."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

_BLOCK = 64  # blocks of both triangles stay in the first cache while one is read and both are written


@njit(cache=True, nogil=True)
def _weights_of_block(a: int, b: int, inverse: NDArray[np.float64], weights: NDArray[np.float32]) -> None:
    n = len(inverse)
    for i in range(a * _BLOCK, min((a + 1) * _BLOCK, n)):
        for j in range(b * _BLOCK, min((b + 1) * _BLOCK, i)):
            weights[i, j] = -inverse[i, j] / inverse[j, j]
            weights[j, i] = -inverse[i, j] / inverse[i, i]
        if a == b:
            weights[i, i] = 0


@njit(cache=True, nogil=True, parallel=True)
def item_weights(inverse: NDArray[np.float64], weights: NDArray[np.float32]) -> None:
    """Write I - P / diag(P) (columns divided) to `weights`, (items, items); of P only the lower half is read."""
    blocks = (len(inverse) + _BLOCK - 1) // _BLOCK
    for a in prange(blocks):
        for b in range(a + 1):
            _weights_of_block(a, b, inverse, weights)
