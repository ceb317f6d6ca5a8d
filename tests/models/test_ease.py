"""EASE against its closed form, the conditions of the problem it solves, and its limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from palate import EASE, Interactions
from palate.errors import PlanError
from tests.worlds import rows, tables, world


def matrix_of(data: Interactions) -> np.ndarray:
    """Return who likes what, (users, items) of 0 and 1."""
    x = np.zeros((data.n_users, data.n_items))
    liked = data.value >= 0
    x[data.user[liked], data.item[liked]] = 1
    return x


def closed_form(x: np.ndarray, l2: float) -> np.ndarray:
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def weights_of(model: EASE) -> np.ndarray:
    weights: np.ndarray = model.fitted.state.weights
    return weights


@given(tables(users=8, items=9, values=(-1.0, 0.0, 1.0, 4.0)), st.sampled_from([0.5, 10.0, 500.0]))
def test_weights_and_scores_are_the_closed_form(table: dict[str, list[Any]], l2: float) -> None:
    data = Interactions.from_table(table)
    assume((data.value >= 0).any())
    model, x = EASE(l2=l2).fit(data), matrix_of(data)
    wanted = closed_form(x, l2)
    np.testing.assert_allclose(weights_of(model), wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.score(), x @ wanted, rtol=1e-5, atol=1e-6)


def test_a_larger_catalogue_too() -> None:
    data = world(users=150, items=120, count=4_000)
    model = EASE(l2=20.0).fit(data)
    np.testing.assert_allclose(weights_of(model), closed_form(matrix_of(data), 20.0), rtol=1e-5, atol=1e-7)


def test_no_item_explains_itself() -> None:
    assert (np.diag(weights_of(EASE(l2=1.0).fit(world()))) == 0).all()


def test_the_gradient_is_zero_off_the_diagonal() -> None:
    # Minimising ||X - X B||^2 + l2 ||B||^2 with diag(B) = 0: the gradient may differ from 0 on the diagonal alone.
    data, l2 = world(), 5.0
    x, b = matrix_of(data), weights_of(EASE(l2=l2).fit(data)).astype(float)
    gradient = -2 * x.T @ (x - x @ b) + 2 * l2 * b
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-4 * np.abs(x.T @ x).max()


def test_no_small_step_is_better() -> None:
    data, l2 = world(), 5.0
    x, b = matrix_of(data), weights_of(EASE(l2=l2).fit(data)).astype(float)

    def loss(b: np.ndarray) -> float:
        return float(((x - x @ b) ** 2).sum() + l2 * (b**2).sum())

    rng = np.random.default_rng(0)
    for _ in range(20):
        step = rng.normal(0, 0.01, b.shape)
        np.fill_diagonal(step, 0)
        assert loss(b + step) > loss(b)


def test_a_heavy_penalty_leaves_co_occurrence() -> None:
    # (G + l2 I)^-1 = I / l2 - G / l2^2 + ..., so B tends to G / l2 off the diagonal.
    data, l2 = world(), 1e7
    gram = matrix_of(data).T @ matrix_of(data)
    np.fill_diagonal(gram, 0)
    np.testing.assert_allclose(weights_of(EASE(l2=l2).fit(data)) * l2, gram, rtol=1e-3, atol=1e-3)


def test_values_times_and_repeats_do_not_count() -> None:
    table = rows()
    other = table.with_columns(value=pl.lit(3.0), time=pl.lit(0))
    twice = pl.concat([table, table])
    wanted = EASE().fit(Interactions.from_table(table)).score()
    for same in (other, twice):
        np.testing.assert_array_equal(EASE().fit(Interactions.from_table(same)).score(), wanted)


def test_a_history_is_a_set() -> None:
    model = EASE(l2=10.0).fit(world())
    a, b = model.items.ids[[3, 8]]
    np.testing.assert_array_equal(model.score(histories=[[a, b, a]]), model.score(histories=[[a, b]]))
    near = weights_of(model)
    np.testing.assert_allclose(model.score(histories=[[a, b]])[0], near[3] + near[8], rtol=1e-6)
    why = model.explain(history=[a, b, a], item=model.items.ids[0])
    assert why.contributions["contribution"].sum() == pytest.approx(near[3, 0] + near[8, 0], rel=1e-6)


def test_similar_items_are_those_that_add_most() -> None:
    model = EASE(l2=10.0).fit(world())
    found = model.similar([model.items.ids[4]], k=5)
    row = weights_of(model)[4].copy()
    row[4] = -np.inf
    assert model.items.encode(found["similar"]).tolist() == np.argsort(-row, kind="stable")[:5].tolist()


def test_a_penalty_too_small_for_the_numbers_is_refused_with_a_remedy() -> None:
    # Two items chosen by the same user: without a penalty there is no inverse.
    data = Interactions.from_table({"user": [1, 1], "item": [1, 2]})
    with pytest.raises(PlanError, match="raise it"):
        EASE(l2=1e-300).fit(data)
    with pytest.raises(PlanError, match="greater than 0"):
        EASE(l2=0)
