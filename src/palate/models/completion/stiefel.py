"""The manifold of U B V': orthonormal U and V, symmetric positive definite B; a product of three manifolds.

Mishra, Meyer, Bach and Sepulchre, "Low-rank optimization with trace norm penalty" (2013): the geometry of the best
known implementation, which is kept here to be compared.

    metric        tr(a_U' b_U) + tr(a_V' b_V) + tr(B^-1 a_B B^-1 b_B)
    gradient      (P df/dU, B sym(df/dB) B, P df/dV) with P Z = Z - U sym(U'Z)
    retraction    polar factor of U + a_U and V + a_V;  B + a_B + a_B B^-1 a_B / 2
    transport     projection to the tangent space at the new point

Biases move along straight lines, with the metric n_items b_u^2 + n_users b_i^2.

The path of a retraction is no straight line, so the step is guessed from the cost's second order along the line, then
halved until the cost falls enough (Armijo).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from palate.models.completion.problem import Matrix, Problem, Step

Point = tuple[Matrix, Matrix, Matrix, Matrix, Matrix]
"""U (users, rank), B (rank, rank), V (items, rank), and biases (users), (items), empty without; also a direction"""

_ENOUGH = 1e-4  # share of the promised fall that a step must bring
_HALVINGS = 25


def descend(problem: Problem, left: Matrix, right: Matrix) -> Iterator[Step]:
    """Nonlinear conjugate gradient (Hestenes-Stiefel, never below 0) with backtracking."""
    point = from_pair(left, right, problem.rank)
    residual = problem.residual(*to_pair(problem, point))
    cost = problem.cost(float(residual @ residual), *to_pair(problem, point))
    slopes = derivatives(problem, residual, point)
    gradient = to_gradient(point, slopes)
    squared = inner(point, gradient, gradient)
    direction = _scaled(-1.0, gradient)
    while squared > 0 or not np.isfinite(squared):
        slope = inner(point, gradient, direction)
        if not slope < 0:
            direction, slope = _scaled(-1.0, gradient), -squared
        norm = float(np.sqrt(squared))
        step = guess(problem, residual, point, direction, slope)
        for _ in range(_HALVINGS):
            there = retract(point, _scaled(step, direction))
            residual = problem.residual(*to_pair(problem, there))
            squares = float(residual @ residual)
            lower = problem.cost(squares, *to_pair(problem, there))
            if lower <= cost + _ENOUGH * step * slope or not np.isfinite(lower):
                break
            step /= 2
        else:
            return
        point, cost = there, lower
        yield Step(*to_pair(problem, point), cost, squares, norm)
        carried, old = project(point, direction), project(point, gradient)
        slopes = derivatives(problem, residual, point)
        gradient = to_gradient(point, slopes)
        change = _sum(gradient, _scaled(-1.0, old))
        below = inner(point, carried, change)
        beta = max(0.0, inner(point, gradient, change) / below) if below else 0.0
        squared = inner(point, gradient, gradient)
        direction = _sum(_scaled(-1.0, gradient), _scaled(beta, carried))


def from_pair(left: Matrix, right: Matrix, rank: int) -> Point:
    """Return the point of a pair of matrices, by the singular values of L R'."""
    q, r = np.linalg.qr(left[:, :rank])
    p, s = np.linalg.qr(right[:, :rank])
    u, values, vt = np.linalg.svd(r @ s.T)
    least = 1e-9 * max(float(values.max(initial=0.0)), 1e-9)
    biases = (left[:, rank], right[:, rank + 1]) if left.shape[1] > rank else (np.empty(0), np.empty(0))
    return q @ u, np.diag(np.maximum(values, least)), p @ vt.T, *biases


def to_pair(problem: Problem, point: Point) -> tuple[Matrix, Matrix]:
    """Return L = U B and R = V, with biases and ones, as one pair of matrices."""
    return problem.pair((point[0] @ point[1], point[2]), (point[3], point[4]))


def derivatives(problem: Problem, residual: Matrix, point: Point) -> Point:
    """Return the derivatives of the objective by U, B, V and the biases, as if each were free."""
    u, b = point[:2]
    (of_left, of_right), _ = problem.gradient(residual, *to_pair(problem, point))
    k = problem.rank
    biases = (of_left[:, k], of_right[:, k + 1]) if problem.penalties.biases else (point[3], point[4])
    return of_left[:, :k] @ b, u.T @ of_left[:, :k], of_right[:, :k], *biases


def to_gradient(point: Point, slopes: Point) -> Point:
    """Return the gradient in the metric."""
    u, b, v = point[:3]
    return (
        _tangent(u, slopes[0]), b @ _symmetric(slopes[1]) @ b, _tangent(v, slopes[2]),
        slopes[3] / len(v), slopes[4] / len(u),
    )  # fmt: skip


def project(point: Point, direction: Point) -> Point:
    """Return the nearest direction that is tangent at `point`."""
    tangents = _tangent(point[0], direction[0]), _symmetric(direction[1]), _tangent(point[2], direction[2])
    return *tangents, direction[3], direction[4]


def inner(point: Point, one: Point, other: Point) -> float:
    """Return the metric's inner product of two directions."""
    inverse = np.linalg.inv(point[1])
    total = float(np.sum(one[0] * other[0]) + np.sum(one[2] * other[2]))
    total += float(np.sum((inverse @ one[1]) * (inverse @ other[1]).T))
    total += float(len(point[2]) * (one[3] @ other[3]) + len(point[0]) * (one[4] @ other[4]))
    return total


def retract(point: Point, direction: Point) -> Point:
    """Return the point where the path in a direction arrives: right to second order."""
    u, b, v = point[:3]
    middle = b + direction[1] + direction[1] @ np.linalg.solve(b, direction[1]) / 2
    frames = _polar(u + direction[0]), _symmetric(middle), _polar(v + direction[2])
    return *frames, point[3] + direction[3], point[4] + direction[4]


def guess(problem: Problem, residual: Matrix, point: Point, direction: Point, slope: float) -> float:
    """Return the step that would be best if residuals changed in proportion to it."""
    from palate.kernels import observed

    (u, b, _), r, p = point[:3], problem.ratings, problem.penalties
    left, right = to_pair(problem, point)
    left_step, right_step = np.zeros_like(left), np.zeros_like(right)
    k = problem.rank
    left_step[:, :k], right_step[:, :k] = direction[0] @ b + u @ direction[1], direction[2]
    if p.biases:
        left_step[:, k], right_step[:, k + 1] = direction[3], direction[4]
    first, second = np.empty_like(residual), np.empty_like(residual)
    observed.along(
        problem.cuts, r.indptr, r.column, residual, left, right, left_step, right_step, first, second
    )
    bend = float(first @ first) + p.regularisation * float(np.sum(direction[1] ** 2))
    bend += p.user_damping * float(direction[3] @ direction[3])
    bend += p.item_damping * float(direction[4] @ direction[4])
    return -slope / bend if bend > 0 else 1.0


def _tangent(frame: Matrix, free: Matrix) -> Matrix:
    return free - frame @ _symmetric(frame.T @ free)


def _symmetric(matrix: Matrix) -> Matrix:
    return (matrix + matrix.T) / 2


def _polar(matrix: Matrix) -> Matrix:
    """Return the nearest matrix with orthonormal columns."""
    values, vectors = np.linalg.eigh(matrix.T @ matrix)
    nearest: Matrix = matrix @ (vectors / np.sqrt(values)) @ vectors.T
    return nearest


def _scaled(factor: float, point: Point) -> Point:
    u, b, v, of_users, of_items = point
    return factor * u, factor * b, factor * v, factor * of_users, factor * of_items


def _sum(one: Point, other: Point) -> Point:
    u, b, v, of_users, of_items = one
    return u + other[0], b + other[1], v + other[2], of_users + other[3], of_items + other[4]
