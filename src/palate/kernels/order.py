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


@njit(cache=True, nogil=True)
def merge_sort(keys: NDArray[np.number], rows: NDArray[np.int64], buffer: NDArray[np.int64]) -> None:
    """Sort `rows` by `keys[row]`, in place; equal keys keep their order. `buffer` is as long as `rows`.

    Runs of 16 by insertion, then merged: linear where the rows stand in order already.
    """
    n = len(rows)
    for start in range(0, n, 16):
        for stop in range(start + 1, min(start + 16, n)):
            row, place = rows[stop], stop
            while place > start and keys[rows[place - 1]] > keys[row]:
                rows[place] = rows[place - 1]
                place -= 1
            rows[place] = row
    width = 16
    while width < n:
        for start in range(0, n, 2 * width):
            middle, stop = min(start + width, n), min(start + 2 * width, n)
            if middle < stop and keys[rows[middle - 1]] > keys[rows[middle]]:
                for m in range(start, middle):
                    buffer[m] = rows[m]
                left, right, place = start, middle, start
                while left < middle:
                    if right < stop and keys[rows[right]] < keys[buffer[left]]:
                        rows[place] = rows[right]
                        right += 1
                    else:
                        rows[place] = buffer[left]
                        left += 1
                    place += 1
        width *= 2


@njit(cache=True, nogil=True, parallel=True)
def sort_groups(indptr: NDArray[np.int64], rows: NDArray[np.int64], keys: NDArray[np.int64]) -> None:
    """Sort the rows of each group by `keys[row]`, in place; equal keys keep their order."""
    buffer = np.empty_like(rows)
    for c in prange(len(indptr) - 1):
        group = slice(indptr[c], indptr[c + 1])
        merge_sort(keys, rows[group], buffer[group])


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
