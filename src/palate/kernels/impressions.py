"""The arithmetic of impressions: how well scores order the few candidates that somebody was shown.

Each impression is measured by itself: AUC, MRR and nDCG at some cut-offs, once with ties as the official script of MIND
breaks them (of equal scores the later candidate stands first) and once as their mean over all orders of the tied, which
is exact, since both are sums over the clicked. AUC counts a tie as half either way.

Arrays of results are `values[measure, impression]`: AUC, MRR, nDCG at each cut-off; then MRR and nDCG averaged over
ties.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model="numpy")
def measure(
    indptr: NDArray[np.int64],
    clicked: NDArray[np.bool_],
    scores: NDArray[np.float64],
    cuts: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return (3 + 2 x cuts, impressions); all NaN where nothing, or everything, was clicked.

    Args:
        indptr: (impressions + 1) into the candidates. clicked, scores: (candidates), no NaN. cuts: the k of nDCG.

    """
    n, c = len(indptr) - 1, len(cuts)
    values = np.full((3 + 2 * c, n), np.nan)
    for row in range(n):
        start, stop = indptr[row], indptr[row + 1]
        size = stop - start
        clicks = 0
        for at in range(start, stop):
            clicks += clicked[at]
        if clicks in (0, size):
            continue
        # Ascending and stable, read from the back: of equal scores the later candidate comes first.
        order = np.argsort(scores[start:stop], kind="mergesort")
        values[:, row] = 0.0
        above, place = 0, 0  # candidates without a click, and all of them, that stand before the tied ones
        while place < size:
            end, mine = place, 0
            score = scores[start + order[size - 1 - place]]
            while end < size and scores[start + order[size - 1 - end]] == score:
                if clicked[start + order[size - 1 - end]]:
                    mine += 1
                    values[1, row] += 1.0 / (end + 1)
                    for cut in range(c):
                        if end < cuts[cut]:
                            values[2 + cut, row] += 1.0 / np.log2(end + 2.0)
                end += 1
            others = end - place - mine
            values[0, row] += mine * (size - clicks - above - others + 0.5 * others)
            if mine:
                share = mine / (end - place)
                for at in range(place, end):
                    values[2 + c, row] += share / (at + 1)
                    for cut in range(c):
                        if at < cuts[cut]:
                            values[3 + c + cut, row] += share / np.log2(at + 2.0)
            above += others
            place = end
        values[0, row] /= clicks * (size - clicks)
        values[1, row] /= clicks
        values[2 + c, row] /= clicks
        for cut in range(c):
            ideal = 0.0
            for at in range(min(clicks, cuts[cut])):
                ideal += 1.0 / np.log2(at + 2.0)
            values[2 + cut, row] /= ideal
            values[3 + c + cut, row] /= ideal
    return values


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def products(
    readers: NDArray[np.float32],
    articles: NDArray[np.float32],
    reader: NDArray[np.int32],
    article: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Return readers[reader] . articles[article] for each pair; article -1 is the last row."""
    found = np.empty(len(reader), np.float32)
    for pair in range(len(reader)):
        row = article[pair] if article[pair] >= 0 else len(articles) - 1
        total = np.float32(0)
        for at in range(readers.shape[1]):
            total += readers[reader[pair], at] * articles[row, at]
        found[pair] = total
    return found


@njit(cache=True, nogil=True)
def so_far(
    order: NDArray[np.int64],
    time: NDArray[np.int64],
    indptr: NDArray[np.int64],
    candidate: NDArray[np.int32],
    clicked: NDArray[np.bool_],
    shows: NDArray[np.float64],
    clicks: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how often each candidate had been shown, and clicked, before the second of its impression.

    Args:
        order: impressions, earliest first. time: (impressions). indptr, candidate, clicked: of the candidates; -1 is an
            article that has no counts. shows, clicks: (articles) until now; they are counted on in place.

    """
    shown_then, clicked_then = np.zeros(len(candidate)), np.zeros(len(candidate))
    start = 0
    while start < len(order):
        stop = start
        while stop < len(order) and time[order[stop]] == time[order[start]]:
            stop += 1
        for place in range(start, stop):  # all of a second ask before any of it counts
            for at in range(indptr[order[place]], indptr[order[place] + 1]):
                if candidate[at] >= 0:
                    shown_then[at], clicked_then[at] = shows[candidate[at]], clicks[candidate[at]]
        for place in range(start, stop):
            for at in range(indptr[order[place]], indptr[order[place] + 1]):
                if candidate[at] >= 0:
                    shows[candidate[at]] += 1
                    clicks[candidate[at]] += clicked[at]
        start = stop
    return shown_then, clicked_then
