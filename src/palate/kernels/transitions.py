"""What follows what: pairs of items that stand near each other in a history, counted by a weight of each distance."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from palate.kernels import order

_RUN = 64  # items that one thread takes in turn, with one buffer for all of them


@njit(cache=True, nogil=True)
def _near(
    place: int,
    step: int,
    end: int,
    item: NDArray[np.int32],
    weight: NDArray[np.float64],
    total: NDArray[np.float64],
    met: NDArray[np.int32],
    n: int,
) -> int:
    """Add the weights of what stands 1, 2 ... steps from a place, up to `end`, to `total` (items).

    An item whose total was 0 is listed in `met`, which holds `n`; returns how many it holds then.
    """
    for d in range(len(weight)):
        place += step
        if place == end:
            break
        b = item[place]
        if total[b] == 0 and weight[d] > 0:
            met[n] = b
            n += 1
        total[b] += weight[d]
    return n


@njit(cache=True, nogil=True)
def _rows_of_run(
    first: int,
    stop: int,
    by_item: NDArray[np.int64],
    places: NDArray[np.int64],
    item: NDArray[np.int32],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    ahead: NDArray[np.float64],
    behind: NDArray[np.float64],
    indptr: NDArray[np.int64],
    found: NDArray[np.int32],
    weight: NDArray[np.float32],
) -> None:
    n_items = len(by_item) - 1
    total, met = np.zeros(n_items), np.empty(n_items, np.int32)
    for a in range(first, stop):
        n = 0
        for p in range(by_item[a], by_item[a + 1]):
            place = places[p]
            n = _near(place, 1, end[place], item, ahead, total, met, n)
            n = _near(place, -1, start[place] - 1, item, behind, total, met, n)
        if len(found) == 0:
            indptr[a + 1] = n
        for m in range(n):
            if len(found):
                found[indptr[a] + m] = met[m]
                weight[indptr[a] + m] = total[met[m]]
            total[met[m]] = 0


@njit(cache=True, nogil=True, parallel=True)
def _rows(
    by_item: NDArray[np.int64],
    places: NDArray[np.int64],
    item: NDArray[np.int32],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    ahead: NDArray[np.float64],
    behind: NDArray[np.float64],
    indptr: NDArray[np.int64],
    found: NDArray[np.int32],
    weight: NDArray[np.float32],
) -> None:
    """Write each item's row to `found` and `weight`, at `indptr`; where these are empty, its length to `indptr`."""
    n = len(by_item) - 1
    for run in prange((n + _RUN - 1) // _RUN):
        first, last = run * _RUN, min((run + 1) * _RUN, n)
        _rows_of_run(first, last, by_item, places, item, start, stop, ahead, behind, indptr, found, weight)


def transitions(
    indptr: NDArray[np.int64],
    item: NDArray[np.int32],
    n_items: int,
    ahead: NDArray[np.float64],
    behind: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Count what stands near each item: CSR of items by items, in the order in which they are met, and weights.

    Args:
        indptr, item: histories, oldest first.
        n_items: size of the catalogue.
        ahead, behind: (window) weight of an item that stands 1, 2 ... places after, or before; 0: not counted.

    Twice 2 x window steps an event, 12 bytes for each pair that occurs; the same for any number of threads.
    """
    lengths = np.diff(indptr)
    start, stop = np.repeat(indptr[:-1], lengths), np.repeat(indptr[1:], lengths)
    by_item, places = order.group(item, n_items)
    rows = np.zeros(n_items + 1, np.int64)
    given = by_item, places, item, start, stop, ahead, behind, rows
    _rows(*given, np.empty(0, np.int32), np.empty(0, np.float32))
    np.cumsum(rows, out=rows)
    found, weight = np.empty(rows[-1], np.int32), np.empty(rows[-1], np.float32)
    if rows[-1]:
        _rows(*given, found, weight)
    return rows, found, weight


@njit(cache=True, nogil=True, parallel=True)
def add_rows(
    context: NDArray[np.int64],
    past: NDArray[np.int32],
    weight: NDArray[np.float64],
    indptr: NDArray[np.int64],
    item: NDArray[np.int32],
    value: NDArray[np.float32],
    scores: NDArray[np.float64],
) -> None:
    """Add to each context's `scores` (contexts, items) the rows of its past items, times their weights.

    Args:
        context: (contexts + 1) where the past of each begins. past, weight: (events) items and weights.
        indptr, item, value: the rows, as CSR.
    """
    for c in prange(len(context) - 1):
        for e in range(context[c], context[c + 1]):
            for n in range(indptr[past[e]], indptr[past[e] + 1]):
                scores[c, item[n]] += weight[e] * value[n]
