"""Counts to similarities, a block at a time: SAR keeps whole numbers and derives the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from palate.kernels.order import merge_sort

COOCCURRENCE, JACCARD, LIFT, COSINE, INCLUSION, MUTUAL, LEXICOGRAPHERS = range(7)

_NOTED = 64  # columns read between two looks at whether the list of candidates is full


@njit(cache=True, nogil=True)
def _similarity_row(
    kind: int,
    item: int,
    row: NDArray[np.int32],
    columns: NDArray[np.int32],
    together: bool,
    mine: float,
    theirs: NDArray[np.float64],
    n_users: int,
    threshold: int,
    out: NDArray[np.floating],
) -> None:
    """Write the row of one item of `similarity_block`; `together` columns follow each other without a gap."""
    n = len(columns)
    if together:
        both = row[columns[0] : columns[0] + n]
    else:
        both = np.empty(n, np.int32)
        for c in range(n):
            both[c] = row[columns[c]]
    # One plain loop for each kind: all but the logarithms become vector code.
    if kind == COOCCURRENCE:
        for c in range(n):
            out[c] = both[c]
    elif kind == JACCARD:
        for c in range(n):
            out[c] = both[c] / max(mine + theirs[c] - both[c], 1.0)
    elif kind == LIFT:
        for c in range(n):
            out[c] = both[c] / (mine * theirs[c])
    elif kind == COSINE:
        for c in range(n):
            out[c] = both[c] / np.sqrt(mine * theirs[c])
    elif kind == INCLUSION:
        for c in range(n):
            out[c] = both[c] / min(mine, theirs[c])
    else:
        for c in range(n):
            out[c] = 0.0
            if both[c] > 0:
                bits = np.log2(n_users * both[c] / (mine * theirs[c]))
                out[c] = bits * both[c] if kind == LEXICOGRAPHERS else bits
    if threshold > 1:
        for c in range(n):
            if both[c] < threshold and columns[c] != item:
                out[c] = 0.0


@njit(cache=True, nogil=True, parallel=True)
def similarity_block(
    kind: int,
    counts: NDArray[np.int32],
    at: NDArray[np.int32],
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    popularity: NDArray[np.int64],
    n_users: int,
    threshold: int,
    block: NDArray[np.floating],
) -> None:
    """Write the similarity of items `rows` and `columns` to `block` (rows, columns).

    `counts[at[r], columns[c]]` users have both items, `popularity` users have each. A pair with fewer than
    `threshold` common users, or none, has similarity 0; an item alone is no pair. Computed in float64, rounded once.
    """
    n = len(columns)
    together = n > 0  # columns that follow each other: a row of counts is read as it lies
    theirs = np.empty(n)
    for c in range(n):
        theirs[c] = max(popularity[columns[c]], 1)
        together = together and columns[c] == columns[0] + c
    for r in prange(len(rows)):
        mine = np.float64(max(popularity[rows[r]], 1))
        row = counts[at[r]]
        _similarity_row(kind, rows[r], row, columns, together, mine, theirs, n_users, threshold, block[r])


@njit(cache=True, nogil=True)
def _note(
    row: NDArray[np.floating], start: int, stop: int, worst: np.floating, ids: NDArray[np.int32], n: np.int64
) -> np.int64:
    """Put the columns from `start` on that beat `worst` behind the first n `ids`, without a branch to guess."""
    end = np.uint64(n)
    for j in range(start, stop):
        ids[end] = j
        end += np.uint64((row[j] > worst) & (row[j] != 0))  # a similarity of 0 is none
    return np.int64(end)


@njit(cache=True, nogil=True)
def _least(values: NDArray[np.floating], k: int, counts: NDArray[np.int64]) -> Any:
    """Return one of `values` that at least k of them reach, and less than k, or, found faster, 2 k exceed."""
    low, high = values.min(), values.max()
    scale = (len(counts) - 1) / (high - low) if high > low else 0.0
    counts[:] = 0
    for value in values:
        counts[np.uint64((value - low) * scale)] += 1
    have, place = 0, len(counts)
    while have < k:
        place -= 1
        have += counts[place]
    if have >= 2 * k:
        return -np.partition(-values, k - 1)[k - 1]
    least = high
    for value in values:
        least = value if np.uint64((value - low) * scale) >= place and value < least else least
    return least


@njit(cache=True, nogil=True)
def _keep(
    row: NDArray[np.floating], ids: NDArray[np.int32], n: np.int64, k: int, counts: NDArray[np.int64]
) -> tuple[np.int64, np.floating]:
    """Keep the best k, or somewhat more, of the first n `ids`, which rise; return how many, and their worst value."""
    values = row[ids[:n]]
    worst = _least(values, k, counts)
    equal, kept = k, np.uint64(0)
    for value in values:
        equal -= value > worst
    for c in range(n):  # of those as good as the worst only the first ids that still find room
        ids[kept] = ids[c]
        kept += np.uint64((values[c] > worst) | ((values[c] == worst) & (equal > 0)))
        equal -= values[c] == worst
    return np.int64(kept), worst


@njit(cache=True, nogil=True)
def _nearest_row(
    row: NDArray[np.floating], item: int, near: NDArray[np.floating], found: NDArray[np.int32]
) -> None:
    near[:], found[:] = 0, -1
    near[0], found[0] = row[item], item
    k = len(near) - 1
    if k == 0:
        return
    row[item] = 0  # for as long as others are looked for
    full = 6 * k  # candidates
    ids = np.empty(full + _NOTED, np.int32)
    counts = np.empty(256, np.int64)
    n, worst = np.int64(0), row.dtype.type(-np.inf)
    for start in range(0, len(row), _NOTED):
        n = _note(row, start, min(start + _NOTED, len(row)), worst, ids, n)
        if n > full or (start + _NOTED >= len(row) and n > k):
            n, worst = _keep(row, ids, n, k, counts)
    places = np.arange(n)
    merge_sort(-row[ids[:n]], places, np.empty(n, np.int64))
    for c in range(min(n, k)):
        near[1 + c], found[1 + c] = row[ids[places[c]]], ids[places[c]]
    row[item] = near[0]


@njit(cache=True, nogil=True, parallel=True)
def nearest(
    block: NDArray[np.floating], rows: NDArray[np.int32], near: NDArray[np.floating], found: NDArray[np.int32]
) -> None:
    """Write the items most similar to each of `rows`, by similarity falling, then id rising; 0 is not similar.

    Args:
        block: (rows, items) similarities.
        rows: the items of the rows.
        near, found: (items, 1 + k) similarity and id, the item itself first; 0 and -1 where there are fewer.
    """
    for r in prange(len(rows)):
        _nearest_row(block[r], rows[r], near[rows[r]], found[rows[r]])


@njit(cache=True, nogil=True)
def add_user(
    counts: NDArray[np.int32], items: NDArray[np.int32], fresh: NDArray[np.bool_], amount: int
) -> None:
    """Add `amount` to the count of each pair of a user's distinct `items` of which at least one is `fresh`."""
    for a in range(len(items)):
        for b in range(len(items)):
            if fresh[a] or fresh[b]:
                counts[items[a], items[b]] += amount


@njit(cache=True, nogil=True, parallel=True)
def dot_users(
    indptr: NDArray[np.int64], item: NDArray[np.int32], weight: NDArray[np.floating], one: NDArray[np.float64],
    products: NDArray[np.float64],
) -> None:  # fmt: skip
    """Write the dot product of every user's affinity (CSR) with one dense affinity (items) to `products` (users)."""
    for u in prange(len(indptr) - 1):
        total = 0.0
        for n in range(indptr[u], indptr[u + 1]):
            total += weight[n] * one[item[n]]
        products[u] = total
