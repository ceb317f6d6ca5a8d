"""Batches of sequences of like length, padded on the right.

Sequences differ in length by a factor of a hundred, so a batch is bounded by its cells (sequences x longest) and not by
its sequences, and takes neighbours in length: on real data nearly all cells are filled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


def by_length(
    lengths: NDArray[np.int64], cells: int, rng: np.random.Generator | None = None, *, jitter: float = 0.1
) -> list[Places]:
    """Return every sequence once, in batches of at most `cells` padded cells (a longer sequence is a batch alone).

    Args:
        lengths: (sequences).
        cells: of a batch: sequences x the longest of them.
        rng: shuffles: like lengths change places by up to `jitter` of their logarithm, and batches come in any
            order. None: ascending, always the same.

    """
    key = np.log1p(lengths)
    order = np.argsort(key if rng is None else key + jitter * rng.standard_normal(len(key)), kind="stable")
    batches, start, longest = [], 0, 0
    for stop, length in enumerate(lengths[order].tolist()):
        longest = max(longest, length)
        if (stop + 1 - start) * longest > cells and stop > start:
            batches.append(order[start:stop])
            start, longest = stop, length
    if len(order):
        batches.append(order[start:])
    if rng is not None:
        batches = [batches[place] for place in rng.permutation(len(batches))]
    return batches


def padded(
    indptr: NDArray[np.int64], items: NDArray[np.int32], rows: Places, pad: int, window: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the last `window` items of CSR `rows` as (rows, longest) with `pad` after the end, and their lengths."""
    stop = indptr[rows + 1]
    length = np.minimum(stop - indptr[rows], window)
    width = int(length.max(initial=0))
    at = np.arange(width)
    filled = at < length[:, None]
    place = np.where(filled, (stop - length)[:, None] + at, 0)
    taken = items[place] if len(items) else np.zeros(place.shape, np.int64)
    return np.where(filled, taken, pad).astype(np.int64), length
