"""How like each other, and how like the user's past, the items of recommended lists are."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def list_similarity(
    top: NDArray[np.int32],
    past_indptr: NDArray[np.int64],
    past: NDArray[np.int32],
    item_indptr: NDArray[np.int64],
    item_users: NDArray[np.int32],
    user_indptr: NDArray[np.int64],
    user_items: NDArray[np.int32],
    to_list: NDArray[np.float64],
    to_past: NDArray[np.float64],
) -> None:
    """Write for each place of each list the sum of cosines to the earlier items, and to the user's past.

    The cosine of two items is that of their binary columns in train: common users / sqrt(users x users).
    Train comes both ways round: `item_users` by item and `user_items` by user, distinct pairs. `top`
    (users, places) is padded with -1; `to_list` and `to_past` have its shape and begin as zeros.

    One row of common users is counted at a time, only for items that stand in a list: memory is one row, cost
    is the sum over those items of their users' items, plus lists x past.
    """
    n_items = len(item_indptr) - 1
    start = np.zeros(n_items + 1, np.int64)
    for user in range(top.shape[0]):
        for place in range(top.shape[1]):
            if top[user, place] >= 0:
                start[top[user, place] + 1] += 1
    for i in range(n_items):
        start[i + 1] += start[i]
    lists = np.empty(start[-1], np.int64)
    fill = start[:-1].copy()
    for user in range(top.shape[0]):
        for place in range(top.shape[1]):
            i = top[user, place]
            if i >= 0:
                lists[fill[i]] = user * top.shape[1] + place
                fill[i] += 1

    size = np.empty(n_items, np.float64)
    for i in range(n_items):
        size[i] = item_indptr[i + 1] - item_indptr[i]
    common = np.empty(n_items, np.int32)
    for i in range(n_items):
        if start[i] == start[i + 1] or size[i] == 0:
            continue
        common[:] = 0
        for n in range(item_indptr[i], item_indptr[i + 1]):
            u = item_users[n]
            for m in range(user_indptr[u], user_indptr[u + 1]):
                common[user_items[m]] += 1
        for n in range(start[i], start[i + 1]):
            user, place = lists[n] // top.shape[1], lists[n] % top.shape[1]
            for earlier in range(place):
                j = top[user, earlier]
                if j >= 0 and common[j]:
                    to_list[user, place] += common[j] / np.sqrt(size[i] * size[j])
            for m in range(past_indptr[user], past_indptr[user + 1]):
                j = past[m]
                if common[j]:
                    to_past[user, place] += common[j] / np.sqrt(size[i] * size[j])
