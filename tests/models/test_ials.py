"""iALS against its own objective over all cells, and against what follows from a least."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import check_grad

from palate.errors import PlanError
from palate.interactions import Interactions
from palate.kernels.implicit import exact_rows, near_rows, padded
from palate.models.ials import IALS
from tests.worlds import checkerboard, world

PARAMS: dict[str, Any] = {
    "factors": 3,
    "regularisation": 0.02,
    "unobserved_weight": 0.3,
    "frequency_scaling": 0.7,
}


def dense(train: Interactions) -> np.ndarray:
    return np.asarray(train.matrix("binary").todense(), np.float64)


def objective(model: IALS, chosen: np.ndarray, users: np.ndarray, items: np.ndarray) -> float:
    """The sum of the paper, over every cell."""
    scores, a, power = users @ items.T, model.unobserved_weight, model.frequency_scaling
    of_user = model.regularisation * (chosen.sum(axis=1) + a * chosen.shape[1]) ** power
    of_item = model.regularisation * (chosen.sum(axis=0) + a * chosen.shape[0]) ** power
    penalty = of_user @ (users**2).sum(axis=1) + of_item @ (items**2).sum(axis=1)
    return float((chosen * (1 - scores) ** 2).sum() + a * (scores**2).sum() + penalty)


def users_of(model: IALS) -> np.ndarray:
    return model._users(model.fitted.histories)


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_the_traced_loss_is_the_objective_over_all_cells(solver: str) -> None:
    train = world()
    model = IALS(**PARAMS, iterations=40, solver=solver).fit(train)
    items = model.fitted.state.items.astype(np.float64)
    # After 40 rounds the users' best rows for the items are those that the items were made for.
    assert model.fitted.trace[-1]["loss"] == pytest.approx(
        objective(model, dense(train), users_of(model), items), rel=1e-5
    )


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_no_iteration_raises_the_loss(solver: str) -> None:
    model = IALS(factors=6, solver=solver, iterations=15).fit(world())
    loss = [row["loss"] for row in model.fitted.trace]
    assert len(loss) == 15
    assert (np.diff(loss) <= 1e-5 * loss[0]).all()


def test_the_users_are_a_least_of_the_objective() -> None:
    train = world()
    model = IALS(**PARAMS).fit(train)
    chosen, users, items = dense(train), users_of(model), model.fitted.state.items.astype(np.float64)
    least, rng = objective(model, chosen, users, items), np.random.default_rng(0)
    for _ in range(20):
        aside = 1e-4 * rng.standard_normal(users.shape)
        there, opposite = (objective(model, chosen, users + sign * aside, items) for sign in (1, -1))
        assert there > least
        assert abs(there - opposite) < 1e-5 * (there - least)  # no slope


def test_a_converged_fit_has_no_slope_in_the_items_either() -> None:
    train = world()
    model = IALS(**PARAMS, iterations=100).fit(train)
    chosen, users, items = dense(train), users_of(model), model.fitted.state.items.astype(np.float64)

    def value(flat: np.ndarray) -> float:
        return objective(model, chosen, users, flat.reshape(items.shape))

    none = check_grad(value, np.zeros_like, items.ravel(), epsilon=1e-6)
    assert none < 1e-3 * value(items.ravel())


def test_a_stranger_is_the_user_with_the_same_history_as_the_order_and_repeats_do_not_matter() -> None:
    train = world()
    model = IALS(**PARAMS).fit(train)
    indptr, items = train.pairs()
    for user in (0, 7):
        codes = items[indptr[user] : indptr[user + 1]]
        history = train.items.decode(np.r_[codes[::-1], codes[:2]]).to_list()
        np.testing.assert_allclose(
            model.score(histories=[history]), model.score(users=[train.users.ids[user]]), rtol=1e-9
        )


def test_cg_with_enough_steps_is_cholesky() -> None:
    one, other = (IALS(factors=8, solver=solver, cg_steps=30).fit(world()) for solver in ("cholesky", "cg"))
    np.testing.assert_allclose(one.score(), other.score(), atol=2e-3)
    assert one.fitted.trace[-1]["loss"] == pytest.approx(other.fitted.trace[-1]["loss"], rel=1e-5)


@pytest.mark.parametrize("size", [1, 16, 17, 48])
@pytest.mark.parametrize("n", [0, 1, 5, 200])
def test_rows_solve_their_equations(size: int, n: int) -> None:
    rng = np.random.default_rng(size + n)
    wide = padded(size)
    factors = np.zeros((300, wide), np.float32)
    factors[:, :size] = rng.standard_normal((300, size)) / np.sqrt(size)
    column = np.sort(rng.choice(300, n, replace=False)).astype(np.int32)
    indptr, strength = np.array([0, n], np.int64), np.array([0.4])
    everywhere = 0.1 * factors.T.astype(np.float64) @ factors
    own = factors[column].astype(np.float64)
    matrix = everywhere + 0.4 * np.eye(wide) + own.T @ own
    right = np.linalg.solve(matrix, own.sum(axis=0))
    least = ((1 - own @ right) ** 2).sum() + right @ (everywhere + 0.4 * np.eye(wide)) @ right
    fine = np.empty((1, wide))
    for exact in (True, False):
        out, loss = np.zeros((1, wide), np.float32), np.empty(1)
        if exact:
            exact_rows(indptr, column, factors, everywhere, strength, out, loss, fine)
        else:
            near_rows(60, indptr, column, factors, everywhere, strength, out, loss)
        np.testing.assert_allclose(out[0], right, atol=3e-6)
        assert loss[0] == pytest.approx(least, rel=1e-4, abs=1e-4)
        assert (out[0, size:] == 0).all()
    np.testing.assert_allclose(fine[0], right, rtol=1e-9, atol=1e-10)


def test_a_larger_weight_of_the_unchosen_lowers_their_scores() -> None:
    train = world()
    chosen = dense(train) > 0
    means = [
        IALS(factors=4, unobserved_weight=weight).fit(train).score()[~chosen].mean()
        for weight in (0.05, 0.5, 5.0)
    ]
    assert means[0] > means[1] > means[2] > 0


def test_a_problem_that_float32_cannot_solve_is_refused() -> None:
    train = checkerboard()
    with pytest.raises(PlanError, match=r"regularisation = 1e-30 .* raise it \(try 0.001\)"):
        IALS(factors=64, regularisation=1e-30, unobserved_weight=1e-30).fit(train)


def test_explanations_name_the_near_items_first() -> None:
    train = checkerboard()
    model = IALS(factors=8, iterations=20).fit(train)
    why = model.explain(history=[0, 2, 4, 1], item=6)
    assert why.contributions["item"].to_list()[-1] == 1
    assert why.baseline == 0
