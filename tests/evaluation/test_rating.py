import numpy as np
import pytest

from palate.evaluation.keys import wanted
from palate.evaluation.rating import rating_values, statistics, user_sums
from palate.evaluation.significance import estimates

random = np.random.default_rng(3)


def test_rating_metrics_worked_by_hand():
    # Errors -1, 0, 1, 2; mean of y is 3.5.
    found = rating_values(np.array([2.0, 3.0, 4.0, 5.0]), np.array([3.0, 3.0, 3.0, 3.0]))
    assert found["rmse"] == pytest.approx(np.sqrt(6 / 4))
    assert found["mae"] == pytest.approx(1.0)
    assert found["r2"] == pytest.approx(1 - 6 / 5)
    assert found["explained_variance"] == pytest.approx(0.0)


def test_rating_metrics_equal_their_formulas():
    y, p = random.integers(1, 6, 500) + 1000.0, random.normal(1003, 1, 500)
    found = rating_values(y, p)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((y - p) ** 2)))
    assert found["mae"] == pytest.approx(np.mean(np.abs(y - p)))
    assert found["r2"] == pytest.approx(1 - np.sum((y - p) ** 2) / np.sum((y - y.mean()) ** 2), abs=1e-10)
    assert found["explained_variance"] == pytest.approx(1 - np.var(y - p) / np.var(y), abs=1e-10)


def test_a_constant_bias_costs_r2_and_not_explained_variance():
    y = random.normal(size=100)
    found = rating_values(y, y + 2.0)
    assert found["explained_variance"] == pytest.approx(1.0)
    assert found["r2"] < 0


def test_values_without_spread_have_no_r2():
    found = rating_values(np.full(5, 4.0), np.array([4.0, 4.0, 4.0, 3.0, 5.0]))
    assert np.isnan(found["r2"])
    assert np.isnan(found["explained_variance"])
    assert found["mae"] == pytest.approx(0.4)


def test_intervals_of_rating_metrics_resample_whole_users():
    user = np.repeat(np.arange(200), 5)
    bias = random.normal(0, 1, 200)  # a user's errors go together
    y = random.normal(size=1000)
    sums = user_sums(user, 200, y, y - bias[user])
    found = estimates(statistics(sums, wanted(["rmse"], ())), resamples=500, seed=1)["rmse"]
    low, high = found.ci95
    assert low < found.mean < high
    assert found.n == 200
    # Were rows the unit, the interval would be sqrt(5) times narrower than the users' own spread allows.
    by_users = np.std([np.sqrt(np.mean(random.choice(bias, 200) ** 2)) for _ in range(500)])
    assert (high - low) / 3.92 == pytest.approx(by_users, rel=0.2)
