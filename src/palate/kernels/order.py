"""Rows by user, and by time inside a user: a counting sort, then a short sort for each user."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def group(codes: NDArray[np.int32], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `indptr` (n + 1) and `rows`: the rows of code c are `rows[indptr[c]:indptr[c + 1]]`, in row order.

    Linear in rows and codes; 8 bytes a row.
    """
    indptr = np.zeros(n + 1, np.int64)
    for code in codes:
        indptr[code + 1] += 1
    for c in range(n):
        indptr[c + 1] += indptr[c]
    place = indptr[:-1].copy()
    rows = np.empty(len(codes), np.int64)
    for row in range(len(codes)):
        rows[place[codes[row]]] = row
        place[codes[row]] += 1
    return indptr, rows


@njit(cache=True, nogil=True, parallel=True)
def sort_groups(indptr: NDArray[np.int64], rows: NDArray[np.int64], keys: NDArray[np.int64]) -> None:
    """Sort the rows of each group by `keys[row]`, in place; equal keys keep their order."""
    for c in prange(len(indptr) - 1):
        start, stop = indptr[c], indptr[c + 1]
        ordered = True
        for n in range(start + 1, stop):
            if keys[rows[n]] < keys[rows[n - 1]]:
                ordered = False
                break
        if not ordered:
            part = rows[start:stop].copy()
            rows[start:stop] = part[np.argsort(keys[part], kind="mergesort")]


def group_by_time(
    codes: NDArray[np.int32], time: NDArray[np.int64] | None, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `indptr` and `rows` as `group` does, the rows of a code oldest first; ties stay in row order."""
    indptr, rows = group(codes, n)
    if time is not None:
        sort_groups(indptr, rows, time)
    return indptr, rows


@njit(cache=True, nogil=True)
def distinct_pairs(
    user: NDArray[np.int32], item: NDArray[np.int32], n_users: int, n_items: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the distinct items of each user, ascending, as CSR `indptr` (n_users + 1) and `items`.

    Two counting sorts, by item and then by user: linear in rows; 8 bytes a row at the peak.
    """
    place = np.zeros(n_items + 1, np.int64)
    for code in item:
        place[code + 1] += 1
    for c in range(n_items):
        place[c + 1] += place[c]
    by_item = np.empty(len(item), np.int32)  # users, grouped by item
    start = place[:-1].copy()
    for row in range(len(item)):
        by_item[start[item[row]]] = user[row]
        start[item[row]] += 1

    last = np.full(n_users, -1, np.int32)  # the last item counted for a user: drops repeats
    indptr = np.zeros(n_users + 1, np.int64)
    for i in range(n_items):
        for n in range(place[i], place[i + 1]):
            if last[by_item[n]] != i:
                last[by_item[n]] = i
                indptr[by_item[n] + 1] += 1
    for u in range(n_users):
        indptr[u + 1] += indptr[u]
    fill = indptr[:-1].copy()
    last[:] = -1
    items = np.empty(indptr[-1], np.int32)
    for i in range(n_items):
        for n in range(place[i], place[i + 1]):
            u = by_item[n]
            if last[u] != i:
                last[u] = i
                items[fill[u]] = i
                fill[u] += 1
    return indptr, items
