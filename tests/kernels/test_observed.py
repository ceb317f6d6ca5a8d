"""Kernels at the observed cells against dense matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palate.kernels import observed
from palate.models.ratings import Ratings

RANK = 3


@pytest.fixture(params=[0, 1])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Some cells of a matrix, factors, and steps; the second time cut into many runs."""
    if request.param:
        monkeypatch.setattr(observed, "_RUN", 7)
    rng = np.random.default_rng(request.param)
    mask = rng.random((30, 11)) < 0.3
    mask[4] = False  # a user without ratings
    user, item = np.nonzero(mask)
    ratings = Ratings.of(user, item, rng.normal(size=len(user)), mask.shape)
    names = ("left", "right", "left_step", "right_step")
    factors = {name: rng.normal(size=(mask.shape[n % 2], RANK)) for n, name in enumerate(names)}
    dense = np.zeros(mask.shape)
    dense[user, item] = ratings.value
    return {"ratings": ratings, "mask": mask, "dense": dense, **factors}


def residuals(world: dict[str, Any], left: np.ndarray, right: np.ndarray) -> np.ndarray:
    r, out = world["ratings"], np.full(len(world["ratings"].value), np.nan)
    observed.residuals(observed.runs(r.indptr), r.indptr, r.column, r.value, left, right, out)
    return out


def test_runs_cover_every_row_once(world: dict[str, Any]) -> None:
    for cuts in (
        observed.runs(world["ratings"].indptr),
        observed.gradient_runs(world["ratings"].indptr, 11, 3),
    ):
        assert cuts[0] == 0
        assert cuts[-1] == 30
        assert (np.diff(cuts) >= 0).all()


def test_residuals_are_those_of_the_dense_product(world: dict[str, Any]) -> None:
    found = residuals(world, world["left"], world["right"])
    np.testing.assert_allclose(found, (world["dense"] - world["left"] @ world["right"].T)[world["mask"]])


@pytest.mark.parametrize("t", [0.0, 0.3, -2.0])
def test_along_a_path_the_squares_are_the_polynomial_and_the_residuals_arrive(
    world: dict[str, Any], t: float
) -> None:
    r, before = world["ratings"], residuals(world, world["left"], world["right"])
    first, second = np.empty_like(before), np.empty_like(before)
    s = observed.along(
        observed.runs(r.indptr), r.indptr, r.column, before, world["left"], world["right"],
        world["left_step"], world["right_step"], first, second,
    )  # fmt: skip
    there = residuals(world, world["left"] + t * world["left_step"], world["right"] + t * world["right_step"])
    polynomial = before @ before - 2 * s[0] * t + s[1] * t**2 + 2 * s[2] * t**3 + s[3] * t**4
    assert there @ there == pytest.approx(polynomial, rel=1e-12)
    ends = np.empty((30, RANK)), np.empty((11, RANK))
    squares = observed.gradients(
        observed.gradient_runs(r.indptr, 11, RANK), r.indptr, r.column, t, first, second, before, world["left"],
        world["right"], *ends,
    )  # fmt: skip
    np.testing.assert_allclose(before, there, atol=1e-12)
    assert squares == pytest.approx(there @ there, rel=1e-12)


def test_gradients_are_the_dense_products(world: dict[str, Any]) -> None:
    r, e = world["ratings"], residuals(world, world["left"], world["right"])
    dense = np.zeros(world["mask"].shape)
    dense[world["mask"]] = e
    of_left, of_right = np.full((30, RANK), np.nan), np.full((11, RANK), np.nan)
    observed.gradients(
        observed.gradient_runs(r.indptr, 11, RANK), r.indptr, r.column, 0.0, e, e, e, world["left"],
        world["right"], of_left, of_right,
    )  # fmt: skip
    np.testing.assert_allclose(of_left, -dense @ world["right"], atol=1e-12)
    np.testing.assert_allclose(of_right, -dense.T @ world["left"], atol=1e-12)


def test_best_rows_are_ridge_regressions(world: dict[str, Any]) -> None:
    r, right = world["ratings"], world["right"]
    penalty = right.T @ right
    strength, always = np.linspace(0.5, 2, 30), np.diag([0.0, 3.0, 0.0])
    out = np.full((30, RANK), np.nan)
    observed.best_rows(
        observed.runs(r.indptr), r.indptr, r.column, r.value, right, penalty, strength, always, out
    )
    for u in range(30):
        mine = right[world["mask"][u]]
        wanted = np.linalg.solve(
            mine.T @ mine + strength[u] * penalty + always, mine.T @ world["dense"][u][world["mask"][u]]
        )
        np.testing.assert_allclose(out[u], wanted, rtol=1e-9, atol=1e-12)


def test_a_row_that_its_ratings_do_not_fix_is_finite_and_fits_them(world: dict[str, Any]) -> None:
    r, right = world["ratings"], world["right"]
    out = np.full((30, RANK), np.nan)
    observed.best_rows(
        observed.runs(r.indptr),
        r.indptr,
        r.column,
        r.value,
        right,
        np.eye(RANK),
        np.zeros(30),
        np.zeros((RANK, RANK)),
        out,
    )
    assert np.isfinite(out).all()
    assert not out[4].any()
    few = np.flatnonzero(world["mask"].sum(axis=1) <= 2)
    fitted, mask = out @ right.T, world["mask"]
    np.testing.assert_allclose(fitted[few][mask[few]], world["dense"][few][mask[few]], atol=1e-8)
