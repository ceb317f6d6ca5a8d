"""The manifolds and the objective of matrix completion, by their definitions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from palate.models.completion import als, quotient, stiefel
from palate.models.completion.problem import Penalty, Problem
from palate.models.ratings import Ratings

USERS, ITEMS, RANK = 24, 15, 3


def problem(
    count_power: float | None, regularisation: float = 0.7, seed: int = 0, *, biases: bool = False
) -> Problem:
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((USERS, ITEMS)) < 0.5)
    ratings = Ratings.of(user, item, rng.normal(size=len(user)), (USERS, ITEMS))
    return Problem(ratings, RANK, Penalty(regularisation, count_power, 2.0, 3.0, biases))


def factors(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(USERS, RANK)), rng.normal(size=(ITEMS, RANK))


def pair(task: Problem, seed: int = 1, *, ones: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return random matrices as the problem has them; `ones` = 0 makes them a direction."""
    rng = np.random.default_rng(seed + 100)
    left, right = task.pair(factors(seed), (rng.normal(size=USERS), rng.normal(size=ITEMS)))
    if task.penalties.biases:
        left[:, RANK + 1], right[:, RANK] = ones, ones
    return left, right


def cost(task: Problem, left: np.ndarray, right: np.ndarray) -> float:
    return task.cost(float(np.sum(task.residual(left, right) ** 2)), left, right)


def slopes_at(task: Problem, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return task.gradient(task.residual(left, right), left, right)[0]


def point(seed: int = 1) -> stiefel.Point:
    return stiefel.from_pair(*factors(seed), RANK)


def random_direction(at: stiefel.Point, seed: int = 5) -> stiefel.Point:
    rng = np.random.default_rng(seed)
    free = tuple(rng.normal(size=part.shape) for part in at)
    return stiefel.project(at, free)  # type: ignore[arg-type]


def test_the_product_penalty_is_the_usual_formula_of_u_b_v() -> None:
    """1/2 sum e^2 + C/2 ||B||^2 with M = U B V', written out with dense NumPy."""
    task, (u, b, v, *_) = problem(None), point()
    r = task.ratings
    errors = r.value - (u @ b @ v.T)[r.row, r.column]
    wanted = 0.5 * np.sum(errors**2) + 0.5 * task.penalties.regularisation * np.linalg.norm(b, "fro") ** 2
    assert cost(task, u @ b, v) == pytest.approx(wanted, rel=1e-12)


def test_the_product_penalty_does_not_see_an_invertible_change_of_factors() -> None:
    task, (left, right) = problem(None), factors()
    change = np.random.default_rng(2).normal(size=(RANK, RANK))
    moved = cost(task, left @ np.linalg.inv(change), right @ change.T)
    assert moved == pytest.approx(cost(task, left, right), rel=1e-10)


def test_the_counts_penalty_does_not_see_a_rotation_and_does_see_a_scaling() -> None:
    task, (left, right) = problem(0.5), factors()
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(RANK, RANK)))[0]
    assert cost(task, left @ turn, right @ turn) == pytest.approx(cost(task, left, right), rel=1e-12)
    assert cost(task, left * 3, right / 3) != pytest.approx(cost(task, left, right), rel=1e-3)


def test_biases_are_two_columns_and_are_punished_by_their_squares() -> None:
    task = problem(0.5, biases=True)
    left, right = pair(task)
    r, mine, theirs = task.ratings, left[:, :RANK], right[:, :RANK]
    of_user, of_item = left[:, RANK], right[:, RANK + 1]
    errors = r.value - of_user[r.row] - of_item[r.column] - (mine @ theirs.T)[r.row, r.column]
    counts = [np.bincount(r.row, minlength=USERS), np.bincount(r.column, minlength=ITEMS)]
    wanted = np.sum(errors**2) + 2.0 * np.sum(of_user**2) + 3.0 * np.sum(of_item**2)
    wanted += 0.7 * (
        counts[0] ** 0.5 @ np.sum(mine**2, axis=1) + counts[1] ** 0.5 @ np.sum(theirs**2, axis=1)
    )
    assert cost(task, left, right) == pytest.approx(wanted / 2, rel=1e-12)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("count_power", [None, 0.0, 0.5, 1.0])
def test_derivatives_are_finite_differences(count_power: float | None, biases: bool) -> None:
    task = problem(count_power, biases=biases)
    (left, right), (a, b) = pair(task), pair(task, 9, ones=0.0)
    slopes = slopes_at(task, left, right)
    h = 1e-6
    measured = (cost(task, left + h * a, right + h * b) - cost(task, left - h * a, right - h * b)) / (2 * h)
    assert quotient.pairing(slopes, (a, b)) == pytest.approx(measured, rel=1e-6)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("count_power", [None, 0.5])
@pytest.mark.parametrize("t", [0.4, -1.3])
def test_the_penalty_along_a_line_is_its_polynomial(
    count_power: float | None, t: float, biases: bool
) -> None:
    task = problem(count_power, biases=biases)
    (left, right), (a, b) = pair(task), pair(task, 9, ones=0.0)
    coefficients = task.penalty_along(left, right, a, b)
    wanted = task.penalty(left + t * a, right + t * b)
    assert np.polynomial.Polynomial(coefficients)(t) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("count_power", [None, 0.5])
def test_the_side_in_closed_form_has_no_slope_left(count_power: float | None, biases: bool) -> None:
    task = problem(count_power, biases=biases)
    left, right = pair(task)
    best = task.best_left(right)
    assert np.abs(slopes_at(task, best, right)[0]).max() < 1e-10
    best = task.best_right(left)
    assert np.abs(slopes_at(task, left, best)[1]).max() < 1e-10


# --- L R' -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("biases", [False, True])
def test_the_gradient_is_the_direction_whose_product_with_any_other_is_the_slope(biases: bool) -> None:
    task = problem(None, biases=biases)
    (left, right), other = pair(task), pair(task, 9, ones=0.0)
    slopes = slopes_at(task, left, right)
    gradient = quotient.to_gradient(task, left, right, slopes)
    assert quotient.inner(task, left, right, gradient, other) == pytest.approx(
        quotient.pairing(slopes, other), rel=1e-9
    )


def test_the_metric_does_not_depend_on_which_factors_stand_for_the_point() -> None:
    task, (left, right), one, other = problem(None), factors(), factors(9), factors(10)
    change = np.random.default_rng(2).normal(size=(RANK, RANK))
    back = np.linalg.inv(change)

    def moved(pair: Any) -> Any:
        return pair[0] @ back, pair[1] @ change.T

    there = quotient.inner(task, *moved((left, right)), moved(one), moved(other))
    assert there == pytest.approx(quotient.inner(task, left, right, one, other), rel=1e-9)


def test_horizontal_directions_are_orthogonal_to_the_class_and_are_kept() -> None:
    task, (left, right), free = problem(None), factors(), factors(9)
    (flat,) = quotient.horizontal(task, left, right, free)
    for seed in range(3):
        w = np.random.default_rng(seed).normal(size=(RANK, RANK))
        along_class = (-left @ w, right @ w.T)
        assert quotient.inner(task, left, right, flat, along_class) == pytest.approx(0, abs=1e-9)
        (moved,) = quotient.horizontal(task, left, right, along_class)
        assert np.abs(moved[0]).max() < 1e-8
    (again,) = quotient.horizontal(task, left, right, flat)
    np.testing.assert_allclose(again[0], flat[0], atol=1e-8)


def test_the_gradient_of_the_product_penalty_is_horizontal() -> None:
    task, (left, right) = problem(None), factors()
    gradient = quotient.to_gradient(task, left, right, slopes_at(task, left, right))
    (flat,) = quotient.horizontal(task, left, right, gradient)
    np.testing.assert_allclose(flat[0], gradient[0], atol=1e-7)
    np.testing.assert_allclose(flat[1], gradient[1], atol=1e-7)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("count_power", [None, 0.5])
def test_the_exact_step_is_lower_than_its_neighbours_and_moves_the_residuals(
    count_power: float | None, biases: bool
) -> None:
    task = problem(count_power, biases=biases)
    left, right = pair(task)
    residual = task.residual(left, right)
    slopes = slopes_at(task, left, right)
    gradient = quotient.to_gradient(task, left, right, slopes)
    down = (-gradient[0], -gradient[1])
    change = np.empty_like(residual), np.empty_like(residual)
    step = quotient.exact_step(task, residual, left, right, down, change)

    def at(t: float) -> float:
        return cost(task, left + t * down[0], right + t * down[1])

    assert step > 0
    assert all(at(step) < at(t) for t in (0, 0.9 * step, 1.1 * step, 2 * step))
    assert all(at(step) <= at(t) + 1e-9 for t in np.linspace(0, 5 * step, 200))
    there = left + step * down[0], right + step * down[1]
    slopes, squares = task.gradient(residual, *there, step, change)
    np.testing.assert_allclose(residual, task.residual(*there), atol=1e-9)
    assert squares == pytest.approx(float(residual @ residual), rel=1e-12)
    for found, wanted in zip(slopes, slopes_at(task, *there), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-7)


def test_the_least_of_two_valleys_is_taken() -> None:
    # (t - 1)^2 (t - 3)^2 - t: falls to a valley near 1 and to a lower one near 3
    quartic = np.polynomial.Polynomial.fromroots([1, 1, 3, 3]) - np.polynomial.Polynomial([0, 1])
    grid = np.linspace(0, 4, 100_001)
    assert quotient.lowest(quartic.coef) == pytest.approx(grid[np.argmin(quartic(grid))], abs=1e-4)
    assert quotient.lowest(np.array([0.0, 1.0, 1.0, 0.0, 0.0])) == 0


# --- U B V' ---------------------------------------------------------------------------------------------------


def test_points_are_orthonormal_and_positive_and_stand_for_the_same_matrix() -> None:
    (left, right), (u, b, v, *_) = factors(), point()
    np.testing.assert_allclose(u @ b @ v.T, left @ right.T, atol=1e-10)
    for frame in (u, v):
        np.testing.assert_allclose(frame.T @ frame, np.eye(RANK), atol=1e-12)
    assert np.linalg.eigvalsh(b).min() > 0


def test_projections_are_tangent_and_are_kept() -> None:
    at = point()
    a_u, a_b, a_v, *rest = random_direction(at)
    for frame, part in ((at[0], a_u), (at[2], a_v)):
        np.testing.assert_allclose(
            frame.T @ part + part.T @ frame, 0, atol=1e-12
        )  # the frame stays orthonormal
    np.testing.assert_array_equal(a_b, a_b.T)
    for once, twice in zip((a_u, a_b, a_v), stiefel.project(at, (a_u, a_b, a_v, *rest)), strict=False):
        np.testing.assert_allclose(twice, once, atol=1e-12)


def test_the_retraction_arrives_on_the_manifold_and_agrees_with_the_line_to_first_order() -> None:
    at, way = point(), random_direction(point())
    far = stiefel.retract(at, stiefel._scaled(3.0, way))
    np.testing.assert_allclose(far[0].T @ far[0], np.eye(RANK), atol=1e-12)
    assert np.linalg.eigvalsh(far[1]).min() > 0

    def gap(t: float) -> float:
        there = stiefel.retract(at, stiefel._scaled(t, way))
        return max(np.abs(there[n] - at[n] - t * way[n]).max() for n in range(3))

    assert gap(1e-3) / gap(1e-4) == pytest.approx(100, rel=0.05)  # the error is quadratic in t


def test_the_retraction_has_no_tangent_acceleration() -> None:
    """What makes it right to second order: the path's second derivative leaves the tangent space."""
    at, way = point(), random_direction(point())
    t = 1e-4
    ahead, behind = (stiefel.retract(at, stiefel._scaled(sign * t, way)) for sign in (1, -1))
    bend = (ahead[0] + behind[0] - 2 * at[0]) / t**2
    tangent = stiefel._tangent(at[0], bend)
    assert np.abs(tangent).max() < 1e-5 * np.abs(bend).max() + 1e-6


@pytest.mark.parametrize("biases", [False, True])
def test_the_gradient_of_u_b_v_is_tangent_and_pairs_to_the_slope(biases: bool) -> None:
    task = problem(None, biases=biases)
    at = stiefel.from_pair(*pair(task), RANK)
    residual = task.residual(*stiefel.to_pair(task, at))
    gradient = stiefel.to_gradient(at, stiefel.derivatives(task, residual, at))
    for once, twice in zip(gradient, stiefel.project(at, gradient), strict=True):
        np.testing.assert_allclose(twice, once, atol=1e-10)
    way, h = random_direction(at), 1e-5

    def there(t: float) -> float:
        return cost(task, *stiefel.to_pair(task, stiefel.retract(at, stiefel._scaled(t, way))))

    measured = (there(h) - there(-h)) / (2 * h)
    assert stiefel.inner(at, gradient, way) == pytest.approx(measured, rel=1e-6)


# --- ways down ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("solver", "count_power"),
    [(quotient, None), (quotient, 0.5), (stiefel, None), (als, None), (als, 0.5)],
    ids=["quotient-product", "quotient-counts", "ubv-product", "als-product", "als-counts"],
)
@pytest.mark.parametrize("biases", [False, True])
def test_the_objective_never_rises_and_leads_to_a_stationary_point(
    solver: Any, count_power: float | None, biases: bool
) -> None:
    task = problem(count_power, biases=biases)
    left, right = pair(task)
    steps = []
    for step in solver.descend(task, left, right):
        steps.append(step)
        assert step.cost == pytest.approx(cost(task, step.left, step.right), rel=1e-9)
        if len(steps) == 400:
            break
    costs = [cost(task, left, right), *(step.cost for step in steps)]
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(costs))
    slopes = slopes_at(task, steps[-1].left, steps[-1].right)
    first = slopes_at(task, left, right)
    if solver is not stiefel:
        assert np.abs(slopes[0]).max() < 1e-4 * np.abs(first[0]).max()  # a stationary point


def planted(noise: float = 0.0) -> tuple[Problem, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(1_000, 5)) @ rng.normal(size=(5, 1_000))
    cells = rng.choice(1_000_000, 100_000, replace=False)
    user, item = np.divmod(cells, 1_000)
    values = truth[user, item] + noise * rng.normal(size=len(cells))
    ratings = Ratings.of(user.astype(np.int32), item.astype(np.int32), values, truth.shape)
    return Problem(ratings, 5, Penalty(0.0)), truth


def run(solver: Any, task: Problem, iterations: int) -> np.ndarray:
    rng = np.random.default_rng(4)
    left, right = rng.normal(size=(1_000, 5)), rng.normal(size=(1_000, 5))
    for n, step in enumerate(solver.descend(task, left, right), start=1):
        if n == iterations or step.cost < 1e-16:
            break
    return step.left @ step.right.T


def test_a_planted_matrix_comes_back_from_a_tenth_of_its_cells() -> None:
    task, truth = planted()
    found = run(quotient, task, 150)
    assert np.linalg.norm(found - truth) / np.linalg.norm(truth) < 1e-6


def test_with_noise_the_error_is_what_the_unknowns_leave() -> None:
    """Least squares of p unknowns from n cells leaves noise x sqrt(p / n): no better, and little worse."""
    task, truth = planted(noise=0.1)
    found = run(quotient, task, 100)
    floor = 0.1 * np.sqrt(5 * (1_000 + 1_000 - 5) / 100_000)
    assert 0.95 * floor < np.sqrt(np.mean((found - truth) ** 2)) < 1.15 * floor
