"""Histories times an item-item matrix, to the best k unseen items, without ever holding all scores.

The score of item j for a context is the sum over its past items e of weight_e x S[item_e, j]. The matrix is walked in
strips of a few columns (`strip.STRIP_BYTES` wide): the rows of a strip that most histories need stay in
the second cache, each context adds up its rows in registers, and the sums give their best items to the context's
running list. Ties: score descending, then column ascending.

A kernel that runs in parallel is a loop around a plain function: what stands in the loop itself is compiled several
times more slowly.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from palate.kernels.strip import twice_weighted_rows, weighted_rows

Floats = NDArray[np.floating]

_RUN = 32  # contexts that one thread takes in turn, with one buffer for all of them
_SORTED = 2**15  # events that one thread sorts at a time: 1 MB with all buffers


@njit(cache=True, nogil=True)
def _keep_best(scores: Floats, columns: NDArray[np.int32], best: Floats, items: NDArray[np.int32]) -> None:
    """Merge finite scores into the falling list `best`; columns rise, so an equal score goes behind."""
    k = len(best)
    worst = best[k - 1]
    for t in range(len(scores)):
        score = scores[t]
        if score > worst:
            place = k - 1
            while place > 0 and best[place - 1] < score:
                best[place] = best[place - 1]
                items[place] = items[place - 1]
                place -= 1
            best[place] = score
            items[place] = columns[t]
            worst = best[k - 1]


@njit(cache=True, nogil=True)
def _extent(scores: Floats, low: float, high: float) -> tuple[float, float]:
    """Return `low` and `high`, widened to hold all scores."""
    for score in scores:
        low, high = min(low, score), max(high, score)
    return low, high


@njit(cache=True, nogil=True)
def _best_of_run(
    run: range,
    indptr: NDArray[np.int64],
    row: NDArray[np.int32],
    weight: Floats,
    second: Floats,
    strip: Floats,
    columns: NDArray[np.int32],
    hidden: NDArray[np.int32],
    at: NDArray[np.int64],
    first: int,
    best: Floats,
    items: NDArray[np.int32],
    low: Floats,
    high: Floats,
) -> None:
    """Do what `best_of_strip` does for a run of contexts."""
    width = strip.shape[1]
    total, second_total = np.empty(width, strip.dtype), np.empty(width, strip.dtype)
    for c in run:
        start, stop = indptr[c], indptr[c + 1]
        if len(second) == 0:
            weighted_rows(start, stop, row, strip, weight, total)
        else:
            twice_weighted_rows(start, stop, row, strip, weight, second, total, second_total)
            low[c], high[c] = _extent(second_total[: len(columns)], low[c], high[c])
        if len(hidden):
            e = at[c]
            while e < stop and hidden[e] < first + len(columns):
                if hidden[e] >= first:
                    total[hidden[e] - first] = -np.inf
                e += 1
            at[c] = e
        _keep_best(total[: len(columns)], columns, best[c], items[c])


@njit(cache=True, nogil=True, parallel=True)
def best_of_strip(
    indptr: NDArray[np.int64],
    row: NDArray[np.int32],
    weight: Floats,
    second: Floats,
    strip: Floats,
    columns: NDArray[np.int32],
    hidden: NDArray[np.int32],
    at: NDArray[np.int64],
    first: int,
    best: Floats,
    items: NDArray[np.int32],
    low: Floats,
    high: Floats,
) -> None:
    """Take one strip of columns into the running best lists.

    Args:
        indptr: (contexts + 1) the events of each context.
        row: (events) the row of `strip` that the event's item has.
        weight: (events)
        second: (events) another weight, whose sums are not listed; or empty.
        strip: (rows, strip width) the item-item matrix at `columns`, which rise; padded with anything.
        columns: (at most strip width) item codes.
        hidden: (events) the place of the event's item among all columns (not only this strip's), rising inside a
            context; or empty when nothing is to be hidden.
        at: (contexts) how far `hidden` has been read by earlier strips; changed in place.
        first: the place of this strip's first column.
        best, items: (contexts, k) scores falling, -inf and -1 where free; changed in place.
        low, high: (contexts) least and most of the sums under `second`; changed in place.
    """
    n = len(indptr) - 1
    for run in prange((n + _RUN - 1) // _RUN):
        some = range(run * _RUN, min((run + 1) * _RUN, n))
        _best_of_run(
            some, indptr, row, weight, second, strip, columns, hidden, at, first, best, items, low, high
        )


@njit(cache=True, nogil=True, parallel=True)
def all_of_strip(
    indptr: NDArray[np.int64], row: NDArray[np.int32], weight: Floats, strip: Floats, scores: Floats
) -> None:
    """Write the scores of one strip of columns to `scores` (contexts, width)."""
    n = len(indptr) - 1
    for run in prange((n + _RUN - 1) // _RUN):
        total = np.empty(strip.shape[1], strip.dtype)
        for c in range(run * _RUN, min((run + 1) * _RUN, n)):
            weighted_rows(indptr[c], indptr[c + 1], row, strip, weight, total)
            scores[c] = total[: scores.shape[1]]


@njit(cache=True, nogil=True, parallel=True)
def add_neighbours(
    indptr: NDArray[np.int64],
    item: NDArray[np.int32],
    weight: Floats,
    neighbours: NDArray[np.int32],
    similarity: Floats,
    scores: Floats,
) -> None:
    """Write all scores of a pruned matrix: (contexts, items); row i has `neighbours[i]`, -1 where it has fewer."""
    for c in prange(len(indptr) - 1):
        total = scores[c]
        total[:] = 0
        for e in range(indptr[c], indptr[c + 1]):
            for n in range(neighbours.shape[1]):
                j = neighbours[item[e], n]
                if j < 0:
                    break
                total[j] += weight[e] * similarity[item[e], n]


@njit(cache=True, nogil=True)
def _empty(best: Floats, items: NDArray[np.int32]) -> None:
    for place in range(len(best)):
        best[place] = -np.inf
        items[place] = -1


@njit(cache=True, nogil=True, parallel=True)
def top_k(scores: Floats, columns: NDArray[np.int32], best: Floats, items: NDArray[np.int32]) -> None:
    """Fill the best lists (rows, k) from a block of scores (rows, columns); -inf is never listed."""
    for c in prange(len(scores)):
        _empty(best[c], items[c])
        _keep_best(scores[c], columns, best[c], items[c])


@njit(cache=True, nogil=True)
def hide(indptr: NDArray[np.int64], item: NDArray[np.int32], scores: Floats) -> None:
    """Set the scores of the columns that each context has seen to -inf, (contexts, columns); -1 is no column."""
    for c in range(len(indptr) - 1):
        for e in range(indptr[c], indptr[c + 1]):
            if item[e] >= 0:
                scores[c, item[e]] = -np.inf


@njit(cache=True, nogil=True)
def uniform(seed: int, keys: NDArray[np.int64], columns: NDArray[np.int32], scores: Floats) -> None:
    """Fill each row with numbers in [0, 1) that depend on the seed, the row's key and the item alone (splitmix64)."""
    for c in range(len(keys)):
        for j in range(scores.shape[1]):
            scores[c, j] = _uniform(seed, keys[c], columns[j])


@njit(cache=True, nogil=True)
def uniform_pairs(seed: int, keys: NDArray[np.int64], others: NDArray[np.int64]) -> Floats:
    """Return numbers in [0, 1), (pairs), that depend on the seed and the pair of keys alone."""
    found = np.empty(len(keys))
    for place in range(len(keys)):
        found[place] = _uniform(seed, keys[place], others[place])
    return found


@njit(cache=True, nogil=True, inline="always")
def _uniform(seed: int, key: int, other: int) -> float:
    x = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    x = (x ^ (x >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93) + np.uint64(other)
    for _ in range(2):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return np.float64(x >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def _add_up(
    rows: NDArray[np.int64],
    item: NDArray[np.int32],
    weight: NDArray[np.float64],
    merged_item: NDArray[np.int32],
    merged_weight: Floats,
) -> int:
    """Add up the weights of `rows`, which stand by item; return how many items there are."""
    out = 0
    for w in range(len(weight)):
        out, last, total = -1, -1, 0.0
        for row in rows:
            if item[row] != last:
                out += 1
                last, total = item[row], 0.0
                merged_item[out] = last
            total += weight[w, row]
            merged_weight[w, out] = total
    return out + 1


@njit(cache=True, nogil=True)
def _by_item(indptr: NDArray[np.int64], item: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """Return the events of each context by item, those of one item in their order: two counting sorts."""
    first = indptr[0]
    owner = np.empty(indptr[-1] - first, np.int32)
    place = np.zeros(n_items + 1, np.int64)
    for c in range(len(indptr) - 1):
        for e in range(indptr[c], indptr[c + 1]):
            owner[e - first] = c
            place[item[e] + 1] += 1
    for i in range(n_items):
        place[i + 1] += place[i]
    by_item = np.empty(len(owner), np.int64)
    for e in range(first, indptr[-1]):
        by_item[place[item[e]]] = e
        place[item[e]] += 1
    fill = indptr[:-1] - first
    rows = np.empty(len(owner), np.int64)
    for event in by_item:
        c = owner[event - first]
        rows[fill[c]] = event
        fill[c] += 1
    return rows


@njit(cache=True, nogil=True)
def _merge_run(
    run: range,
    indptr: NDArray[np.int64],
    item: NDArray[np.int32],
    weight: NDArray[np.float64],
    n_items: int,
    merged_item: NDArray[np.int32],
    merged_weight: Floats,
    lengths: NDArray[np.int64],
) -> None:
    """Do what `merge` does for a run of contexts."""
    first = indptr[run.start]
    rows = _by_item(indptr[run.start : run.stop + 1], item, n_items)
    for c in run:
        start, stop = indptr[c], indptr[c + 1]
        lengths[c] = _add_up(
            rows[start - first : stop - first],
            item,
            weight,
            merged_item[start:stop],
            merged_weight[:, start:stop],
        )


@njit(cache=True, nogil=True, parallel=True)
def merge(
    indptr: NDArray[np.int64],
    item: NDArray[np.int32],
    weight: NDArray[np.float64],
    n_items: int,
    merged_item: NDArray[np.int32],
    merged_weight: Floats,
) -> NDArray[np.int64]:
    """Sort each context's events by item and add up the weights, (w, events), of one item (in float64, in order).

    Writes items and weights where the events stood, packed to the front of each context's range; returns how many
    distinct items each context has.
    """
    lengths = np.zeros(len(indptr) - 1, np.int64)
    events = max(_SORTED, 4 * n_items)  # a sort passes over all items, so it takes as many events at least
    cuts = np.searchsorted(indptr[:-1], np.arange(0, len(item) + events, events))
    cuts[-1] = len(lengths)
    for n in prange(len(cuts) - 1):
        _merge_run(
            range(cuts[n], cuts[n + 1]), indptr, item, weight, n_items, merged_item, merged_weight, lengths
        )
    return lengths


@njit(cache=True, nogil=True, parallel=True)
def fade(
    value: NDArray[np.float32], time: NDArray[np.int64], now: int, half_life: float, left: NDArray[np.float64]
) -> None:
    """Write what is left of each event, in (0, 1], where ages count from `now`; 0 for a negative value."""
    for e in prange(len(value)):
        left[e] = 0.5 ** (max(now - time[e], 0) / half_life) if value[e] >= 0 else 0.0


@njit(cache=True, nogil=True, parallel=True)
def cut(block: Floats, strips: Floats) -> None:
    """Cut a block (rows, columns) to strips (strips, rows, width); what pads the last one is not written."""
    width = strips.shape[2]
    for r in prange(len(block)):
        for n in range(len(strips)):
            for c in range(n * width, min((n + 1) * width, block.shape[1])):
                strips[n, r, c - n * width] = block[r, c]


@njit(cache=True, nogil=True)
def pack(
    indptr: NDArray[np.int64], lengths: NDArray[np.int64], item: NDArray[np.int32], weight: Floats
) -> NDArray[np.int64]:
    """Close the gaps that `merge` left, in place; return the new pointers (contexts + 1)."""
    packed = np.zeros(len(indptr), np.int64)
    for c in range(len(lengths)):
        packed[c + 1] = packed[c] + lengths[c]
        for n in range(lengths[c]):
            item[packed[c] + n] = item[indptr[c] + n]
            for w in range(len(weight)):
                weight[w, packed[c] + n] = weight[w, indptr[c] + n]
    return packed
