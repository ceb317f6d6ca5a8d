"""The objective that all solvers share: half the squared error at the observed cells, plus penalties.

    f = 1/2 sum over observed (u, i) of (y_ui - b_u - b_i - L_u . R_i)^2 + penalty(L, R)
        + user_damping / 2 sum_u b_u^2 + item_damping / 2 sum_i b_i^2

    count_power = None   penalty = regularisation / 2 ||L R'||^2     a function of the product alone
    count_power = p      penalty = regularisation / 2 (sum_u n_u^p |L_u|^2 + sum_i n_i^p |R_i|^2)

where n counts the ratings of a user or an item. The first is the penalty of the manifold papers (with L R' = U B V'
it is ||B||^2) and does not change when L, R become L M^-1, R M'; the second, better on sparse data, does not change
under rotations only.

Biases are found together with the factors: found before and kept, they cost 0.008 of RMSE on MovieLens-1M. They are two
more columns, whose other side is fixed at 1, so that one pair of matrices says all:

    left = [L | b_u | 1],    right = [R | 1 | b_i],    b_u + b_i + L_u . R_i = left_u . right_i
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from palate.models.ratings import Ratings

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """Where a solver stands after an iteration."""

    left: Matrix
    """(users, rank, or rank + 2 with biases)"""
    right: Matrix
    """(items, the same)"""
    cost: float
    squares: float
    """sum of squared errors at the observed cells"""
    gradient_norm: float
    """of the gradient before the step, in the solver's own metric"""


class Solver(Protocol):
    """A way down: yields a step after each iteration, and ends where it cannot go on."""

    def __call__(self, problem: Problem, left: Matrix, right: Matrix) -> Iterator[Step]:
        """Start from a pair of matrices, which stay as they are."""
        ...


@dataclass(frozen=True)
class Penalty:
    """How large factors and biases are punished, also where users or items are folded in later."""

    regularisation: float
    count_power: float | None = None
    user_damping: float = 0.0
    item_damping: float = 0.0
    biases: bool = False

    def strength(self, counts: NDArray[np.int64]) -> Matrix:
        """Return how much the factors of each row, with so many ratings, are punished."""
        power = 0.0 if self.count_power is None else self.count_power
        return self.regularisation * counts.astype(np.float64) ** power

    def best_rows(self, ratings: Ratings, other: Matrix, damping: float) -> tuple[Matrix, Matrix]:
        """Return the factors (rows, rank) and biases (rows) that fit best to the other side's, in closed form.

        Args:
            ratings: by the rows that are asked for.
            other: (columns, rank), or (columns, rank + 1) with biases last: the other side, which stays.
            damping: of the biases asked for.
        """
        from palate.kernels import observed

        rank = other.shape[1] - self.biases
        factors, value = np.ascontiguousarray(other[:, :rank]), ratings.value
        shape = np.eye(rank) if self.count_power is not None else factors.T @ factors
        always = np.zeros((rank, rank))
        if self.biases:
            value = value - other[ratings.column, rank]
            factors = np.c_[factors, np.ones(len(factors))]
            shape = np.pad(shape, (0, 1))
            always = np.diag(np.r_[np.zeros(rank), damping])
        out = np.empty((len(ratings), rank + self.biases))
        observed.best_rows(
            observed.runs(ratings.indptr), ratings.indptr, ratings.column, value, factors, shape,
            self.strength(ratings.counts), always, out,
        )  # fmt: skip
        return out[:, :rank], out[:, rank] if self.biases else np.zeros(len(out))


@dataclass(frozen=True)
class Problem:
    """What is to be completed, and how large factors and biases are punished."""

    ratings: Ratings
    """y, by user"""
    rank: int
    penalties: Penalty

    # --- the pair of matrices -------------------------------------------------------------------------------

    def pair(self, factors: tuple[Matrix, Matrix], biases: tuple[Matrix, Matrix]) -> tuple[Matrix, Matrix]:
        """Return factors (users, rank), (items, rank) and biases (users), (items) as one pair of matrices."""
        left, right = (np.ascontiguousarray(side) for side in factors)  # kernels read rows
        if not self.penalties.biases:
            return left, right
        ones = np.ones(len(left)), np.ones(len(right))
        return np.c_[left, biases[0], ones[0]], np.c_[right, ones[1], biases[1]]

    def item_side(self, right: Matrix) -> tuple[Matrix, Matrix]:
        """Return factors (items, rank) and biases (items) of the right matrix."""
        bias = right[:, self.rank + 1].copy() if self.penalties.biases else np.zeros(len(right))
        return np.ascontiguousarray(right[:, : self.rank]), bias

    # --- the objective --------------------------------------------------------------------------------------

    @cached_property
    def cuts(self) -> NDArray[np.int64]:
        """Runs of users, for the kernels."""
        from palate.kernels import observed

        return observed.runs(self.ratings.indptr)

    @cached_property
    def gradient_cuts(self) -> NDArray[np.int64]:
        """Runs of users, for the kernel of gradients."""
        from palate.kernels import observed

        return observed.gradient_runs(self.ratings.indptr, self.ratings.n_columns, self.rank + 2)

    @cached_property
    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ratings of each user and of each item, (users) and (items)."""
        return self.ratings.counts, np.bincount(self.ratings.column, minlength=self.ratings.n_columns)

    @cached_property
    def strengths(self) -> tuple[Matrix, Matrix]:
        """How much the factors of each user and of each item are punished, (users) and (items)."""
        return self.penalties.strength(self.counts[0]), self.penalties.strength(self.counts[1])

    @cached_property
    def curvature(self) -> tuple[tuple[Matrix, Matrix], tuple[Matrix, Matrix]]:
        """What the objective's second derivative by a row is on average, over which cells are observed.

        For users and for items: `size` and `ridge`, (rows) each, of size x (the other side's gram) + ridge x I.
        """
        users, items = len(self.ratings), self.ratings.n_columns
        sizes = self.counts[0] / items, self.counts[1] / users
        if self.penalties.count_power is None:
            return tuple((size + self.penalties.regularisation, np.zeros(len(size))) for size in sizes)  # type: ignore[return-value]
        return tuple(zip(sizes, self.strengths, strict=True))  # type: ignore[return-value]

    @cached_property
    def bias_curvature(self) -> tuple[Matrix, Matrix]:
        """The objective's second derivative by the bias of each user and of each item, (users) and (items)."""
        of_users, of_items = (counts.astype(np.float64) for counts in self.counts)
        return of_users + self.penalties.user_damping, of_items + self.penalties.item_damping

    def residual(self, left: Matrix, right: Matrix) -> Matrix:
        """Return y - left_u . right_i of each rating."""
        from palate.kernels import observed

        out = np.empty_like(self.ratings.value)
        r = self.ratings
        observed.residuals(self.cuts, r.indptr, r.column, r.value, left, right, out)
        return out

    def cost(self, squares: float, left: Matrix, right: Matrix) -> float:
        """Return the objective, from the sum of squared residuals."""
        return squares / 2 + self.penalty(left, right)

    def penalty(self, left: Matrix, right: Matrix) -> float:
        """Return what is added to half the squared error."""
        k, p = self.rank, self.penalties
        factors = left[:, :k], right[:, :k]
        if p.count_power is None:
            total = p.regularisation * float(
                np.sum((factors[0].T @ factors[0]) * (factors[1].T @ factors[1]))
            )
        else:
            total = sum(
                float(weight @ np.einsum("uf,uf->u", side, side))
                for weight, side in zip(self.strengths, factors, strict=True)
            )
        if p.biases:
            of_users, of_items = left[:, k], right[:, k + 1]
            total += float(p.user_damping * of_users @ of_users + p.item_damping * of_items @ of_items)
        return total / 2

    def gradient(
        self,
        residual: Matrix,
        left: Matrix,
        right: Matrix,
        step: float = 0.0,
        change: tuple[Matrix, Matrix] | None = None,
    ) -> tuple[tuple[Matrix, Matrix], float]:
        """Return the objective's derivatives by the two matrices, and the sum of squared residuals.

        Args:
            residual: at (left, right), or a `step` before it, along `change`: then it is brought here, in place.
            left, right: where. The derivatives by the columns that are fixed at 1 are 0.
        """
        from palate.kernels import observed

        first, second = change or (residual, residual)
        r, k, p = self.ratings, self.rank, self.penalties
        padded = wide(left), wide(right)
        found = np.empty_like(padded[0]), np.empty_like(padded[1])
        squares = observed.gradients(
            self.gradient_cuts, r.indptr, r.column, step, first, second, residual, *padded, *found
        )
        of_left, of_right = found[0][:, : left.shape[1]], found[1][:, : right.shape[1]]
        if p.count_power is None:
            of_left[:, :k] += p.regularisation * left[:, :k] @ (right[:, :k].T @ right[:, :k])
            of_right[:, :k] += p.regularisation * right[:, :k] @ (left[:, :k].T @ left[:, :k])
        else:
            of_left[:, :k] += self.strengths[0][:, None] * left[:, :k]
            of_right[:, :k] += self.strengths[1][:, None] * right[:, :k]
        if p.biases:
            of_left[:, k] += p.user_damping * left[:, k]
            of_right[:, k + 1] += p.item_damping * right[:, k + 1]
            of_left[:, k + 1], of_right[:, k] = 0, 0
        return (of_left, of_right), squares

    def penalty_along(self, left: Matrix, right: Matrix, left_step: Matrix, right_step: Matrix) -> Matrix:
        """Return the coefficients, t^0 to t^4, of the penalty along (left + t left_step, right + t right_step)."""
        k, p = self.rank, self.penalties
        sides = [(left[:, :k], left_step[:, :k]), (right[:, :k], right_step[:, :k])]
        found = np.zeros(5)
        if p.count_power is None:
            # tr((L + t A)'(L + t A)(R + t B)'(R + t B)): a product of two matrices quadratic in t
            for a, one in enumerate(_grams(*sides[0])):
                for b, other in enumerate(_grams(*sides[1])):
                    found[a + b] += p.regularisation * np.sum(one * other)
        else:
            for weight, (here, step) in zip(self.strengths, sides, strict=True):
                found[:3] += _squares(weight, here, step)
        if p.biases:
            every = np.ones(len(left)), np.ones(len(right))
            found[:3] += p.user_damping * _squares(every[0], left[:, k : k + 1], left_step[:, k : k + 1])
            found[:3] += p.item_damping * _squares(every[1], right[:, k + 1 :], right_step[:, k + 1 :])
        return found / 2

    # --- one side in closed form ----------------------------------------------------------------------------

    def best_left(self, right: Matrix) -> Matrix:
        """Return the left matrix that is best for the right one."""
        k, p = self.rank, self.penalties
        other = np.delete(right, k, axis=1) if p.biases else right
        factors, bias = p.best_rows(self.ratings, other, p.user_damping)
        return np.c_[factors, bias, np.ones(len(bias))] if p.biases else factors

    def best_right(self, left: Matrix) -> Matrix:
        """Return the right matrix that is best for the left one."""
        p = self.penalties
        other = left[:, :-1] if p.biases else left
        factors, bias = p.best_rows(self.ratings.transposed, other, p.item_damping)
        return np.c_[factors, np.ones(len(bias)), bias] if p.biases else factors


def wide(matrix: Matrix) -> Matrix:
    """Return the matrix with columns of zeros up to a multiple of four, the numbers of a vector register.

    Kernels then have no odd columns to take one by one; the copy is nothing beside a pass over the ratings.
    """
    missing = -matrix.shape[1] % 4
    return np.pad(matrix, ((0, 0), (0, missing))) if missing else matrix


def _grams(factors: Matrix, step: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    cross = factors.T @ step
    return factors.T @ factors, cross + cross.T, step.T @ step


def _squares(weight: Matrix, here: Matrix, step: Matrix) -> Matrix:
    """Return the coefficients of sum of weight x |here + t step|^2 over the rows."""
    pairs = ((here, here), (2 * here, step), (step, step))
    return np.array([weight @ np.einsum("uf,uf->u", one, other) for one, other in pairs])
