"""The arithmetic of ranking metrics: all of them, at every cut-off, from one look at a user's list.

Every metric here depends only on where the hits stand in the list and on how many items are relevant. So a
user's list is first turned into the places of its hits, ascending, and `_write` does the rest.

Arrays of results are `values[metric, cut-off, user]` in the order of `METRICS`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

METRICS = ("ndcg", "map", "map_all", "precision", "recall", "mrr", "hit")

_FEW = 16  # up to here a linear scan beats bisection, and all pairs beat a sort

# What `grouped_metrics` found wrong, with the row of the run.
FINE, NOT_A_NUMBER, DUPLICATE = 0, 1, 2


def frozen(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return a contiguous read-only view (a copy where it must be), so one compiled version serves all callers."""
    view: NDArray[Any] = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def discounts(longest: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the discount of each place, 1 / log2(place + 2), and the ideal DCG of 0 to `longest` hits."""
    discount = 1.0 / np.log2(np.arange(longest) + 2.0)
    return discount, np.concatenate([[0.0], np.cumsum(discount)])


@njit(cache=True, nogil=True, error_model="numpy")
def _write(
    hits: NDArray[np.int64],
    found: int,
    n_relevant: int,
    ks: NDArray[np.int64],
    discount: NDArray[np.float64],
    ideal: NDArray[np.float64],
    values: NDArray[np.float64],
    r_precision: NDArray[np.float64],
    user: int,
) -> None:
    """Write the metrics of one user; `hits[:found]` are the places (from 0) of relevant items, ascending."""
    for c in range(len(ks)):
        k = ks[c]
        gain, precisions, n = 0.0, 0.0, 0
        while n < found and hits[n] < k:
            gain += discount[hits[n]]
            precisions += (n + 1) / (hits[n] + 1)
            n += 1
        reachable = min(k, n_relevant)
        values[0, c, user] = gain / ideal[reachable]
        values[1, c, user] = precisions / reachable
        values[2, c, user] = precisions / n_relevant
        values[3, c, user] = n / k
        values[4, c, user] = n / n_relevant
        values[5, c, user] = 1.0 / (hits[0] + 1) if n else 0.0
        values[6, c, user] = 1.0 if n else 0.0
    n = 0
    while n < found and hits[n] < n_relevant:
        n += 1
    r_precision[user] = n / n_relevant


@njit(cache=True, nogil=True)
def _contains(relevant: NDArray[Any], start: int, stop: int, item: int) -> bool:
    """Whether `item` stands in the ascending `relevant[start:stop]`."""
    while stop - start > _FEW:
        middle = (start + stop) // 2
        if relevant[middle] <= item:
            start = middle
        else:
            stop = middle
    for n in range(start, stop):
        if relevant[n] >= item:
            return bool(relevant[n] == item)
    return False


@njit(cache=True, nogil=True)
def list_metrics(
    top: NDArray[np.int32],
    indptr: NDArray[np.int64],
    relevant: NDArray[np.int32],
    n_relevant: NDArray[np.int64],
    ks: NDArray[np.int64],
    discount: NDArray[np.float64],
    ideal: NDArray[np.float64],
    values: NDArray[np.float64],
    r_precision: NDArray[np.float64],
) -> None:
    """Score the lists `top` (users, places), best first, padded with -1; write `values` and `r_precision`.

    User u's relevant items are `relevant[indptr[u]:indptr[u + 1]]`, ascending; `n_relevant` counts also
    those that no model can name, which is why it is given. Cost: users x places x log(relevant).
    """
    hits = np.empty(top.shape[1], np.int64)
    for user in range(len(top)):
        found = 0
        for place in range(top.shape[1]):
            if top[user, place] < 0:
                break
            if _contains(relevant, indptr[user], indptr[user + 1], top[user, place]):
                hits[found] = place
                found += 1
        _write(hits, found, n_relevant[user], ks, discount, ideal, values, r_precision, user)


@njit(cache=True, nogil=True)
def _sort(scores: NDArray[np.float64], items: NDArray[np.int64], n: int) -> None:
    """Sort n pairs in place, score descending, then item ascending: Shell's, for few an insertion sort."""
    gap = 1
    while gap < n // 9:
        gap = 3 * gap + 1
    while gap:
        for i in range(gap, n):
            score, item = scores[i], items[i]
            j = i
            while j >= gap and (
                scores[j - gap] < score or (scores[j - gap] == score and items[j - gap] > item)
            ):
                scores[j], items[j] = scores[j - gap], items[j - gap]
                j -= gap
            scores[j], items[j] = score, item
        gap //= 3


@njit(cache=True, nogil=True)
def _distinct(items: NDArray[np.int64], n: int, flat: NDArray[np.float64]) -> int:
    """Sort `items[:n]` ascending in place, each once; return how many there are."""
    for i in range(n):
        flat[i] = 0.0
    _sort(flat, items, n)
    distinct = 1
    for i in range(1, n):
        if items[i] != items[distinct - 1]:
            items[distinct] = items[i]
            distinct += 1
    return distinct


@njit(cache=True, nogil=True)
def _repeated(
    items: NDArray[np.int64], n: int, scratch: NDArray[np.int64], flat: NDArray[np.float64]
) -> bool:
    """Whether one of `items[:n]` occurs twice."""
    if n <= _FEW:
        for i in range(1, n):
            for j in range(i):
                if items[i] == items[j]:
                    return True
        return False
    for i in range(n):
        scratch[i] = items[i]
    return _distinct(scratch, n, flat) < n


@njit(cache=True, nogil=True)
def grouped_metrics(
    run_user: NDArray[np.int64],
    run_item: NDArray[np.int64],
    run_score: NDArray[np.float64],
    truth_user: NDArray[np.int64],
    truth_item: NDArray[np.int64],
    longest: int,
    ks: NDArray[np.int64],
    discount: NDArray[np.float64],
    ideal: NDArray[np.float64],
    values: NDArray[np.float64],
    r_precision: NDArray[np.float64],
) -> tuple[int, int, int, int]:
    """Score a run against the truth, both with rows in ascending order of user, in one merging pass.

    Inside a user the rows may stand in any order; a repeated row of the truth counts once. Users are
    written in ascending order, one column of `values` each. `longest` is the longest group of rows of one
    user in either table.

    Returns: how many users of the truth have no list, how many users of the run the truth lacks, and what
        is wrong (`FINE`, `NOT_A_NUMBER` or `DUPLICATE`) with the row of the run where that user begins.
    """
    items, scratch = np.empty(longest, np.int64), np.empty(longest, np.int64)
    relevant = np.empty(longest, np.int64)
    scores, flat = np.empty(longest, np.float64), np.zeros(longest, np.float64)
    hits = np.empty(longest, np.int64)
    deepest = ks[-1]
    r, t, user = 0, 0, 0
    without_list, strangers = 0, 0
    while t < len(truth_user):
        who = truth_user[t]
        n_relevant = 0
        ordered = True
        while t < len(truth_user) and truth_user[t] == who:
            relevant[n_relevant] = truth_item[t]
            if n_relevant and relevant[n_relevant - 1] >= relevant[n_relevant]:
                ordered = False
            n_relevant += 1
            t += 1
        if not ordered:
            n_relevant = _distinct(relevant, n_relevant, flat)

        while r < len(run_user) and run_user[r] < who:
            if r == 0 or run_user[r] != run_user[r - 1]:
                strangers += 1
            r += 1
        begin, length = r, 0
        ordered = True
        while r < len(run_user) and run_user[r] == who:
            items[length], scores[length] = run_item[r], run_score[r]
            if scores[length] != scores[length]:
                return without_list, strangers, NOT_A_NUMBER, r
            if length and (
                scores[length - 1] < scores[length]
                or (scores[length - 1] == scores[length] and items[length - 1] > items[length])
            ):
                ordered = False
            length += 1
            r += 1
        if length == 0:
            without_list += 1
        if _repeated(items, length, scratch, flat):
            return without_list, strangers, DUPLICATE, begin
        if not ordered:
            _sort(scores, items, length)

        found = 0
        for place in range(min(length, max(deepest, n_relevant))):
            if _contains(relevant, 0, n_relevant, items[place]):
                hits[found] = place
                found += 1
        _write(hits, found, n_relevant, ks, discount, ideal, values, r_precision, user)
        user += 1
    while r < len(run_user):
        if r == 0 or run_user[r] != run_user[r - 1]:
            strangers += 1
        r += 1
    return without_list, strangers, FINE, -1


@njit(cache=True, nogil=True)
def members(
    indptr: NDArray[np.int64], items: NDArray[np.int32], row: NDArray[np.int64], item: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Whether each `item[n]` stands in row `row[n]` of a CSR with ascending rows; row -1 holds none."""
    found = np.zeros(len(row), np.bool_)
    for n in range(len(row)):
        if row[n] >= 0 and item[n] >= 0:
            found[n] = _contains(items, indptr[row[n]], indptr[row[n] + 1], item[n])
    return found


@njit(cache=True, nogil=True)
def groups(user: NDArray[np.int64]) -> tuple[bool, int, int, int, int]:
    """Return of a column of users: whether it ascends, its groups, the longest group, lowest and highest id.

    Where the column does not ascend, only the first and the last two are of use.
    """
    ascending, count, longest, begin = True, 0, 0, 0
    low, high = user[0], user[0]
    for n in range(1, len(user)):
        if user[n] == user[n - 1]:
            continue
        if user[n] < user[n - 1]:
            ascending = False
        low, high = min(low, user[n]), max(high, user[n])
        longest = max(longest, n - begin)
        count += 1
        begin = n
    return ascending, count + 1, max(longest, len(user) - begin), low, high


@njit(cache=True, nogil=True)
def counting_order(user: NDArray[np.int64], low: int, places: int) -> NDArray[np.int64]:
    """Return the rows in order of user, ties in row order: a counting sort of ids in [low, low + places)."""
    start = np.zeros(places + 1, np.int64)
    for n in range(len(user)):
        start[user[n] - low + 1] += 1
    for c in range(places):
        start[c + 1] += start[c]
    order = np.empty(len(user), np.int64)
    for n in range(len(user)):
        c = user[n] - low
        order[start[c]] = n
        start[c] += 1
    return order


@njit(cache=True, nogil=True)
def user_auc(
    scores: NDArray[np.float64],
    excluded_indptr: NDArray[np.int64],
    excluded: NDArray[np.int32],
    relevant_indptr: NDArray[np.int64],
    relevant: NDArray[np.int32],
    n_relevant: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Write each user's share of pairs (relevant item, other candidate) in the right order in `scores`.

    Ties count half. `excluded` items are no candidates. Relevant items beyond those listed (`n_relevant`
    counts them) have no score and stand below all. No pair at all gives 0.5. Cost: users x items x
    log(relevant).
    """
    n_items = scores.shape[1]
    role = np.empty(n_items, np.uint8)
    for user in range(len(scores)):
        role[:] = 0
        for n in range(excluded_indptr[user], excluded_indptr[user + 1]):
            role[excluded[n]] = 1
        start, stop = relevant_indptr[user], relevant_indptr[user + 1]
        positives = np.empty(stop - start, np.float64)
        for n in range(start, stop):
            role[relevant[n]] = 1
            positives[n - start] = scores[user, relevant[n]]
        positives.sort()
        wins, others = 0.0, 0
        for item in range(n_items):
            if role[item]:
                continue
            others += 1
            below = np.searchsorted(positives, scores[user, item], side="left")
            not_above = np.searchsorted(positives, scores[user, item], side="right")
            wins += len(positives) - 0.5 * (below + not_above)
        pairs = others * n_relevant[user]
        out[user] = wins / pairs if pairs else 0.5
