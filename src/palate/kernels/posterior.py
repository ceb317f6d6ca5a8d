"""The factors of a row with their uncertainty, in closed form: the step of variational matrix factorisation.

A row (a user, or an item) has x = (bias, factors), normal with what is known of the other side. Of each column a line
of moments is kept: the mean of its own x, then E[x x'] as the lower half, row by row; so what a row adds up over its
ratings are lines of numbers, whatever they mean.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_ROWS = 64  # rows that one thread takes at a time
_FAST = {
    "reassoc",
    "contract",
    "nsz",
}  # sums of a row in any order, so that they are vector code; NaN stays NaN


def width(size: int) -> int:
    """Return the numbers in a line of moments of x with `size` parts."""
    return size + size * (size + 1) // 2


@njit(cache=True, nogil=True)
def _add(line: Matrix, total: Matrix) -> None:
    for n in range(len(line)):
        total[n] += line[n]


@njit(cache=True, nogil=True)
def _add_scaled(scale: float, line: Matrix, total: Matrix) -> None:
    for n in range(len(total)):
        total[n] += scale * line[n]


@njit(cache=True, nogil=True, fastmath=_FAST)
def _dot(a: Matrix, b: Matrix, n: int) -> float:
    total = 0.0
    for f in range(n):
        total += a[f] * b[f]
    return total


@njit(cache=True, nogil=True)
def _gather(
    start: int, stop: int, column: NDArray[np.int32], value: Matrix, moments: Matrix,
    total: Matrix, weighted: Matrix, gram: Matrix, right: Matrix,
) -> None:  # fmt: skip
    """Write E[sum w w'] (lower half) and E[sum w (value - bias)] of the columns' w = (1, factors)."""
    size = len(right)
    total[:] = 0
    weighted[:] = 0
    for n in range(start, stop):
        line = moments[column[n]]
        _add(line, total)
        _add_scaled(value[n], line[:size], weighted)
    values = 0.0
    for n in range(start, stop):
        values += value[n]
    gram[0, 0] = stop - start
    right[0] = values - total[0]
    at = size + 1
    for a in range(1, size):
        gram[a, 0] = total[a]
        right[a] = weighted[a] - total[at]
        for b in range(1, a + 1):
            gram[a, b] = total[at + b]
        at += a + 1


@njit(cache=True, nogil=True)
def _factor(matrix: Matrix) -> None:
    """Write the Cholesky factor of a positive definite matrix over its lower half."""
    n = len(matrix)
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j] - _dot(matrix[i], matrix[j], j)
            matrix[i, j] = np.sqrt(rest) if i == j else rest / matrix[j, j]


@njit(cache=True, nogil=True)
def _solve(lower: Matrix, right: Matrix) -> None:
    """Solve lower lower' x = right, in place."""
    n = len(right)
    for i in range(n):
        right[i] = (right[i] - _dot(lower[i], right, i)) / lower[i, i]
    for i in range(n - 1, -1, -1):
        right[i] /= lower[i, i]
        _add_scaled(-right[i], lower[i], right[:i])


@njit(cache=True, nogil=True)
def _half_inverse(lower: Matrix, inverse: Matrix) -> None:
    """Write the inverse of a lower factor, transposed: row j holds what column j of the inverse does."""
    n = len(lower)
    for j in range(n):
        inverse[j, :j] = 0
        inverse[j, j] = 1 / lower[j, j]
        for i in range(j + 1, n):
            inverse[j, i] = -_dot(lower[i, j:], inverse[j, j:], i - j) / lower[i, i]


@njit(cache=True, nogil=True)
def _posterior(gram: Matrix, right: Matrix, prior: Matrix, noise: float, lower: Matrix, mean: Matrix) -> None:
    """Write the factor of the posterior precision, and the posterior mean."""
    for a in range(len(mean)):
        mean[a] = right[a] / noise
        for b in range(a + 1):
            lower[a, b] = gram[a, b] / noise
        lower[a, a] += prior[a]
    _factor(lower)
    _solve(lower, mean)


@njit(cache=True, nogil=True)
def _second_moments(lower: Matrix, half: Matrix, line: Matrix) -> None:
    """Write E[x x'] after the mean in a line of moments."""
    size = len(lower)
    _half_inverse(lower, half)
    at = size
    for a in range(size):
        for b in range(a + 1):
            line[at] = line[a] * line[b] + _dot(half[a, a:], half[b, a:], size - a)
            at += 1


@njit(cache=True, nogil=True)
def _error(squares: float, gram: Matrix, right: Matrix, line: Matrix) -> float:
    """Return E[sum (value - bias - w . x)^2], where `squares` is E[sum (value - bias)^2]."""
    at = len(right)
    for a in range(len(right)):
        squares -= 2 * line[a] * right[a]
        for b in range(a):
            squares += 2 * line[at + b] * gram[a, b]
        squares += line[at + a] * gram[a, a]
        at += a + 1
    return squares


@njit(cache=True, nogil=True, parallel=True)
def means(
    indptr: NDArray[np.int64], column: NDArray[np.int32], value: Matrix, moments: Matrix,
    prior: Matrix, noise: Matrix, out: Matrix,
) -> None:  # fmt: skip
    """Write the posterior mean of x of each row.

    Args:
        indptr, column, value: ratings less their mean, CSR by row.
        moments: (columns, width) of the other side.
        prior: (size) precision of each part of x before any rating.
        noise: (rows) variance of a rating.
        out: (rows, size), written.
    """
    n_rows, size = out.shape
    for block in prange((n_rows + _ROWS - 1) // _ROWS):
        total, weighted, right = np.empty(moments.shape[1]), np.empty(size), np.empty(size)
        gram, lower = np.empty((size, size)), np.empty((size, size))
        for row in range(block * _ROWS, min((block + 1) * _ROWS, n_rows)):
            _gather(indptr[row], indptr[row + 1], column, value, moments, total, weighted, gram, right)
            _posterior(gram, right, prior, noise[row], lower, out[row])


@njit(cache=True, nogil=True, parallel=True)
def update(
    indptr: NDArray[np.int64], column: NDArray[np.int32], value: Matrix, moments: Matrix,
    prior: Matrix, noise: Matrix, out: Matrix, error: Matrix,
) -> None:  # fmt: skip
    """Write each row's line of moments, (rows, width), and its expected sum of squared errors, (rows).

    The other arguments are those of `means`.
    """
    n_rows, size = len(out), len(prior)
    for block in prange((n_rows + _ROWS - 1) // _ROWS):
        total, weighted, right = np.empty(moments.shape[1]), np.empty(size), np.empty(size)
        gram, lower, half = np.empty((size, size)), np.empty((size, size)), np.empty((size, size))
        for row in range(block * _ROWS, min((block + 1) * _ROWS, n_rows)):
            start, stop = indptr[row], indptr[row + 1]
            _gather(start, stop, column, value, moments, total, weighted, gram, right)
            _posterior(gram, right, prior, noise[row], lower, out[row, :size])
            _second_moments(lower, half, out[row])
            squares = total[size] - 2 * weighted[0]  # E[sum (value - bias)^2]
            for n in range(start, stop):
                squares += value[n] ** 2
            error[row] = _error(squares, gram, right, out[row])
