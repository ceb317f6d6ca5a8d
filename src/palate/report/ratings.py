"""How well models rate: for whom and what, whether ratings are as high as foretold, and what lists they make.

A low error is not a good list: RMSE asks how high the items were rated that people chose to rate, a list asks which
items they choose. So the lists that each model's ratings order are judged beside its error.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from palate.evaluation.rating import Rated
from palate.evaluation.result import Calibration, CalibrationPoint, Measured, RatingSlice
from palate.report.slices import quarters

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]


def by_activity(rated: Mapping[str, Rated], user_rows: Ints, item_rows: Ints) -> list[RatingSlice]:
    """Return errors in quarters of the test rows by activity of the user, then of the item.

    Args:
        rated: by label; the same rows for every model.
        user_rows: (users of the test part) rows of each in train or context.
        item_rows: (items) rows of each in train.
    """
    one = next(iter(rated.values()))
    slices = []
    for kind, counts in (("user", user_rows[one.user]), ("item", item_rows[one.item])):
        for name, part in quarters(counts):
            errors = {
                label: (of_model.user[part], (of_model.actual - of_model.predicted)[part])
                for label, of_model in rated.items()
            }
            slices.append(
                RatingSlice(
                    kind=kind,
                    label=name,
                    rows=int(part.sum()),
                    rmse={label: rmse(*error) for label, error in errors.items()},
                    mae={label: _mean(user, np.abs(error)) for label, (user, error) in errors.items()},
                )
            )
    return slices


def calibration(rated: Mapping[str, Rated], *, parts: int = 10) -> list[Calibration]:
    """Return each model's mean rating against its mean prediction, in tenths of the rows by prediction."""
    return [_calibration(label, one.predicted, one.actual, parts) for label, one in rated.items()]


def _calibration(label: str, predicted: Floats, actual: Floats, parts: int) -> Calibration:
    told = np.isfinite(predicted)
    predicted, actual = predicted[told], actual[told]
    if len(predicted) == 0:
        return Calibration(label=label, points=[])
    cuts = np.unique(np.quantile(predicted, np.linspace(0, 1, parts + 1)[1:-1]))
    part = np.searchsorted(cuts, predicted, side="left")
    rows = np.bincount(part, minlength=len(cuts) + 1)
    means = [np.bincount(part, value, len(rows)) / np.maximum(rows, 1) for value in (predicted, actual)]
    spread = float(predicted.var())
    together = float(np.mean((predicted - predicted.mean()) * actual)) if spread > 1e-12 else 0.0
    return Calibration(
        label=label,
        points=[
            CalibrationPoint(predicted=float(said), actual=float(was), rows=int(n))
            for said, was, n in zip(*means, rows, strict=True)
            if n
        ],
        slope=together / spread if spread > 1e-12 else None,
    )


def rmse(user: Ints, error: Floats) -> Measured:
    """Return the RMSE of rows, with its normal interval by user (delta method)."""
    square = _mean(user, error**2)
    root = np.sqrt(square.value)
    if not square.ci95 or not root > 0:
        return Measured(mean=float(root), n=square.n)
    margin = (square.ci95[1] - square.value) / (2 * root)
    return Measured(mean=float(root), ci95=(float(root - margin), float(root + margin)), n=square.n)


def _mean(user: Ints, value: Floats) -> Measured:
    """Return the mean over rows, with its normal interval by user: a ratio of sums (Taylor linearisation)."""
    _, place = np.unique(user, return_inverse=True)
    rows, total = np.bincount(place), np.bincount(place, value)
    mean, n = float(total.sum() / rows.sum()), len(rows)
    if n < 2:
        return Measured(mean=mean, n=n)
    apart = float(np.sqrt(n / (n - 1) * ((total - mean * rows) ** 2).sum()) / rows.sum())
    return Measured(mean=mean, ci95=(mean - 1.96 * apart, mean + 1.96 * apart), n=n)
