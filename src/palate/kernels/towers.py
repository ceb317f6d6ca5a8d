"""Scores of users and items by small towers of layers over their pairs: GMF, an MLP, or both with one output.

Items are walked in tiles of 32, whose numbers lie side by side in registers: a layer is then the weighted sum of the
rows of the layer below (`strip.weighted_rows`), and nothing of a pair is written outside the first cache. Every score
has one order of sums, whoever else is asked for, so it is the same for any subset and any number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from palate.kernels.strip import STRIP_BYTES, twice_weighted_rows, weighted_rows

Single = NDArray[np.float32]

WIDTH = STRIP_BYTES // 4
"""items in a tile"""
_RUN = 16  # contexts that one thread takes through the tiles together


def tiles(rows: NDArray[np.floating]) -> Single:
    """Return (items, size) numbers as (tiles, size, 32), padded with zeros."""
    n_items, size = rows.shape
    n_tiles = -(-n_items // WIDTH)
    padded = np.zeros((n_tiles * WIDTH, size), np.float32)
    padded[:n_items] = rows
    return np.ascontiguousarray(padded.reshape(n_tiles, WIDTH, size).transpose(0, 2, 1))


@njit(cache=True, nogil=True)
def _first_layer(user: Single, item: Single, x: Single) -> None:
    zero = np.float32(0)
    for j in range(len(user)):
        for t in range(WIDTH):
            x[j, t] = max(user[j] + item[j, t], zero)


@njit(cache=True, nogil=True)
def _layer(
    n: int, size: int, row: NDArray[np.int32], x: Single, weight: Single, bias: Single, y: Single
) -> None:
    """Write relu(weight @ x + bias) to y (size, 32); x (n, 32), weight (size x n, flat)."""
    zero = np.float32(0)
    for o in range(0, size - 1, 2):
        one, other = weight[o * n : (o + 1) * n], weight[(o + 1) * n : (o + 2) * n]
        twice_weighted_rows(0, n, row, x, one, other, y[o], y[o + 1])
    if size % 2:
        weighted_rows(0, n, row, x, weight[(size - 1) * n :], y[size - 1])
    for o in range(size):
        for t in range(WIDTH):
            y[o, t] = max(y[o, t] + bias[o], zero)


@njit(cache=True, nogil=True)
def _run(
    run: range, gmf_user: Single, gmf_item: Single, mlp_user: Single, mlp_item: Single,
    sizes: NDArray[np.int64], weights: Single, biases: Single, output: Single, base: np.float32, out: Single,
) -> None:  # fmt: skip
    factors, n_items = gmf_user.shape[1], out.shape[1]
    most = max(sizes.max(), factors, 1)
    row = np.arange(most).astype(np.int32)
    x, y = np.empty((most, WIDTH), np.float32), np.empty((most, WIDTH), np.float32)
    total, more = np.empty(WIDTH, np.float32), np.empty(WIDTH, np.float32)
    for tile in range(len(gmf_item)):
        first = tile * WIDTH
        for c in run:
            weighted_rows(0, factors, row, gmf_item[tile], gmf_user[c], total)
            if sizes[0] > 0:
                _first_layer(mlp_user[c], mlp_item[tile], x)
                below, above = x, y
                at_weight, at_bias = 0, 0
                for layer in range(1, len(sizes)):
                    n, size = sizes[layer - 1], sizes[layer]
                    weight, bias = weights[at_weight : at_weight + n * size], biases[at_bias : at_bias + size]
                    _layer(n, size, row, below, weight, bias, above)
                    below, above = above, below
                    at_weight += n * size
                    at_bias += size
                weighted_rows(0, sizes[-1], row, below, output, more)
                for t in range(WIDTH):
                    total[t] += more[t]
            for t in range(min(WIDTH, n_items - first)):
                out[c, first + t] = total[t] + base


@njit(cache=True, nogil=True, parallel=True)
def scores(
    gmf_user: Single, gmf_item: Single, mlp_user: Single, mlp_item: Single,
    sizes: NDArray[np.int64], weights: Single, biases: Single, output: Single, base: np.float32, out: Single,
) -> None:  # fmt: skip
    """Write the score of every context and item to `out` (contexts, items), float32.

    Args:
        gmf_user: (contexts, factors) times the output weights; gmf_item: (tiles, factors, 32). factors may be 0.
        mlp_user: (contexts, sizes[0]) the user's part of the first layer, with its bias.
        mlp_item: (tiles, sizes[0], 32) the item's part.
        sizes: of the layers from the first hidden one; one 0 where there is no MLP.
        weights, biases: of the layers from the second, flat, one after the other. output: (sizes[-1]).
        base: of every score.
        out: changed in place.
    """
    for block in prange((len(out) + _RUN - 1) // _RUN):
        run = range(block * _RUN, min((block + 1) * _RUN, len(out)))
        _run(run, gmf_user, gmf_item, mlp_user, mlp_item, sizes, weights, biases, output, base, out)
