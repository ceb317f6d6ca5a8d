"""Counts to similarities, a block at a time: SAR keeps whole numbers and derives the rest."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

COOCCURRENCE, JACCARD, LIFT, COSINE, INCLUSION, MUTUAL, LEXICOGRAPHERS = range(7)


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
def _sink(near: NDArray[np.floating], found: NDArray[np.int32], end: int) -> None:
    """Let the root of a heap of `end` sink to its place: the root is the worst, least similar, then latest id."""
    value, item, place = near[0], found[0], 0
    while 2 * place + 1 < end:
        below = 2 * place + 1
        other = below + 1
        if other < end and (
            near[other] < near[below] or (near[other] == near[below] and found[other] > found[below])
        ):
            below = other
        if value < near[below] or (value == near[below] and item > found[below]):
            break
        near[place], found[place] = near[below], found[below]
        place = below
    near[place], found[place] = value, item


@njit(cache=True, nogil=True)
def _nearest_row(
    row: NDArray[np.floating], item: int, near: NDArray[np.floating], found: NDArray[np.int32]
) -> None:
    near[0], found[0] = row[item], item
    best, ids = near[1:], found[1:]
    k = len(ids)
    best[:] = -np.inf
    ids[:] = len(row)
    if k == 0:
        return
    worst = best[0]
    for j in range(len(row)):
        if row[j] > worst and row[j] != 0 and j != item:  # a similarity of 0 is none
            best[0], ids[0] = row[j], j
            _sink(best, ids, k)
            worst = best[0]
    for end in range(k - 1, 0, -1):  # the worst goes to the end, again and again
        best[0], best[end] = best[end], best[0]
        ids[0], ids[end] = ids[end], ids[0]
        _sink(best, ids, end)
    for n in range(k):
        if ids[n] == len(row):
            best[n], ids[n] = 0, -1


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
