"""RLRMC as a model: what it predicts, when it stops, and what it refuses."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from palate.errors import DataError, PalateWarning, PlanError, UnknownId
from palate.interactions import Interactions
from palate.models.rlrmc import RLRMC


def low_rank(seed: int = 0, *, users: int = 60, items: int = 40, share: float = 0.5) -> pl.DataFrame:
    """Return ratings from 1 to 5 of a matrix of biases and rank 2, with little noise."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(users, 2)) @ rng.normal(size=(2, items)) * 0.5
    scores += 3 + rng.normal(size=(users, 1)) * 0.4 + rng.normal(size=items) * 0.4
    user, item = np.nonzero(rng.random((users, items)) < share)
    value = np.clip(scores[user, item] + 0.05 * rng.normal(size=len(user)), 1, 5)
    return pl.DataFrame({"user": user, "item": item, "value": value})


@pytest.fixture(scope="module")
def parts() -> tuple[pl.DataFrame, pl.DataFrame]:
    table = low_rank()
    test = pl.Series(np.random.default_rng(1).random(table.height) < 0.2)
    return table.filter(~test), table.filter(test)


def rmse(model: Any, test: pl.DataFrame) -> float:
    return float(np.sqrt(np.mean((model.rate(test)["rating"].to_numpy() - test["value"].to_numpy()) ** 2)))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"penalty": "product", "regularisation": 0.1},
        {"geometry": "ubv", "penalty": "product", "regularisation": 0.1},
        {"geometry": "als"},
        {"start": "random"},
        {"count_power": 0},
    ],
)
def test_it_predicts_what_it_has_not_seen(params: dict[str, Any], parts: Any) -> None:
    train, test = parts
    settings = {"factors": 2, "regularisation": 0.1} | params
    model, plain = RLRMC(**settings).fit(train), float(test["value"].std())
    assert rmse(model, test) < 0.35 * plain


def test_the_geometry_reaches_the_objective_of_alternating_least_squares(parts: Any) -> None:
    ends = {}
    for geometry in ("quotient", "als"):
        model = RLRMC(factors=2, geometry=geometry, iterations=1_000, tolerance=1e-12).fit(parts[0])
        ends[geometry] = model.fitted.trace[-1]["objective"]
    assert ends["quotient"] == pytest.approx(ends["als"], rel=1e-6)


def test_the_trace_tells_each_iteration(parts: Any) -> None:
    train, test = parts
    model = RLRMC(factors=2).fit(train, valid=Interactions.from_table(test))
    trace = model.fitted.trace
    assert [row["iteration"] for row in trace] == list(range(1, len(trace) + 1))
    assert set(trace[0]) == {
        "iteration", "objective", "gradient_norm", "train_rmse", "seconds", "valid_rmse",
    }  # fmt: skip
    objectives = [row["objective"] for row in trace]
    assert objectives == sorted(objectives, reverse=True)
    assert min(row["valid_rmse"] for row in trace) == pytest.approx(rmse(model, test), rel=1e-5)


def test_validation_stops_what_overfits_and_keeps_the_best(parts: Any) -> None:
    train, test = parts
    noise = np.random.default_rng(2).normal(size=train.height)
    train = train.with_columns(value=(pl.col("value") + noise).clip(0.1))
    greedy = {"factors": 12, "regularisation": 1e-4, "iterations": 300, "tolerance": 0.0}
    stopped = RLRMC(**greedy).fit(train, valid=Interactions.from_table(test))
    on = RLRMC(**greedy).fit(train)
    assert len(stopped.fitted.trace) < len(on.fitted.trace)
    assert rmse(stopped, test) < rmse(on, test)


def test_a_user_is_rated_by_the_ratings_alone(parts: Any) -> None:
    train, test = parts
    model = RLRMC(factors=2).fit(train)
    mine, asked = train.filter(pl.col("user") < 5), test.filter(pl.col("user") < 5)
    renamed = mine.with_columns(user=pl.col("user") + 1_000)
    found = model.rate(asked.with_columns(user=pl.col("user") + 1_000), histories=renamed)
    np.testing.assert_allclose(found["rating"], model.rate(asked)["rating"], rtol=1e-12)
    told = {
        str(user): dict(zip(rows["item"], rows["value"], strict=True))
        for (user,), rows in mine.group_by("user")
    }
    pairs = [(str(user), item) for user, item in asked.select("user", "item").iter_rows()]
    np.testing.assert_allclose(model.rate(pairs, histories=told)["rating"], found["rating"], rtol=1e-6)
    with pytest.raises(UnknownId, match="have no history"):
        model.rate({"user": [77_777], "item": [1]}, histories=renamed)


def test_a_new_item_is_folded_in_and_predicted_nearly_as_by_a_refit(parts: Any) -> None:
    train, test = parts
    new = [3, 17, 30]
    old_rows, new_rows = train.filter(~pl.col("item").is_in(new)), train.filter(pl.col("item").is_in(new))
    before = RLRMC(factors=2, regularisation=0.1).fit(old_rows)
    wider = before.fold_in(new_rows)
    refit = RLRMC(factors=2, regularisation=0.1).fit(train)
    asked = test.filter(pl.col("item").is_in(new))
    assert rmse(wider, asked) < 1.3 * rmse(refit, asked)
    assert len(before.items) == 37  # the model itself is as it was
    kept = wider.fitted.state.item_factors[wider.items.encode(before.items.ids)]
    np.testing.assert_array_equal(kept, before.fitted.state.item_factors)
    with pytest.raises(DataError, match="no value column"):
        before.fold_in({"user": [1], "item": [99]})


def test_predictions_stay_on_the_scale_when_asked(parts: Any) -> None:
    train, _ = parts
    every = pl.DataFrame({"user": range(60), "item": [0] * 60})
    wild = {"factors": 12, "regularisation": 0.0, "iterations": 20}
    on = RLRMC(**wild).fit(train).rate(every)["rating"]
    off = RLRMC(**wild, clip=False).fit(train).rate(every)["rating"]
    low, high = train["value"].min(), train["value"].max()
    assert on.is_between(low, high).all()
    np.testing.assert_allclose(on, off.clip(low, high))
    assert not off.is_between(low, high).all()


def test_a_pair_rated_twice_counts_once_with_its_mean() -> None:
    table = low_rank(2)
    extra = table.head(30)
    twice = pl.concat(
        [
            table.slice(30),
            extra.with_columns(value=pl.col("value") - 0.5),
            extra.with_columns(value=pl.col("value") + 0.5),
        ]
    )
    np.testing.assert_allclose(
        RLRMC(factors=2).fit(twice).score(), RLRMC(factors=2).fit(table).score(), rtol=1e-5
    )


def test_one_rating_and_a_constant_matrix_predict_that_number() -> None:
    for table in (
        {"user": [1], "item": [1], "value": [4.0]},
        {"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "value": [4.0] * 4},
    ):
        for params in ({}, {"start": "random"}, {"regularisation": 0}, {"geometry": "als"}):
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                model = RLRMC(**params).fit(table)
            assert ["nothing to learn" in str(one.message) for one in said] == [True] * (
                len(table["user"]) > 1
            )
            found = model.rate({"user": [1], "item": [1]})["rating"]
            assert found.to_list() == pytest.approx([4.0], abs=1e-6)


def test_a_rank_above_the_smaller_side_is_that_side_and_is_said() -> None:
    table = {"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "value": [4.0, 1.0, 2.0, 5.0]}
    with pytest.warns(
        PalateWarning, match="factors = 3 is above the smaller side of 2 users x 2 items; 2 are used"
    ):
        model = RLRMC(factors=3).fit(table)
    assert model.fitted.state.item_factors.shape == (2, 2)
    np.testing.assert_allclose(RLRMC().fit(table).score(), model.score())


def test_ratings_below_zero_are_said_to_be_dislikes() -> None:
    """A scale from -10 to 10 is legal elsewhere; here what is below 0 is a dislike, and must not go silently."""
    table = low_rank(4).with_columns(value=pl.col("value") - 3)
    below = int((table["value"] < 0).sum())
    with pytest.warns(
        PalateWarning, match=f"{below} of {table.height:,} ratings are below 0 and count as dislikes"
    ):
        RLRMC(factors=2).fit(table)


def test_a_like_without_a_rating_counts_as_a_good_one_whatever_is_disliked() -> None:
    table = low_rank(5).with_columns(event=pl.lit("rating"))
    hated = table.with_columns(value=pl.lit(5.0), event=pl.lit("negative"), item=pl.col("item") + 1_000)
    alone = RLRMC(factors=2).fit(Interactions.from_table(table))
    beside = RLRMC(factors=2).fit(Interactions.from_table(pl.concat([table, hated])))
    told = [table["item"].unique().to_list()[:5]]
    np.testing.assert_allclose(
        beside.score(histories=told, items=alone.items.ids), alone.score(histories=told), rtol=1e-3
    )


def test_negative_validation_rows_stop_nothing(parts: Any) -> None:
    train, test = parts
    hidden = test.with_columns(event=pl.lit("negative"), value=pl.lit(5.0))
    model = RLRMC(factors=2).fit(train, valid=Interactions.from_table(hidden))
    assert "valid_rmse" not in model.fitted.trace[0]


def test_a_folded_in_dislike_is_no_rating(parts: Any) -> None:
    rows = parts[0].with_columns(event=pl.lit("seen"))
    model = RLRMC(factors=2).fit(Interactions.from_table(rows, negative_events=["hide"]))
    hidden = {"user": list(range(30)), "item": [999] * 30, "value": [5.0] * 30, "event": ["hide"] * 30}
    wider = model.fold_in(hidden)
    new = wider.items.code(999)
    assert wider.popularity[new] == 0
    assert wider.fitted.state.item_bias[new] == 0


@pytest.mark.parametrize("penalty", ["counts", "product"])
def test_similar_items_do_not_hang_on_which_factors_stand_for_the_model(penalty: str, parts: Any) -> None:
    found = []
    for start in ("svd", "random"):
        model = RLRMC(
            factors=2, penalty=penalty, regularisation=0.3, start=start, iterations=2_000, tolerance=1e-14
        ).fit(parts[0])
        found.append(model.similar([0, 5, 9], k=6))
    assert_frame_equal(found[0].drop("score"), found[1].drop("score"))
    np.testing.assert_allclose(found[0]["score"], found[1]["score"], atol=1e-3)


def test_bad_parameters_are_refused_in_words() -> None:
    for params, said in (
        ({"regularisation": -1.0}, "greater than or equal to 0"),
        ({"time_limit": 0}, "greater than 0"),
        ({"factors": 0}, "greater than or equal to 1"),
        ({"geometry": "ubv"}, "rlrmc: geometry = 'ubv' knows penalty = 'product' only"),
    ):
        with pytest.raises(PlanError, match=said):
            RLRMC(**params)


def test_a_time_limit_ends_the_search_with_what_it_has(parts: Any) -> None:
    model = RLRMC(factors=2, time_limit=1e-9, tolerance=0.0).fit(parts[0])
    assert len(model.fitted.trace) == 1
    assert np.isfinite(model.score()).all()


def test_an_objective_that_overflows_stops_with_the_last_good_state() -> None:
    table = low_rank(3).with_columns(value=pl.col("value") * 1e30)
    with pytest.warns(PalateWarning, match=r"the objective is (inf|nan) at iteration 1"):
        model = RLRMC(factors=2, biases="none", regularisation=1e300, count_power=1.0).fit(table)
    assert np.isfinite(model.score()).all()


def test_two_fits_from_a_saved_model_rate_alike(parts: Any, tmp_path: Any) -> None:
    train, test = parts
    model = RLRMC(factors=2).fit(train)
    loaded = RLRMC.load(model.save(tmp_path / "model"))
    assert_frame_equal(loaded.rate(test), model.rate(test))
