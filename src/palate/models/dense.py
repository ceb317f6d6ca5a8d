"""The best k items where all scores are made: a batch of contexts at a time, so that they never take much memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from palate.interactions import Histories
from palate.models.contexts import Contexts
from palate.progress import progress
from palate.vocabulary import Codes

Scores = Callable[[Contexts, Codes], NDArray[np.floating]]

_CELLS = 2**22  # scores held at a time: 16 MB, or 32 MB
_FEWEST = 16  # rows at a time, in up to four times as much: a large table is read anew for each block


def best_of_all(
    scores: Scores, contexts: Contexts, k: int, *, exclude_seen: bool, columns: Codes, n_items: int
) -> tuple[Codes, NDArray[np.float64]]:
    """Return the best k of `columns` (ascending item codes) for each context: items and scores, both (contexts, k).

    Args:
        scores: makes the scores of a batch, (contexts, columns). contexts: who is asked for.
        exclude_seen: leave out what stands in the history. n_items: size of the catalogue.
    """
    from palate.kernels import scores as kernel

    items = np.full((len(contexts), k), -1, np.int32)
    best = np.full((len(contexts), k), -np.inf)
    place = np.full(n_items, -1, np.int32)
    place[columns] = np.arange(len(columns), dtype=np.int32)
    step = _rows(len(columns))
    with progress("Scoring", total=len(contexts), unit="users") as advance:
        for start in range(0, len(contexts), step):
            stop = min(start + step, len(contexts))
            batch = contexts.select(np.arange(start, stop))
            block = np.require(scores(batch, columns), requirements=["C", "W"])
            if exclude_seen:
                kernel.hide(batch.events.indptr, place[batch.events.item], block)
            kernel.top_k(block, columns, best[start:stop], items[start:stop])
            advance(stop - start)
    return items, best


def best_unseen(
    scores: Callable[[NDArray[np.int64]], NDArray[np.floating]], seen: Histories, k: int, n_items: int
) -> Codes:
    """Return the best k items of each history among those that it lacks, (histories, k), -1 where there are fewer.

    Args:
        scores: takes places of histories; returns an array of its own, (places, items).
        seen: the histories. n_items: size of the catalogue.
    """
    from palate.kernels import scores as kernel

    columns = np.arange(n_items, dtype=np.int32)
    items, best = np.full((len(seen), k), -1, np.int32), np.full((len(seen), k), -np.inf)
    step = _rows(n_items)
    for start in range(0, len(seen), step):
        some = np.arange(start, min(start + step, len(seen)))
        block, events = scores(some), seen.select(some)
        kernel.hide(events.indptr, events.item, block)
        kernel.top_k(block, columns, best[start : start + step], items[start : start + step])
    return items


def of_columns(table: NDArray[np.floating], columns: Codes) -> NDArray[np.floating]:
    """Return the rows of items `columns` of a table (items, ...); the table itself, and no copy, where it is all."""
    every = len(columns) == len(table) and bool((columns[:-1] < columns[1:]).all())
    return table if every else table[columns]


def nearest_by_cosine(
    vectors: NDArray[np.float64], items: Codes, k: int
) -> tuple[Codes, NDArray[np.float64]]:
    """Return the k items whose vectors (items, size) point most nearly where those of `items` do, and the cosines.

    An item is not its own neighbour, and a vector of nothing has none.
    """
    from palate.kernels import scores as kernel

    length = np.linalg.norm(vectors, axis=1)
    unit = vectors / np.where(length > 0, length, 1)[:, None]
    columns = np.arange(len(vectors), dtype=np.int32)
    found, best = np.full((len(items), k), -1, np.int32), np.full((len(items), k), -np.inf)
    step = _rows(len(columns))
    for start in range(0, len(items), step):
        some = items[start : start + step]
        block = unit[some] @ unit.T
        block[block == 0] = -np.inf
        block[np.arange(len(some)), some] = -np.inf
        kernel.top_k(block, columns, best[start : start + step], found[start : start + step])
    return found, best


def nearest_by_score(
    scores: Callable[[Codes], NDArray[np.float64]], items: Codes, k: int, n_items: int
) -> tuple[Codes, NDArray[np.float64]]:
    """Return the k items with the highest `scores` (some items, all items) of each of `items`, and the scores.

    An item is not its own neighbour, and one of score 0 has nothing in common.
    """
    from palate.kernels import scores as kernel

    columns = np.arange(n_items, dtype=np.int32)
    found, best = np.full((len(items), k), -1, np.int32), np.full((len(items), k), -np.inf)
    step = _rows(n_items)
    for start in range(0, len(items), step):
        some = items[start : start + step]
        block = scores(some)
        block[block == 0] = -np.inf
        block[np.arange(len(some)), some] = -np.inf
        kernel.top_k(block, columns, best[start : start + step], found[start : start + step])
    return found, best


def of_pairs(
    scores: Callable[[Codes], NDArray[np.floating]], row: NDArray[np.int64], codes: Codes
) -> NDArray[np.float64]:
    """Return the score of each pair of a row and an item, (pairs); -inf for the item -1.

    `scores` gives (rows, columns) for ascending columns, here all items that stand in any pair: so rows that ask for
    like items belong together.
    """
    found = np.full(len(codes), -np.inf)
    there = codes >= 0
    columns, column = np.unique(codes[there], return_inverse=True)
    if len(columns):
        found[there] = scores(columns.astype(np.int32))[row[there], column]
    return found


def _rows(columns: int) -> int:
    """Return of how many rows the scores of so many columns are made at a time.

    >>> [_rows(columns) for columns in (1_000, 262_144, 1_000_000, 5_000_000, 100_000_000)]
    [4194, 16, 16, 3, 1]
    """
    columns = max(columns, 1)
    return max(1, _CELLS // columns, min(_FEWEST, 4 * _CELLS // columns))
