"""Histories like a history, and what stands in them near what both have."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

_RUN = 16  # contexts that one thread takes in turn, with one set of buffers for all of them


@njit(cache=True, nogil=True)
def last_places(
    indptr: NDArray[np.int64], item: NDArray[np.int32], n_items: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Return who has each item and where they had it last, as CSR: `indptr` (items + 1), users ascending, places.

    Args:
        indptr, item: histories, oldest first; a place is one in `item`.
        n_items: size of the catalogue.
    """
    n_users = len(indptr) - 1
    mine = np.full(n_items, -1, np.int64)  # the last user that was met with an item, as users come in order
    rows = np.zeros(n_items + 1, np.int64)
    for u in range(n_users):
        for place in range(indptr[u], indptr[u + 1]):
            if mine[item[place]] != u:
                mine[item[place]] = u
                rows[item[place] + 1] += 1
    for i in range(n_items):
        rows[i + 1] += rows[i]
    user, last = np.empty(rows[-1], np.int32), np.empty(rows[-1], np.int64)
    free = rows[:-1].copy()
    mine[:] = -1
    for u in range(n_users):
        for place in range(indptr[u], indptr[u + 1]):
            i = item[place]
            if mine[i] != u:
                mine[i] = u
                free[i] += 1
                user[free[i] - 1] = u
            last[free[i] - 1] = place
    return rows, user, last


@njit(cache=True, nogil=True)
def _met(
    past: NDArray[np.int32],
    weight: NDArray[np.float64],
    rows: NDArray[np.int64],
    user: NDArray[np.int32],
    last: NDArray[np.int64],
    strength: NDArray[np.float64],
    likeness: NDArray[np.float64],
    anchor: NDArray[np.int64],
    met: NDArray[np.int32],
) -> int:
    """List in `met` who has an item of a past, add up their `likeness` (from 0) and set `anchor` (-1 before).

    Returns how many they are.
    """
    n = 0
    for e in range(len(past) - 1, -1, -1):  # the latest first, which sets the anchor
        for m in range(rows[past[e]], rows[past[e] + 1]):
            u = user[m]
            if anchor[u] < 0:  # not by likeness, which may be too small for a number
                anchor[u] = last[m]
                met[n] = u
                n += 1
            likeness[u] += weight[e] * strength[u]
    return n


@njit(cache=True, nogil=True)
def _choose(met: NDArray[np.int32], n: int, likeness: NDArray[np.float64], near: NDArray[np.int32]) -> int:
    """Write the likest of the first n of `met` to `near` (k), the likest first, ties by code; return how many."""
    k = 0
    for m in range(n):
        u = met[m]
        place = k
        while place > 0:
            other = near[place - 1]
            if likeness[other] > likeness[u] or (likeness[other] == likeness[u] and other < u):
                break
            if place < len(near):
                near[place] = other
            place -= 1
        if place < len(near):
            near[place] = u
            k = min(k + 1, len(near))
    return k


@njit(cache=True, nogil=True)
def _add_around(
    user: int,
    place: int,
    likeness: float,
    indptr: NDArray[np.int64],
    item: NDArray[np.int32],
    ahead: NDArray[np.float64],
    behind: NDArray[np.float64],
    scores: NDArray[np.float64],
) -> None:
    for at in range(place + 1, min(place + 1 + len(ahead), indptr[user + 1])):
        scores[item[at]] += likeness * ahead[at - place - 1]
    for at in range(max(place - len(behind), indptr[user]), place):
        scores[item[at]] += likeness * behind[place - at - 1]


@njit(cache=True, nogil=True)
def _add_run(
    first: int,
    stop: int,
    context: NDArray[np.int64],
    past: NDArray[np.int32],
    weight: NDArray[np.float64],
    rows: NDArray[np.int64],
    user: NDArray[np.int32],
    last: NDArray[np.int64],
    strength: NDArray[np.float64],
    indptr: NDArray[np.int64],
    item: NDArray[np.int32],
    ahead: NDArray[np.float64],
    behind: NDArray[np.float64],
    k: int,
    scores: NDArray[np.float64],
) -> None:
    n_users = len(indptr) - 1
    likeness, anchor = np.zeros(n_users), np.full(n_users, -1, np.int64)
    met, near = np.empty(n_users, np.int32), np.empty(k, np.int32)
    for c in range(first, stop):
        some = slice(context[c], context[c + 1])
        n = _met(past[some], weight[some], rows, user, last, strength, likeness, anchor, met)
        for m in range(_choose(met, n, likeness, near)):
            u = near[m]
            _add_around(u, anchor[u], likeness[u], indptr, item, ahead, behind, scores[c])
        for m in range(n):
            likeness[met[m]], anchor[met[m]] = 0, -1


@njit(cache=True, nogil=True, parallel=True)
def add_neighbours(
    context: NDArray[np.int64],
    past: NDArray[np.int32],
    weight: NDArray[np.float64],
    rows: NDArray[np.int64],
    user: NDArray[np.int32],
    last: NDArray[np.int64],
    strength: NDArray[np.float64],
    indptr: NDArray[np.int64],
    item: NDArray[np.int32],
    ahead: NDArray[np.float64],
    behind: NDArray[np.float64],
    k: int,
    scores: NDArray[np.float64],
) -> None:
    """Add to each context's `scores` (contexts, items) what its k nearest histories hold near what both have.

    Args:
        context: (contexts + 1) where the past of each begins. past, weight: (events) distinct items, the latest last,
            and what it counts that a history has them too.
        rows, user, last: who has each item and where, from `last_places`.
        strength: (users) what the likeness of each history is multiplied by.
        indptr, item: the histories.
        ahead, behind: (window) weight of an item 1, 2 ... places after, or before, the latest item that both have.
        k: how many histories.
    """
    n = len(context) - 1
    for run in prange((n + _RUN - 1) // _RUN):
        first, stop = run * _RUN, min((run + 1) * _RUN, n)
        _add_run(
            first,
            stop,
            context,
            past,
            weight,
            rows,
            user,
            last,
            strength,
            indptr,
            item,
            ahead,
            behind,
            k,
            scores,
        )


@njit(cache=True, nogil=True)
def neighbours(
    past: NDArray[np.int32],
    weight: NDArray[np.float64],
    rows: NDArray[np.int64],
    user: NDArray[np.int32],
    last: NDArray[np.int64],
    strength: NDArray[np.float64],
    k: int,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the k histories nearest to one past, as `add_neighbours` takes it, and where each has the latest of it."""
    n_users = len(strength)
    likeness, anchor = np.zeros(n_users), np.full(n_users, -1, np.int64)
    met, near = np.empty(n_users, np.int32), np.empty(k, np.int32)
    n = _met(past, weight, rows, user, last, strength, likeness, anchor, met)
    chosen = near[: _choose(met, n, likeness, near)]
    return chosen, anchor[chosen]
