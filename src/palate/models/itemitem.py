"""Models whose score is a sum over the history: weight of a past item, times its row of an item-item matrix.

SAR and EASE differ in weights and matrix only. Here stand the walk over the matrix in strips, similar items, and the
explanation, which is exact: the terms of the sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from palate.interactions import Histories
from palate.models.algorithm import Floats
from palate.models.base import Recommender
from palate.models.contexts import Contexts
from palate.progress import progress
from palate.vocabulary import Codes

_STRIPS = 16  # strips made at a time
_EVENTS = 2**25  # distinct past items taken at a time: 256 MB of items and weights


@dataclass(frozen=True)
class Affinity:
    """What each context likes: its distinct past items, ascending, and their weights, as CSR."""

    indptr: NDArray[np.int64]
    item: Codes
    weight: Floats
    second: Floats
    """another weight, where one was asked for; else empty"""


class ItemItem(Recommender):
    """Base of models that score by a history and an item-item matrix."""

    verbs = frozenset({"similar", "explain"})

    # --- what such a model writes ---------------------------------------------------------------------------

    def _weights(self, events: Histories) -> NDArray[np.float64]:
        """Return how much each past event counts, (events); 0 for a negative one."""
        raise NotImplementedError

    def _weights_of(self, events: Histories, second: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights where `second` ones are known: a model may spare itself a part of the work."""
        return self._weights(events)

    def _block(self, rows: Codes, columns: Codes) -> Floats:
        """Return the item-item matrix at `rows` and `columns`."""
        raise NotImplementedError

    # --- what follows from it -------------------------------------------------------------------------------

    def _affinity(self, events: Histories, second: NDArray[np.float64] | None = None) -> Affinity:
        """Return the sum of the weights of each past item; of `second` weights (events) too, where they are given."""
        from palate.kernels import scores as kernel

        weights = self._weights(events) if second is None else self._weights_of(events, second)
        all_weights = weights[None] if second is None else np.stack([weights, second])
        item = np.empty(len(events.item), np.int32)
        weight = np.empty(all_weights.shape, self._dtype)
        lengths = kernel.merge(events.indptr, events.item, all_weights, len(self.items), item, weight)
        indptr = kernel.pack(events.indptr, lengths, item, weight)
        n = int(indptr[-1])
        return Affinity(indptr, item[:n], weight[0, :n], weight[-1, : n if second is not None else 0])

    @property
    def _dtype(self) -> type[np.floating]:
        return np.float32

    def _rows(self, affinity: Affinity) -> tuple[Codes, Codes]:
        """Return the distinct past items, and for each term of the sums which of them it is."""
        used = np.zeros(len(self.items), bool)
        used[affinity.item] = True
        place = (np.cumsum(used) - 1).astype(np.int32)
        return np.flatnonzero(used).astype(np.int32), affinity.item if used.all() else place[affinity.item]

    def _strips(self, rows: Codes, columns: Codes) -> Iterator[tuple[slice, Floats]]:
        """Yield the matrix at `rows` a strip of columns at a time, padded to the width that the kernels take."""
        from palate.kernels import scores as kernel
        from palate.kernels.strip import STRIP_BYTES, in_lines

        width = STRIP_BYTES // np.dtype(self._dtype).itemsize
        wide = width * _STRIPS  # a matrix is made faster in wide pieces, and added up faster in narrow ones
        for first in range(0, len(columns), wide):
            some = columns[first : first + wide]
            n = -(-len(some) // width)
            strips = in_lines((n, len(rows), width), self._dtype)
            if len(some) < n * width:
                strips[-1] = 0
            kernel.cut(self._block(rows, some), strips)
            for at, strip in zip(range(first, first + len(some), width), strips, strict=True):
                yield slice(at, min(at + width, len(columns))), strip

    def _best(self, contexts: Contexts, k: int, exclude_seen: bool, columns: Codes) -> tuple[Codes, Floats]:
        return self._walk(contexts, k, exclude_seen, columns)[:2]

    def _walk(
        self,
        contexts: Contexts,
        k: int,
        exclude_seen: bool,
        columns: Codes,
        second: NDArray[np.float64] | None = None,
    ) -> tuple[Codes, Floats, Floats, Floats]:
        """Return the best k items and scores, and the least and most of the sums under `second` weights (events)."""
        from palate.kernels import scores as kernel

        n = len(contexts)
        items = np.full((n, k), -1, np.int32)
        best = np.full((n, k), -np.inf, self._dtype)
        low, high = np.full(n, np.inf, self._dtype), np.full(n, -np.inf, self._dtype)
        place = np.full(len(self.items), -1, np.int32)
        place[columns] = np.arange(len(columns), dtype=np.int32)
        for part in _parts(contexts.events.indptr):
            batch = contexts.select(np.arange(part.start, part.stop))
            events = slice(*contexts.events.indptr[[part.start, part.stop]])
            affinity = self._affinity(batch.events, None if second is None else second[events])
            rows, row = self._rows(affinity)
            hidden = place[affinity.item] if exclude_seen else np.empty(0, np.int32)
            at = affinity.indptr[:-1].copy()
            with progress("Scoring", total=len(columns), unit="items") as advance:
                for some, strip in self._strips(rows, columns):
                    kernel.best_of_strip(
                        affinity.indptr, row, affinity.weight, affinity.second, strip, columns[some], hidden, at,
                        some.start, best[part], items[part], low[part], high[part],
                    )  # fmt: skip
                    advance(some.stop - some.start)
        return items, best, low, high

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        return self._sums(self._affinity(contexts.events), columns)

    def _sums(self, affinity: Affinity, columns: Codes) -> Floats:
        """Return the sums for each context at `columns`, (contexts, columns)."""
        from palate.kernels import scores as kernel

        rows, row = self._rows(affinity)
        scores = np.empty((len(affinity.indptr) - 1, len(columns)), self._dtype)
        for some, strip in self._strips(rows, columns):
            kernel.all_of_strip(affinity.indptr, row, affinity.weight, strip, scores[:, some])
        return scores

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        from palate.kernels import scores as kernel

        columns = np.arange(len(self.items), dtype=np.int32)
        found = np.full((len(items), k), -1, np.int32)
        best = np.full((len(items), k), -np.inf)
        step = max(1, 2**24 // len(columns))
        for start in range(0, len(items), step):
            some = items[start : start + step]
            block = self._block(some, columns)
            block[block == 0] = -np.inf  # nothing in common
            block[np.arange(len(some)), some] = -np.inf  # an item is not its own neighbour
            kernel.top_k(block, columns, best[start : start + step], found[start : start + step])
        return found, best

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        affinity = self._affinity(contexts.events)
        column = self._block(affinity.item, np.array([item], np.int32))[:, 0]
        return affinity.item, affinity.weight.astype(np.float64) * column, 0.0


def _parts(indptr: NDArray[np.int64]) -> list[slice]:
    """Cut contexts into runs of bounded size."""
    cuts = np.unique(np.searchsorted(indptr, np.arange(0, indptr[-1] + _EVENTS, _EVENTS)))
    cuts = np.unique(np.clip(np.r_[0, cuts, len(indptr) - 1], 0, len(indptr) - 1))
    return [slice(int(a), int(b)) for a, b in pairwise(cuts)]
