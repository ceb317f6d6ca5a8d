"""The manifold of L R': pairs (L, R) that differ by an invertible M, (L M^-1, R M'), are one point.

Mishra, Apuroop and Sepulchre, "A Riemannian geometry for low-rank matrix completion" (2012); Mishra, Meyer, Bonnabel
and Sepulchre, "Fixed-rank matrix factorizations and Riemannian low-rank optimization" (2014).

    metric        g(a, b) = tr(a_L' b_L R'R) + tr(a_R' b_R L'L): it scales each side by the other's size, which is
                  the block diagonal of the Hessian of ||L R'||^2, so a gradient step is nearly a Newton step
    gradient      (df/dL (R'R)^-1, df/dR (L'L)^-1)
    retraction    (L + a_L, R + a_R)
    transport     projection to the horizontal space, the directions that move the point and not only its pair

The residual at a cell is quadratic in the step along a direction, so the objective is a polynomial of degree four,
and the best step is a root of its derivative: exact, for the price of one pass over the ratings.

Biases are two more columns (see `problem`): no part of the class, moved along a straight line, with the metric that
the other side's column of ones gives, n_items b_u^2 + n_users b_i^2.

A penalty that rotations alone leave as it is (`count_power`) is not a function of the point but of the pair; the pair's
own manifold has the same metric and retraction, and there transport does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from palate.models.completion.problem import Matrix, Problem, Step

Pair = tuple[Matrix, Matrix]


def descend(problem: Problem, left: Matrix, right: Matrix) -> Iterator[Step]:
    """Nonlinear conjugate gradient (Polak-Ribiere, never below 0) with the exact step."""
    k = problem.rank
    residual = problem.residual(left, right)
    cost = problem.cost(residual, left, right)
    slopes = problem.gradient(residual, left, right)
    gradient = to_gradient(left, right, slopes, k)
    squared = pairing(slopes, gradient)
    direction: Pair = (-gradient[0], -gradient[1])
    change = (
        np.empty_like(residual),
        np.empty_like(residual),
    )  # made once: fresh pages cost as much as the pass
    while squared > 0 or not np.isfinite(squared):
        if not pairing(slopes, direction) < 0:  # no way down, or NaN
            direction = (-gradient[0], -gradient[1])
        step = exact_step(problem, residual, left, right, direction, change)
        before, norm = cost, float(np.sqrt(squared))
        left, right = left + step * direction[0], right + step * direction[1]
        advance(step, change, residual)
        cost = problem.cost(residual, left, right)
        yield Step(left, right, cost, norm)
        if cost >= before:
            return
        slopes = problem.gradient(residual, left, right)
        carried, old = direction, gradient
        if problem.penalties.count_power is None:
            carried, old = (horizontal(left, right, one, k) for one in (direction, gradient))
        gradient = to_gradient(left, right, slopes, k)
        now = pairing(slopes, gradient)
        beta = max(0.0, (now - pairing(slopes, old)) / squared)
        squared = now
        direction = (beta * carried[0] - gradient[0], beta * carried[1] - gradient[1])


def to_gradient(left: Matrix, right: Matrix, slopes: Pair, rank: int) -> Pair:
    """Return the gradient in the metric, from the derivatives; columns from `rank` on are biases and ones."""
    of_left, of_right = slopes[0] / len(right), slopes[1] / len(left)
    of_left[:, :rank] = _divided(slopes[0][:, :rank], _gram(right, rank))
    of_right[:, :rank] = _divided(slopes[1][:, :rank], _gram(left, rank))
    return of_left, of_right


def inner(left: Matrix, right: Matrix, one: Pair, other: Pair, rank: int) -> float:
    """Return the metric's inner product of two directions at (left, right)."""
    total = 0.0
    for a, b, facing in ((one[0], other[0], right), (one[1], other[1], left)):
        total += np.sum((a[:, :rank] @ _gram(facing, rank)) * b[:, :rank])
        total += len(facing) * np.sum(a[:, rank:] * b[:, rank:])
    return float(total)


def pairing(slopes: Pair, direction: Pair) -> float:
    """Return the derivative of the objective along a direction: the metric's product of gradient and direction."""
    return float(np.sum(slopes[0] * direction[0]) + np.sum(slopes[1] * direction[1]))


def horizontal(left: Matrix, right: Matrix, direction: Pair, rank: int) -> Pair:
    """Return the part of a direction that is orthogonal to all (-L W, R W'), along which the point stands still."""
    mine, theirs = left[:, :rank], right[:, :rank]
    by_left = _divided((mine.T @ direction[0][:, :rank]).T, mine.T @ mine).T  # (L'L)^-1 L' a_L
    by_right = _divided(direction[1][:, :rank].T @ theirs, theirs.T @ theirs)  # a_R' R (R'R)^-1
    turn = (by_right - by_left) / 2
    moved = direction[0].copy(), direction[1].copy()
    moved[0][:, :rank] += mine @ turn
    moved[1][:, :rank] -= theirs @ turn.T
    return moved


def exact_step(
    problem: Problem, residual: Matrix, left: Matrix, right: Matrix, direction: Pair, change: Pair
) -> float:
    """Return the step t > 0 along a way down that lowers the objective most; `change` takes `along`'s arrays."""
    from palate.kernels import observed

    r = problem.ratings
    s = observed.along(
        problem.cuts, r.indptr, r.column, residual, left, right, direction[0], direction[1], *change
    )
    quartic = np.array([0.0, -s[0], s[1] / 2, s[2], s[3] / 2])
    quartic += problem.penalty_along(left, right, *direction)
    return lowest(quartic)


def lowest(quartic: Matrix) -> float:
    """Return the t > 0 where a polynomial (coefficients from t^0 on) is least; 0 where it falls nowhere."""
    if not np.isfinite(quartic).all():
        return float("nan")
    polynomial = np.polynomial.Polynomial(quartic)
    roots = polynomial.deriv().roots()
    real = roots.real[(np.abs(roots.imag) <= 1e-8 * np.abs(roots)) & (roots.real > 0)]
    return float(real[np.argmin(polynomial(real))]) if len(real) else 0.0


def advance(step: float, change: Pair, residual: Matrix) -> None:
    """Take the residuals along a step."""
    from palate.kernels import observed

    observed.advance(step, *change, residual)


def _gram(matrix: Matrix, rank: int) -> Matrix:
    gram: Matrix = matrix[:, :rank].T @ matrix[:, :rank]
    return gram


def _divided(matrix: Matrix, gram: Matrix) -> Matrix:
    """Return matrix gram^-1 for a small positive semidefinite gram."""
    rank = len(gram)
    jitter = 1e-12 * np.trace(gram) / rank
    if not np.isfinite(jitter) or jitter == 0:
        return matrix * (1.0 if jitter == 0 else np.nan)
    solved: Matrix = np.linalg.solve(gram + jitter * np.eye(rank), matrix.T).T
    return solved
