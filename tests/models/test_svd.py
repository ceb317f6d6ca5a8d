"""SVD: its step against brute force, its bound, and what it finds in planted worlds."""

from __future__ import annotations

import numpy as np
import pytest

from palate.errors import NotSupported
from palate.evaluation.rating import rating_values
from palate.interactions import Interactions
from palate.kernels.posterior import means, update, width
from palate.models.bias import Bias
from palate.models.ratings import Ratings
from palate.models.svd import SVD
from palate.split import random as random_split
from tests.worlds import world

SIZE = 4


def line(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a mean, a second moment, and both as a line of moments."""
    mean, root = rng.normal(size=SIZE), rng.normal(size=(SIZE, SIZE))
    second = np.outer(mean, mean) + root @ root.T
    return mean, second, np.r_[mean, second[np.tril_indices(SIZE)]]


def case(seed: int):
    rng = np.random.default_rng(seed)
    columns = [line(rng) for _ in range(9)]
    ratings = Ratings.of(
        np.repeat(np.arange(3, dtype=np.int32), 5),
        np.concatenate([rng.permutation(9)[:5] for _ in range(3)]).astype(np.int32),
        rng.normal(size=15),
        (4, 9),
    )
    return columns, ratings, rng.uniform(0.5, 2, SIZE), np.array([0.7, 0.9, 0.5, 0.7])


def test_a_step_is_the_posterior_by_brute_force():
    columns, ratings, prior, noise = case(0)
    moments = np.stack([one for _, _, one in columns])
    out, error = np.zeros((4, width(SIZE))), np.zeros(4)
    update(ratings.indptr, ratings.column, ratings.value, moments, prior, noise, out, error)
    alone = np.empty((4, SIZE))
    means(ratings.indptr, ratings.column, ratings.value, moments, prior, noise, alone)
    for row in range(4):
        some = slice(*ratings.indptr[row : row + 2])
        precision, right = np.diag(prior), np.zeros(SIZE)
        for column, value in zip(ratings.column[some], ratings.value[some], strict=True):
            mean, second, _ = columns[column]
            w = np.r_[1.0, mean[1:]]
            ww = second.copy()
            ww[0], ww[:, 0] = w, w
            precision = precision + ww / noise[row]
            right += (value * w - np.r_[mean[0], second[0, 1:]]) / noise[row]
        x = np.linalg.solve(precision, right)
        np.testing.assert_allclose(out[row, :SIZE], x, atol=1e-12)
        np.testing.assert_allclose(alone[row], x, atol=1e-12)
        wanted = np.outer(x, x) + np.linalg.inv(precision)
        np.testing.assert_allclose(out[row, SIZE:], wanted[np.tril_indices(SIZE)], atol=1e-12)


def test_the_expected_error_is_that_of_draws_from_both_sides():
    columns, ratings, prior, noise = case(1)
    moments = np.stack([one for _, _, one in columns])
    out, error = np.zeros((4, width(SIZE))), np.zeros(4)
    update(ratings.indptr, ratings.column, ratings.value, moments, prior, noise, out, error)
    rng, lower = np.random.default_rng(5), np.tril_indices(SIZE)

    def draw(mean: np.ndarray, second: np.ndarray) -> np.ndarray:
        return rng.multivariate_normal(mean, second - np.outer(mean, mean), 200_000)

    items = [draw(mean, second) for mean, second, _ in columns]
    for row in range(3):
        second = np.zeros((SIZE, SIZE))
        second[lower] = out[row, SIZE:]
        x = draw(out[row, :SIZE], second + np.tril(second, -1).T)
        some = slice(*ratings.indptr[row : row + 2])
        total = sum(
            (
                (value - x[:, 0] - items[column][:, 0] - (x[:, 1:] * items[column][:, 1:]).sum(axis=1)) ** 2
            ).mean()
            for column, value in zip(ratings.column[some], ratings.value[some], strict=True)
        )
        assert error[row] == pytest.approx(total, rel=0.02)


def planted(noise: float, seed: int = 0, *, share: float = 0.4) -> tuple[Interactions, np.ndarray]:
    rng = np.random.default_rng(seed)
    n_users, n_items, rank = 120, 90, 3
    truth = 3 + 0.4 * rng.normal(size=(n_users, 1)) + 0.4 * rng.normal(size=n_items)
    truth = truth + rng.normal(size=(n_users, rank)) @ rng.normal(size=(rank, n_items)) / 2
    user, item = np.nonzero(rng.random(truth.shape) < share)
    value = truth[user, item] + noise * rng.normal(size=len(user))
    table = {"user": user, "item": item, "value": value - value.min()}
    return Interactions.from_table(table), truth - value.min()


def test_a_planted_matrix_is_found_to_the_noise():
    train, truth = planted(0.5)
    model = SVD(factors=8, iterations=60, doubt=0, clip=False).fit(train)
    error = np.sqrt(np.mean((model.score() - truth) ** 2))
    # 18 degrees of freedom at most a user of 36 ratings: the truth is nearer than one rating is.
    assert error < 0.3
    assert model.fitted.state.noise == pytest.approx(0.25, rel=0.1)


def test_factors_that_are_not_there_are_held_near_zero():
    train, truth = planted(0.5)
    errors = [
        np.sqrt(np.mean((SVD(factors=rank, iterations=60).fit(train).score() - truth) ** 2))
        for rank in (3, 24)
    ]
    assert errors[1] < 1.1 * errors[0]


def test_without_hidden_tastes_it_is_a_bias_model_whose_dampings_are_learnt():
    train = world(6, count=800)
    model = SVD(factors=0, iterations=100, doubt=0).fit(train)
    state = model.fitted.state
    damping = state.noise / model.fitted.trace[-1]["item_bias_variance"]
    bias = Bias(user_damping=state.noise * state.prior[0], item_damping=damping).fit(train)
    np.testing.assert_allclose(model.score(), bias.score(), atol=1e-3)


def test_it_beats_the_biases_and_stays_on_the_scale():
    train, _ = planted(0.5, share=0.5)
    parts = random_split(train, ratio=0.8)
    test = parts.test.table()
    errors = {}
    for model in (Bias(), SVD(factors=6)):
        rated = model.fit(parts.train).rate(test)["rating"].to_numpy()
        errors[model.name] = rating_values(test["value"].to_numpy(), rated)["rmse"]
    assert errors["svd"] < 0.8 * errors["bias"]
    assert rated.min() >= parts.train.value.min()
    assert rated.max() <= parts.train.value.max()


def test_a_new_user_needs_no_fit():
    train, truth = planted(0.3)
    old = train.select(train.user < 100)
    new = train.select(train.user >= 100)
    model = SVD(factors=6, iterations=40, clip=False).fit(old)
    asked = {"user": np.repeat(np.arange(100, 120), 90), "item": np.tile(np.arange(90), 20)}
    rated = model.rate(asked, histories=new)["rating"].to_numpy().reshape(20, 90)
    assert np.sqrt(np.mean((rated - truth[100:]) ** 2)) < 0.35


def test_another_start_finds_ratings_as_good():
    train, truth = planted(0.5)
    errors = [
        np.sqrt(np.mean((SVD(factors=8, iterations=60, seed=seed).fit(train).score() - truth) ** 2))
        for seed in range(3)
    ]
    assert max(errors) < 1.1 * min(errors)


def test_the_scale_of_ratings_is_the_scale_of_predictions_and_nothing_else():
    train, _ = planted(0.5)
    table = train.table()
    far = table.with_columns(value=20 * table["value"] + 10)
    one, other = SVD(factors=4).fit(train), SVD(factors=4).fit(far)
    np.testing.assert_allclose(other.score(), 20 * one.score() + 10, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*there is nothing to learn:palate.errors.PalateWarning")
def test_a_constant_matrix_and_one_rating_are_rated_as_they_are():
    for table in (
        {"user": [1, 1, 2], "item": [1, 2, 1], "value": [3.0, 3.0, 3.0]},
        {"user": [1], "item": [1], "value": [3.0]},
    ):
        assert SVD(factors=3).fit(table).score() == pytest.approx(3.0, abs=1e-6)


def test_without_hidden_tastes_nothing_is_similar():
    model = SVD(factors=0).fit(world())
    assert not model.can("similar")
    with pytest.raises(NotSupported, match="svd has no similar"):
        model.similar([0])


def test_validation_rows_are_told_of_and_change_nothing():
    parts = random_split(planted(0.5)[0], ratio=0.8, valid=0.2)
    watched = SVD(factors=4).fit(parts.train, valid=parts.valid)
    assert np.array_equal(watched.score(), SVD(factors=4).fit(parts.train).score())
    errors = [row["valid_rmse"] for row in watched.fitted.trace]
    assert len(errors) == 20
    assert errors[-1] < 0.8 * errors[0]
    said = watched.rate(parts.valid)["rating"].to_numpy()
    assert errors[-1] == pytest.approx(np.sqrt(np.mean((said - parts.valid.value) ** 2)), rel=0.02)
