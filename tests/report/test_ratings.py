"""Errors by activity, calibration, and what a page says of them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from palate.evaluation.keys import wanted
from palate.evaluation.rating import Rated, statistics
from palate.evaluation.result import InducedList, Measured, RatingFacts, Result
from palate.evaluation.significance import estimates
from palate.report import ratings, words
from palate.report.html import render

N_USERS, N_ITEMS, N = 200, 50, 4_000


def rated(spread: float = 1.0, *, seed: int = 0) -> Rated:
    """Say what is true of each row, `spread` times too far from the mean, in the same world for any spread."""
    rng = np.random.default_rng(seed)
    truth = 3 + rng.normal(size=N)
    return Rated(
        users=pl.Series(range(N_USERS)),
        user=rng.integers(0, N_USERS, N).astype(np.int32),
        item=rng.integers(0, N_ITEMS, N).astype(np.int32),
        actual=truth + rng.normal(0, 0.7, N),
        predicted=3 + spread * (truth - 3),
    )


def test_slices_of_users_and_of_items_hold_every_row_once_and_add_up_to_the_whole():
    one = rated()
    slices = ratings.by_activity({"a": one}, np.arange(N_USERS), np.r_[0, np.arange(1, N_ITEMS) ** 2])
    overall = np.mean((one.actual - one.predicted) ** 2)
    for kind in ("user", "item"):
        parts = [part for part in slices if part.kind == kind]
        assert sum(part.rows for part in parts) == N
        assert parts[0].label == "new"
        total = sum(part.rows * part.rmse["a"].value ** 2 for part in parts)
        assert total / N == pytest.approx(overall)
        absolute = sum(part.rows * part.mae["a"].value for part in parts)
        assert absolute / N == pytest.approx(np.abs(one.actual - one.predicted).mean())
        assert all(part.rows > 0.15 * N for part in parts[1:])


def test_intervals_of_a_slice_are_near_the_bootstrap_by_user():
    one = rated()
    found = ratings.rmse(one.user, one.actual - one.predicted)
    drawn = estimates(statistics(one.sums(), wanted(["rmse"], ())), resamples=2_000, seed=1)["rmse"]
    assert found.value == pytest.approx(drawn.mean)
    assert found.ci95 == pytest.approx(drawn.ci95, abs=0.2 * (drawn.ci95[1] - drawn.ci95[0]))


def test_what_is_true_is_calibrated_and_what_is_spread_too_far_has_a_slope_below_one():
    true, wide = ratings.calibration({"true": rated(), "wide": rated(2.0)})
    assert true.slope == pytest.approx(1.0, abs=0.05)
    assert wide.slope == pytest.approx(0.5, abs=0.03)
    assert len(true.points) == 10
    assert all(point.rows == N // 10 for point in true.points)
    for point in true.points:
        assert point.actual == pytest.approx(point.predicted, abs=0.15)
    said = [point.predicted for point in wide.points]
    assert said == sorted(said)


def test_one_prediction_for_all_is_one_point_without_a_slope():
    one = rated(0.0)
    (found,) = ratings.calibration({"mean": one})
    assert [point.rows for point in found.points] == [N]
    assert found.points[0].actual == pytest.approx(one.actual.mean())
    assert found.slope is None


def test_predictions_that_are_no_numbers_have_no_place_in_calibration():
    one = rated()
    one.predicted[::2] = np.nan
    (found,) = ratings.calibration({"broken": one})
    assert sum(point.rows for point in found.points) == N // 2
    one.predicted[:] = np.nan
    assert ratings.calibration({"broken": one})[0].points == []


@pytest.fixture
def with_ratings(result: Result) -> Result:
    one = {"sar": rated(), "ease": rated(2.0)}
    facts = RatingFacts(
        rows=N,
        slices=ratings.by_activity(one, np.arange(N_USERS) + 1, np.arange(N_ITEMS) + 1),
        calibration=ratings.calibration(one),
        list_metric="ndcg@10",
        lists=[
            InducedList(label="sar", rmse=0.7, value=Measured(mean=0.05, ci95=(0.04, 0.06), n=9)),
            InducedList(label="ease", rmse=1.2, value=Measured(mean=0.31, ci95=(0.3, 0.32), n=9)),
        ],
        popularity=Measured(mean=0.25, ci95=(0.2, 0.3), n=9),
    )
    return result.model_copy(update={"ratings": facts})


def test_a_page_warns_that_a_good_rmse_is_not_a_good_list(with_ratings: Result):
    said = words.rating_words(with_ratings)
    assert said.startswith("sar has the lowest error, 0.700 RMSE")
    assert "0.050 nDCG@10" in said
    assert "A good RMSE is not a good list." in said
    page = render(with_ratings)
    assert said in page
    assert 'id="ratings"' in page
    assert page.count("<title>RMSE by ratings of the") == 2
    assert f"RMSE is over {N:,} rated test rows, the lists are those of the test users" in page
    assert "Mean rating against mean prediction" in page
    assert Result.model_validate_json(with_ratings.to_json()) == with_ratings


def test_a_result_without_ratings_says_nothing_of_them(result: Result):
    assert words.rating_words(result) == ""
    assert 'id="ratings"' not in render(result)
