"""One side of a factorisation of choices: the best row for each user (or item), the other side being fixed.

The row x of a user with the items S is the least of

    sum over S of (1 - x.h_i)^2 + x (everywhere + strength I) x'

where `everywhere` is a weighted Gram matrix of the whole other side: that the unchosen are many costs nothing. It
solves A x = b with A = everywhere + strength I + sum h_i h_i', b = sum h_i. Exactly, by Cholesky, in size^2 / 2
multiply-adds a choice and size^3 / 6 a row; or nearly, by a few conjugate gradients from where the row was, in 2 size a
choice and step.

Sizes are multiples of 16 (`padded`). float32; rows are independent and each is made in one order, so the number of
threads changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from palate.kernels.tile import TALL, WIDE, add_tile

Matrix = NDArray[np.float32]
Double = NDArray[np.float64]
Pointers = NDArray[np.int64]
Codes = NDArray[np.int32]

_BLOCKS = 64  # of rows, each made by one thread; strided, so that long and short rows spread evenly
_PACKED = 64  # rows of the other side copied together, to stay in the first cache
_NOTHING = np.float32(1e-20)  # square of the rest of a row's equations, where steps would divide by nothing
# Copies are loops: numba compiles `a[:] = b` for every shape there could be, and takes ten times as long.
# Sums of a row in any order, so that they are vector code; NaN stays NaN.
_FAST: Any = {"reassoc", "contract", "nsz"}


def padded(size: int) -> int:
    """Return the size that kernels take for rows of `size` numbers; what is added stays 0."""
    return -(-size // WIDE) * WIDE


@njit(cache=True, nogil=True)
def _tiles(rows: Matrix, stop: int, top: int, below: int, sign: float, out: Matrix) -> None:
    """Add sign x rows[:stop]' rows[:stop] to the upper half of `out`, from row `top` to row `below`."""
    for i in range(top, below, TALL):
        for j in range(i // WIDE * WIDE, len(out), WIDE):
            add_tile(rows, 0, stop, i, j, np.float32(sign), out)


@njit(cache=True, nogil=True)
def _normal(
    start: int, stop: int, column: Codes, factors: Matrix, packed: Matrix, matrix: Matrix, right: Matrix
) -> None:
    """Add sum h h' to the upper half of `matrix`, and write sum h to `right`."""
    size = factors.shape[1]
    for f in range(size):
        right[f] = 0
    for first in range(start, stop, _PACKED):
        n = min(_PACKED, stop - first)
        for r in range(n):
            row = np.uint64(column[first + r])
            for f in range(np.uint64(size)):
                packed[r, f] = factors[row, f]
                right[f] += factors[row, f]
        _tiles(packed, n, 0, size, 1.0, matrix)


@njit(cache=True, nogil=True)
def _factor(matrix: Matrix) -> None:
    """Write the upper Cholesky factor, U' U = matrix, over the upper half; NaN where it is not positive definite."""
    size = np.uint64(len(matrix))
    for top in range(0, len(matrix), WIDE):
        _tiles(matrix, top, top, top + WIDE, -1.0, matrix)
        first, last = np.uint64(top), np.uint64(top + WIDE)
        for i in range(first, last):
            for r in range(first, i):
                share = matrix[r, i]
                for j in range(i, size):
                    matrix[i, j] -= share * matrix[r, j]
            scale = np.float32(1) / np.sqrt(matrix[i, i])
            for j in range(i, size):
                matrix[i, j] *= scale


@njit(cache=True, nogil=True, fastmath=_FAST)
def _substitute(upper: Matrix, x: Matrix) -> None:
    """Solve U' U x = x, in place."""
    size = np.uint64(len(x))
    for i in range(size):
        x[i] /= upper[i, i]
        for j in range(i + np.uint64(1), size):
            x[j] -= x[i] * upper[i, j]
    for n in range(size):
        r = size - np.uint64(1) - n
        total = np.float32(0)
        for j in range(r + np.uint64(1), size):
            total += upper[r, j] * x[j]
        x[r] = (x[r] - total) / upper[r, r]


@njit(cache=True, nogil=True, fastmath=_FAST)
def _dot(a: Matrix, b: Matrix) -> np.float32:
    total = np.float32(0)
    for f in range(len(a)):
        total += a[f] * b[f]
    return total


@njit(cache=True, nogil=True)
def _solve(
    start: int, stop: int, column: Codes, factors: Matrix, everywhere: Double, strength: float,
    matrix: Matrix, packed: Matrix, right: Matrix, x: Matrix,
) -> None:  # fmt: skip
    """Write the factor of A to `matrix`, b to `right` and the solution of A x = b to `x`."""
    size = np.uint64(len(x))
    for g in range(size):
        for f in range(size):
            matrix[g, f] = everywhere[g, f]
        matrix[g, g] += strength
    _normal(start, stop, column, factors, packed, matrix, right)
    for f in range(size):
        x[f] = right[f]
    _factor(matrix)
    _substitute(matrix, x)


@njit(cache=True, nogil=True, fastmath=_FAST)
def _rest(
    start: int,
    stop: int,
    column: Codes,
    factors: Matrix,
    everywhere: Double,
    strength: float,
    x: Matrix,
    out: Double,
) -> None:
    """Write b - A x in float64."""
    size = np.uint64(len(x))
    for f in range(size):
        out[f] = -strength * x[f]
    for g in range(size):
        share = np.float64(x[g])
        for f in range(size):
            out[f] -= share * everywhere[g, f]
    for n in range(np.uint64(start), np.uint64(stop)):
        row, missing = np.uint64(column[n]), 1.0
        for f in range(size):
            missing -= np.float64(factors[row, f]) * np.float64(x[f])
        for f in range(size):
            out[f] += missing * np.float64(factors[row, f])


@njit(cache=True, nogil=True)
def _exact_rows(
    rows: range, indptr: Pointers, column: Codes, factors: Matrix, everywhere: Double, strength: Double,
    out: Matrix, loss: Double, fine: Double,
) -> None:  # fmt: skip
    size = factors.shape[1]
    matrix, packed = np.empty((size, size), np.float32), np.empty((_PACKED, size), np.float32)
    right, rest = np.empty(size, np.float32), np.empty(size)
    for u in rows:
        start, stop, x = indptr[u], indptr[u + 1], out[u]
        _solve(start, stop, column, factors, everywhere, strength[u], matrix, packed, right, x)
        loss[u] = stop - start - np.float64(_dot(x, right))  # A x = b
        if len(fine):
            _rest(start, stop, column, factors, everywhere, strength[u], x, rest)
            for f in range(size):
                right[f] = rest[f]
            _substitute(matrix, right)
            for f in range(size):
                fine[u, f] = np.float64(x[f]) + np.float64(right[f])


@njit(cache=True, nogil=True, parallel=True)
def exact_rows(
    indptr: Pointers, column: Codes, factors: Matrix, everywhere: Double, strength: Double, out: Matrix,
    loss: Double, fine: Double,
) -> None:  # fmt: skip
    """Write the best row of each user, by Cholesky; NaN where its matrix is not positive definite.

    Args:
        indptr, column: the choices, CSR by row.
        factors: (columns, size) of the other side. everywhere: (size, size). strength: (rows).
        out: (rows, size), written. loss: (rows) what the row's least is, written.
        fine: (rows, size) the same in float64, written: what is left of the equations is solved again. Or (0, size).
    """
    for block in prange(_BLOCKS):
        rows = range(block, len(out), _BLOCKS)
        _exact_rows(rows, indptr, column, factors, everywhere, strength, out, loss, fine)


@njit(cache=True, nogil=True, fastmath=_FAST)
def _times(
    start: int, stop: int, column: Codes, factors: Matrix, everywhere: Matrix, strength: np.float32,
    target: np.float32, x: Matrix, out: Matrix,
) -> np.float64:  # fmt: skip
    """Write A x - target b to `out`; return the sum of (target - x.h)^2 and x (everywhere + strength I) x'."""
    size = np.uint64(len(x))
    for f in range(size):
        out[f] = strength * x[f]
    for g in range(size):
        share = x[g]
        for f in range(size):
            out[f] += share * everywhere[g, f]
    total = np.float64(_dot(x, out))
    for n in range(np.uint64(start), np.uint64(stop)):
        row = np.uint64(column[n])
        share = np.float32(0)
        for f in range(size):
            share += factors[row, f] * x[f]
        share -= target
        total += np.float64(share) * np.float64(share)
        for f in range(size):
            out[f] += share * factors[row, f]
    return total


@njit(cache=True, nogil=True, fastmath=_FAST)
def _near_rows(
    rows: range, steps: int, indptr: Pointers, column: Codes, factors: Matrix, everywhere: Double,
    strength: Double, out: Matrix, loss: Double,
) -> None:  # fmt: skip
    size = factors.shape[1]
    gram = np.empty((size, size), np.float32)
    for g in range(size):
        for f in range(size):
            gram[g, f] = everywhere[g, f]
    rest, way, image = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    none, one = np.float32(0), np.float32(1)
    for u in rows:
        start, stop, pull, x = indptr[u], indptr[u + 1], np.float32(strength[u]), out[u]
        total = _times(start, stop, column, factors, gram, pull, one, x, rest)
        for f in range(size):
            rest[f] = -rest[f]  # b - A x
            way[f] = rest[f]
        square = _dot(rest, rest)
        for _ in range(steps):
            if square < _NOTHING:
                break
            bend = _times(start, stop, column, factors, gram, pull, none, way, image)
            share = np.float32(square / bend)
            total -= share * square
            for f in range(size):
                x[f] += share * way[f]
                rest[f] -= share * image[f]
            before, square = square, _dot(rest, rest)
            turn = square / before
            for f in range(size):
                way[f] = rest[f] + turn * way[f]
        loss[u] = total


@njit(cache=True, nogil=True, parallel=True)
def near_rows(
    steps: int, indptr: Pointers, column: Codes, factors: Matrix, everywhere: Double, strength: Double, out: Matrix,
    loss: Double,
) -> None:  # fmt: skip
    """Take each row some conjugate gradients nearer to the best one, from where `out` has it.

    Other arguments as `exact_rows`; `loss` is of where a row arrives.
    """
    for block in prange(_BLOCKS):
        rows = range(block, len(out), _BLOCKS)
        _near_rows(rows, steps, indptr, column, factors, everywhere, strength, out, loss)
