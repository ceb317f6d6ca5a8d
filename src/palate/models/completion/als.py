"""Alternating least squares on the same objective: each side in closed form, in turn. What a geometry must beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from palate.models.completion.problem import Matrix, Problem, Step


def descend(problem: Problem, left: Matrix, right: Matrix) -> Iterator[Step]:
    """Yield a step after each pair of half steps. Cost of one: ratings x rank^2 multiply-adds."""
    cost, residual = np.inf, problem.residual(left, right)
    while True:
        slopes, _ = problem.gradient(residual, left, right)
        norm = float(np.sqrt(sum(np.sum(slope * slope) for slope in slopes)))
        left = problem.best_left(right)
        right = problem.best_right(left)
        residual = problem.residual(left, right)
        squares = float(residual @ residual)
        before, cost = cost, problem.cost(squares, left, right)
        yield Step(left, right, cost, squares, norm)
        if not cost < before:
            return
