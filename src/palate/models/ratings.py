"""Ratings as the rating models take them: one value a pair of user and item, by user and by item."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from palate.interactions import Histories, Interactions
from palate.vocabulary import Codes


@dataclass(frozen=True)
class Ratings:
    """A sparse matrix of ratings, CSR: rows are users (or contexts), columns ascend inside a row."""

    indptr: NDArray[np.int64]
    """(rows + 1)"""
    column: Codes
    """(ratings)"""
    value: NDArray[np.float64]
    """(ratings)"""
    n_columns: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """Ratings of each row."""
        return np.diff(self.indptr)

    @property
    def row(self) -> Codes:
        """The row of each rating."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.counts)

    @cached_property
    def transposed(self) -> Ratings:
        """The same with items as rows."""
        from palate.kernels.order import group

        indptr, order = group(self.column, self.n_columns)
        return Ratings(indptr, self.row[order], self.value[order], len(self))

    @classmethod
    def of(cls, rows: Codes, columns: Codes, values: NDArray[np.floating], shape: tuple[int, int]) -> Ratings:
        """Take ratings in any order; a pair rated more than once has the mean of its ratings (summed in float64)."""
        from scipy.sparse import csr_matrix

        total = csr_matrix((values.astype(np.float64), (rows, columns)), shape=shape)
        total.sum_duplicates()
        value = total.data
        if len(value) < len(rows):
            times = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
            times.sum_duplicates()
            value = value / times.data
        return cls(total.indptr.astype(np.int64), total.indices.astype(np.int32), value, shape[1])

    @classmethod
    def of_interactions(cls, data: Interactions) -> Ratings:
        """Take all rows of `data`: a model's train has no negative ones."""
        return cls.of(data.user, data.item, data.value, (data.n_users, data.n_items))

    @classmethod
    def of_histories(cls, events: Histories, n_items: int) -> Ratings:
        """Take the events of contexts, without negative ones."""
        rated = events.value >= 0
        rows = np.repeat(np.arange(len(events), dtype=np.int32), events.lengths)[rated]
        return cls.of(rows, events.item[rated], events.value[rated], (len(events), n_items))
