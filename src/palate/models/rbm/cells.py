"""What a machine sees: for each case (a user, or an item) the units that are on, each at a level.

A unit of a rating machine is on where there is a rating, and its level is the rating's place on the scale. A unit of a
seen machine is on where the item was chosen; there is one level.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palate.errors import DataError, PalateWarning, PlanError, listing
from palate.interactions import Histories, Interactions
from palate.models.algorithm import Floats, Pairs
from palate.models.ratings import Ratings
from palate.vocabulary import Codes

Levels = NDArray[np.uint8]
_MOST_FOUND = 101  # 0 to 100 is a scale; more distinct values are a measurement
_MOST_TOLD = 256  # levels that a byte holds


@dataclass(frozen=True)
class Cells:
    """The units that are on in each case, as CSR; units ascend inside a case."""

    indptr: NDArray[np.int64]
    """(cases + 1)"""
    unit: Codes
    """(cells)"""
    level: Levels
    """(cells)"""
    n_units: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def case(self) -> Codes:
        """The case of each cell."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.indptr))

    def take(self, cases: NDArray[np.integer]) -> Cells:
        """Return some cases, in that order."""
        lengths = np.diff(self.indptr)[cases]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        at = np.repeat(self.indptr[cases] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Cells(indptr, self.unit[at], self.level[at], self.n_units)

    def transposed(self) -> Cells:
        """Return the same cells with units as cases, and cases as units."""
        return of_rows(self.unit, self.case, self.level, (self.n_units, len(self)))


@dataclass(frozen=True)
class Scale:
    """The ratings there are, ascending; gaps are welcome."""

    values: Floats

    @classmethod
    def told(cls, values: tuple[float, ...]) -> Scale:
        """Return the scale of these ratings. Raises PlanError where they are none."""
        with np.errstate(over="ignore"):  # beyond float32 is not finite, which is refused
            given = np.asarray(values, np.float32)
        scale, strange = np.unique(given).astype(np.float64), np.asarray(values)[~np.isfinite(given)]
        if 1 <= len(scale) <= _MOST_TOLD and not len(strange):
            return cls(scale)
        what = f"with {listing(strange)}" if len(strange) else f"of {len(scale):,} distinct ratings"
        raise PlanError(
            f"rbm: a scale {what}: give all ratings there are as 1 to {_MOST_TOLD} finite numbers, such as "
            "[1, 2, 3, 4, 5], or leave scale out to take it from train."
        )

    @classmethod
    def of(cls, train: NDArray[np.float32], told: tuple[float, ...] | None) -> Scale:
        """Return the scale that was told, or the values in train. Raises DataError where they do not fit."""
        found = np.unique(train).astype(np.float64)
        if told is None:
            if len(found) > _MOST_FOUND:
                raise DataError(
                    f"rbm: train has {len(found):,} distinct values, {listing(found, limit=3)}: no scale of ratings. "
                    'Round them, or take visible = "bernoulli", which needs no ratings.'
                )
            return cls(found)
        scale = cls.told(told)
        strange = found[~np.isin(found, scale.values)]
        if len(strange):
            rows = int(np.isin(train, strange.astype(np.float32)).sum())
            raise DataError(
                f"rbm: {rows:,} of {len(train):,} ratings are off the scale {listing(scale.values, limit=12)} "
                f"({listing(strange)}): mend them, or leave scale out to take it from train."
            )
        return scale

    def levels(self, value: NDArray[np.floating]) -> Levels:
        """Return the level nearest to each value; between two, the lower."""
        from palate.kernels import rbm as kernel

        return kernel.nearest(value, (self.values[1:] + self.values[:-1]) / 2)

    def levels_told(self, value: NDArray[np.floating]) -> Levels:
        """Return the same for ratings told after training, with a warning for those beyond the ends of the scale."""
        beyond = (value < self.values[0]) | (value > self.values[-1])
        if beyond.any():
            warnings.warn(
                f"{int(beyond.sum()):,} of {len(value):,} ratings are off the scale of {self.values[0]:g} to "
                f"{self.values[-1]:g} that rbm was trained on: they are taken as its ends.",
                PalateWarning,
                stacklevel=3,
            )
        return self.levels(value)


def of_rows(case: Codes, unit: Codes, level: Levels, shape: tuple[int, int]) -> Cells:
    """Return cells from rows in any order, each pair of case and unit once."""
    from palate.kernels import rbm as kernel

    return Cells(*kernel.by_case(case, unit, level, *shape), shape[1])


def seen(pairs: Pairs, n_items: int) -> Cells:
    """Return which items each user chose."""
    return Cells(pairs.indptr, pairs.items, np.zeros(len(pairs.items), np.uint8), n_items)


def rated(train: Interactions, n_pairs: int, scale: Scale) -> Cells:
    """Return how each user rated; a pair that stands more than once has the level nearest to its mean."""
    if n_pairs == len(train):
        return of_rows(train.user, train.item, scale.levels(train.value), (train.n_users, train.n_items))
    ratings = Ratings.of_interactions(train)
    return Cells(ratings.indptr, ratings.column, scale.levels(ratings.value), train.n_items)


def of_events(events: Histories, n_items: int, scale: Scale | None) -> Cells:
    """Return the cells of contexts: how they rated, or without a scale what they chose; never a negative event."""
    ratings = Ratings.of_histories(events, n_items)
    level = np.zeros(len(ratings.value), np.uint8) if scale is None else scale.levels_told(ratings.value)
    return Cells(ratings.indptr, ratings.column, level, n_items)
