"""Low-rank models at the observed cells: residuals, their change along a path, gradients, and rows in closed form.

Ratings are CSR by user. Sums over all cells are taken in runs of users that depend on the data alone and are added up
in order, so they do not change with the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_RUN = 2**16  # ratings of a run, about
_SCATTER = 2**26  # bytes that the runs of `gradients` may take to add up the columns' side

_FAST = {
    "reassoc",
    "contract",
    "nsz",
}  # sums of a row in any order, so that they are vector code; NaN stays NaN


def runs(indptr: NDArray[np.int64], most: int | None = None) -> NDArray[np.int64]:
    """Cut rows into runs of about `_RUN` ratings, `most` of them at the most: where each begins, and the end."""
    n = max(1, int(indptr[-1]) // _RUN)
    n = n if most is None else min(n, max(most, 1))
    cuts = np.searchsorted(indptr, np.linspace(0, indptr[-1], n + 1)[1:-1])
    ends: NDArray[np.int64] = np.r_[0, cuts, len(indptr) - 1].astype(np.int64)
    return ends


def gradient_runs(indptr: NDArray[np.int64], n_columns: int, rank: int) -> NDArray[np.int64]:
    """Return the runs that `gradients` takes: each adds up the columns' side in a matrix of its own."""
    return runs(indptr, min(8, _SCATTER // (8 * n_columns * rank)))


# Inner loops index whole matrices by unsigned numbers: a view of a row, or a test for an index below zero, costs as
# much as the row's arithmetic.


@njit(cache=True, nogil=True, fastmath=_FAST)
def _residuals_of_run(
    rows: range, indptr: NDArray[np.int64], column: NDArray[np.int32], value: Matrix,
    left: Matrix, right: Matrix, residual: Matrix,
) -> None:  # fmt: skip
    rank = np.uint64(left.shape[1])
    for u in rows:
        row = np.uint64(u)
        for n in range(np.uint64(indptr[u]), np.uint64(indptr[u + 1])):
            i = np.uint64(column[n])
            total = 0.0
            for f in range(rank):
                total += left[row, f] * right[i, f]
            residual[n] = value[n] - total


@njit(cache=True, nogil=True, parallel=True)
def residuals(
    cuts: NDArray[np.int64], indptr: NDArray[np.int64], column: NDArray[np.int32], value: Matrix,
    left: Matrix, right: Matrix, residual: Matrix,
) -> None:  # fmt: skip
    """Write value - left[row] . right[column] of each rating to `residual`.

    Args:
        cuts: `runs(indptr)`.
        indptr, column, value: the ratings, CSR by row.
        left: (rows, rank). right: (columns, rank).
    """
    for run in prange(len(cuts) - 1):
        rows = range(cuts[run], cuts[run + 1])
        _residuals_of_run(rows, indptr, column, value, left, right, residual)


@njit(cache=True, nogil=True, fastmath=_FAST)
def _along_run(
    rows: range, indptr: NDArray[np.int64], column: NDArray[np.int32], residual: Matrix,
    left: Matrix, right: Matrix, left_step: Matrix, right_step: Matrix,
    first: Matrix, second: Matrix, sums: Matrix,
) -> None:  # fmt: skip
    rank = np.uint64(left.shape[1])
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for u in rows:
        row = np.uint64(u)
        for n in range(np.uint64(indptr[u]), np.uint64(indptr[u + 1])):
            i = np.uint64(column[n])
            a, b = 0.0, 0.0
            for f in range(rank):
                a += left[row, f] * right_step[i, f] + left_step[row, f] * right[i, f]
                b += left_step[row, f] * right_step[i, f]
            e = residual[n]
            first[n], second[n] = a, b
            s0 += e * a
            s1 += a * a - 2 * e * b
            s2 += a * b
            s3 += b * b
    sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3


@njit(cache=True, nogil=True, parallel=True)
def along(
    cuts: NDArray[np.int64], indptr: NDArray[np.int64], column: NDArray[np.int32], residual: Matrix,
    left: Matrix, right: Matrix, left_step: Matrix, right_step: Matrix,
    first: Matrix, second: Matrix,
) -> Matrix:  # fmt: skip
    """Return how the sum of squared residuals goes along (left + t left_step)(right + t right_step)'.

    A residual e is e - t a - t^2 b there; a and b are written to `first` and `second`. Returned are the four
    numbers s of sum e(t)^2 = sum e^2 - 2 s0 t + s1 t^2 + 2 s2 t^3 + s3 t^4.
    """
    sums = np.zeros((len(cuts) - 1, 4))
    for run in prange(len(cuts) - 1):
        rows = range(cuts[run], cuts[run + 1])
        _along_run(
            rows, indptr, column, residual, left, right, left_step, right_step, first, second, sums[run]
        )
    total: Matrix = sums.sum(axis=0)
    return total


@njit(cache=True, nogil=True, fastmath=_FAST)
def _gradients_of_run(
    rows: range, indptr: NDArray[np.int64], column: NDArray[np.int32], step: float, first: Matrix, second: Matrix,
    residual: Matrix, left: Matrix, right: Matrix, of_left: Matrix, of_right: Matrix,
) -> float:  # fmt: skip
    of_right[:] = 0
    rank = np.uint64(left.shape[1])
    total, squares = np.empty(rank), 0.0
    for u in rows:
        row = np.uint64(u)
        total[:] = 0
        for n in range(np.uint64(indptr[u]), np.uint64(indptr[u + 1])):
            i, e = np.uint64(column[n]), residual[n] - step * (first[n] + step * second[n])
            residual[n] = e
            squares += e * e
            for f in range(rank):
                total[f] -= e * right[i, f]
                of_right[i, f] -= e * left[row, f]
        of_left[u] = total
    return squares


@njit(cache=True, nogil=True, parallel=True)
def gradients(
    cuts: NDArray[np.int64], indptr: NDArray[np.int64], column: NDArray[np.int32], step: float, first: Matrix,
    second: Matrix, residual: Matrix, left: Matrix, right: Matrix, of_left: Matrix, of_right: Matrix,
) -> float:  # fmt: skip
    """Take the residuals a step along the path that `along` measured, and write the derivatives there.

    Those of half the sum of squared residuals by `left` and by `right`: -E right and -E' left. Returns that sum.

    Args:
        cuts: `gradient_runs`; each run takes a matrix of (columns, rank) while it works.
        step, first, second: the residuals become residual - step first - step^2 second, in place.
        left, right: where the step arrives. of_left, of_right: written; shaped as these.
    """
    parts = np.empty((len(cuts) - 1, *of_right.shape))
    squares = np.empty(len(cuts) - 1)
    for run in prange(len(cuts) - 1):
        rows = range(cuts[run], cuts[run + 1])
        squares[run] = _gradients_of_run(
            rows, indptr, column, step, first, second, residual, left, right, of_left, parts[run]
        )
    of_right[:] = parts.sum(axis=0)
    return float(squares.sum())


@njit(cache=True, nogil=True)
def _solve(matrix: Matrix, right: Matrix) -> None:
    """Solve a positive definite system in place, by Cholesky; a pivot that vanishes gives 0 for its unknown."""
    n = len(right)
    least = 0.0
    for f in range(n):
        least = max(least, 1e-12 * matrix[f, f])
    for j in range(n):
        for f in range(j):
            for i in range(j, n):
                matrix[i, j] -= matrix[i, f] * matrix[j, f]
        pivot = matrix[j, j]
        if pivot <= least or pivot == 0:
            matrix[j:, j] = 0
            matrix[j, j] = np.inf
        else:
            matrix[j:, j] /= np.sqrt(pivot)
    for j in range(n):
        for f in range(j):
            right[j] -= matrix[j, f] * right[f]
        right[j] /= matrix[j, j]
    for j in range(n - 1, -1, -1):
        for i in range(j + 1, n):
            right[j] -= matrix[i, j] * right[i]
        right[j] /= matrix[j, j]


@njit(cache=True, nogil=True, fastmath=_FAST)
def _row(
    start: int, stop: int, column: NDArray[np.int32], value: Matrix, factors: Matrix,
    penalty: Matrix, strength: float, always: Matrix, matrix: Matrix, out: Matrix,
) -> None:  # fmt: skip
    """Solve one row's problem; of the matrix only the lower half is made."""
    matrix[:] = strength * penalty + always
    out[:] = 0
    rank = np.uint64(factors.shape[1])
    for n in range(np.uint64(start), np.uint64(stop)):
        i = np.uint64(column[n])
        for a in range(rank):
            here = factors[i, a]
            out[a] += value[n] * here
            for b in range(a + np.uint64(1)):
                matrix[a, b] += here * factors[i, b]
    _solve(matrix, out)


@njit(cache=True, nogil=True)
def _rows_of_run(
    rows: range, indptr: NDArray[np.int64], column: NDArray[np.int32], value: Matrix, factors: Matrix,
    penalty: Matrix, strength: Matrix, always: Matrix, out: Matrix,
) -> None:  # fmt: skip
    matrix = np.empty(penalty.shape)
    for u in rows:
        _row(indptr[u], indptr[u + 1], column, value, factors, penalty, strength[u], always, matrix, out[u])


@njit(cache=True, nogil=True, parallel=True)
def best_rows(
    cuts: NDArray[np.int64], indptr: NDArray[np.int64], column: NDArray[np.int32], value: Matrix,
    factors: Matrix, penalty: Matrix, strength: Matrix, always: Matrix, out: Matrix,
) -> None:  # fmt: skip
    """Write the row x of each user that is best for fixed factors of the columns: a small ridge problem each.

    Minimised is sum over its ratings of (value - x . factors[column])^2 + x (strength[row] penalty + always) x'.

    Args:
        factors: (columns, rank). penalty, always: (rank, rank). strength: (rows). out: (rows, rank), written.
    """
    for run in prange(len(cuts) - 1):
        rows = range(cuts[run], cuts[run + 1])
        _rows_of_run(rows, indptr, column, value, factors, penalty, strength, always, out)
