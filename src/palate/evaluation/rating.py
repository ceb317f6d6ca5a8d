"""Accuracy of predicted values, over pairs of user and item: RMSE, MAE, R2 and explained variance.

    rmse                sqrt(mean (y - p)^2)
    mae                 mean |y - p|
    r2                  1 - sum (y - p)^2 / sum (y - mean y)^2
    explained_variance  1 - var(y - p) / var(y)                     differs from r2 by a constant bias only

All are functions of six sums, so they are kept by user and resampled by user: one user's rows are not
independent, and an interval over rows would be too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.evaluation.keys import RATING, Wanted
from palate.evaluation.significance import Statistic

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rated:
    """Test rows with what a model said of them."""

    users: pl.Series
    """ids of the users of the test part"""
    user: NDArray[np.int32]
    """(rows) places in `users`"""
    item: NDArray[np.int32]
    """(rows) the model's codes"""
    actual: Floats
    """(rows)"""
    predicted: Floats
    """(rows)"""

    def sums(self) -> Floats:
        """Return `user_sums` of the rows."""
        return user_sums(self.user, len(self.users), self.actual, self.predicted)


def user_sums(user: NDArray[np.integer], n_users: int, actual: Floats, predicted: Floats) -> Floats:
    """Return (users, 6): rows, sum y, sum y^2, sum e, sum e^2, sum |e| with e = y - p, of each user's pairs.

    y is centred on its overall mean first, which changes no metric and keeps r2 exact for large values.
    """
    actual, predicted = np.asarray(actual, np.float64), np.asarray(predicted, np.float64)
    error = actual - predicted
    y = actual - (actual.mean() if len(actual) else 0.0)
    columns = (np.ones(len(y)), y, y * y, error, error * error, np.abs(error))
    return np.stack([np.bincount(user, column, n_users) for column in columns], axis=1)


def from_sums(sums: Floats) -> dict[str, Floats]:
    """Return the metrics of (..., 6) sums of `user_sums`; NaN where there is nothing to divide by."""
    n, y, yy, e, ee, absolute = np.moveaxis(np.asarray(sums), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(n > 0, yy - y * y / n, np.nan)
        # Without any spread there is nothing to explain.
        spread = np.where(spread > 1e-12 * np.maximum(yy, 1e-300), spread, np.nan)
        return {
            "rmse": np.sqrt(ee / n),
            "mae": absolute / n,
            "r2": 1 - ee / spread,
            "explained_variance": 1 - (ee - e * e / n) / spread,
        }


def rating_values(actual: Floats, predicted: Floats) -> dict[str, float]:
    """Return rmse, mae, r2 and explained_variance of predicted against actual values (equal lengths)."""
    sums = user_sums(np.zeros(len(actual), np.int64), 1, actual, predicted)[0]
    return {name: float(value) for name, value in from_sums(sums).items()}


def statistics(sums: Floats, wanted: Wanted) -> dict[str, Statistic]:
    """Return the wanted rating metrics as statistics of `user_sums`, which are resampled by user."""
    n = int((sums[:, 0] > 0).sum())
    return {key: Statistic(sums, partial(_metric, key), n) for key in wanted.keys if key in RATING}


def _metric(key: str, sums: Floats) -> Floats:
    return from_sums(sums)[key]
