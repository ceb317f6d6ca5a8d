"""Mean and bias: against their formulas, and against a ridge regression solved as one system."""

from __future__ import annotations

import numpy as np
import pytest

from palate.errors import DataError
from palate.interactions import Interactions
from palate.models.bias import Bias
from palate.models.mean import Mean
from palate.models.ratings import Ratings
from tests.worlds import world

TABLE = {"user": [1, 1, 2, 2, 3], "item": [1, 2, 1, 3, 1], "value": [5.0, 3.0, 4.0, 1.0, 3.0]}


def test_the_mean_of_an_item_is_drawn_towards_the_mean_of_all():
    model = Mean(damping=2).fit(TABLE)
    mean = 16 / 5
    wanted = mean + np.array([(12 - 3 * mean) / 5, (3 - mean) / 3, (1 - mean) / 3])
    np.testing.assert_allclose(model.score(users=[2])[0], wanted)


def test_without_damping_means_are_plain_means():
    pairs = {"user": [1, 2, 3], "item": [3, 1, 2]}
    assert Mean(damping=0).fit(TABLE).rate(pairs)["rating"].to_list() == pytest.approx([1, 4, 3])
    assert Mean(level="user", damping=0).fit(TABLE).rate(pairs)["rating"].to_list() == pytest.approx(
        [4, 2.5, 3]
    )
    assert Mean(level="global").fit(TABLE).rate(pairs)["rating"].to_list() == pytest.approx([3.2] * 3)


def test_the_bias_model_is_the_ridge_regression_on_users_and_items():
    train = world(3)
    model = Bias(user_damping=4, item_damping=2).fit(train)
    ratings = Ratings.of_interactions(train)
    n_users, n_items, n = train.n_users, train.n_items, len(ratings.value)
    design = np.zeros((n, n_users + n_items))
    design[np.arange(n), ratings.row] = 1
    design[np.arange(n), n_users + ratings.column] = 1
    penalty = np.diag([4.0] * n_users + [2.0] * n_items)
    rest = ratings.value - ratings.value.mean()
    found = np.linalg.solve(design.T @ design + penalty, design.T @ rest)
    wanted = ratings.value.mean() + found[:n_users, None] + found[n_users:]
    np.testing.assert_allclose(model.score(), wanted, atol=1e-8)


def test_a_new_user_is_known_by_their_ratings_alone():
    train = world(4)
    model = Bias().fit(train)
    some = train.select(train.user < 5)
    asked = {
        "user": np.repeat(some.users.ids.to_numpy(), 3),
        "item": np.tile(train.items.ids[:3].to_numpy(), 5),
    }
    known = model.rate(asked)["rating"]
    np.testing.assert_allclose(model.rate(asked, histories=some)["rating"], known)


@pytest.mark.filterwarnings("ignore:.*there is nothing to learn:palate.errors.PalateWarning")
def test_a_constant_matrix_is_rated_as_such():
    train = Interactions.from_table({"user": [1, 1, 2], "item": [1, 2, 1], "value": [3.0, 3.0, 3.0]})
    for model in (Mean(), Bias()):
        assert model.fit(train).score() == pytest.approx(3.0)


@pytest.mark.parametrize("model", [Mean(), Bias()])
def test_a_table_without_ratings_is_refused(model):
    with pytest.raises(DataError, match="no value column"):
        model.fit({"user": [1, 2], "item": [1, 2]})
