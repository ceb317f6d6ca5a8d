"""SAR against its formulas, the ten known faults of the incumbent, and update and forget against a refit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import palate
from palate import SAR, Interactions
from palate.errors import DataError, NotSupported, PalateWarning, PlanError, UnknownId
from palate.models import dense, itemitem
from palate.models import sar as module
from palate.models.sar import SIMILARITIES
from tests.models.brute_force import rating, sar
from tests.worlds import DAY, rows, tables

each_similarity = pytest.mark.parametrize("similarity", SIMILARITIES)
few = settings(max_examples=10)
likes = tables(values=(0.0, 1.0, 2.0, 5.0))
mixed = tables(values=(-1.0, 0.0, 1.0, 2.0, 5.0))


def fit(table: Any, **params: Any) -> SAR:
    return SAR(**{"precision": "float64"} | params).fit(Interactions.from_table(table))


def close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


def same_as_brute_force(table: dict[str, list[Any]], **params: Any) -> None:
    frame = pl.DataFrame(table)
    if not (frame["value"] >= 0).any():
        return  # refused, see the conformance tests
    model, brute = fit(frame, **params), sar(frame, **params)
    assert model.users.ids.to_list() == brute.users
    assert model.items.ids.to_list() == brute.items
    close(model.similarity_matrix(), brute.similarity)
    close(model.score(), brute.scores)


# --- the formulas -------------------------------------------------------------------------------------------


@each_similarity
@few
@given(mixed)
def test_similarities_and_scores_are_those_of_brute_force(
    similarity: str, table: dict[str, list[Any]]
) -> None:
    same_as_brute_force(table, similarity=similarity)


@given(mixed, st.sampled_from([0.5, 3.0, 30.0]), st.sampled_from([None, 0, 4 * DAY, 40 * DAY]))
def test_fading_is_by_half_lives_of_days_and_later_events_count_fully(
    table: dict[str, list[Any]], half_life_days: float, time_now: int | None
) -> None:
    same_as_brute_force(table, half_life_days=half_life_days, time_now=time_now)


def test_an_event_one_half_life_old_counts_half() -> None:
    table = {"user": [1, 2], "item": [1, 2], "value": [4.0, 4.0], "time": [0, 30 * DAY]}
    assert fit(table, half_life_days=30).score().tolist() == [[2.0, 0.0], [0.0, 4.0]]
    assert fit(table, half_life_days=30, time_now=0).score().tolist() == [[4.0, 0.0], [0.0, 4.0]]
    assert fit(table, half_life_days=30, time_now=60 * DAY).score().tolist() == [[1.0, 0.0], [0.0, 2.0]]


@each_similarity
@few
@given(mixed, st.integers(1, 4))
def test_threshold_is_that_of_brute_force(
    similarity: str, table: dict[str, list[Any]], threshold: int
) -> None:
    same_as_brute_force(table, similarity=similarity, threshold=threshold)


@given(likes, st.sampled_from(["cooccurrence", "jaccard", "cosine"]), st.sampled_from([None, 2.0]))
def test_normalised_scores_are_those_of_brute_force(
    table: dict[str, list[Any]], similarity: str, half_life_days: float | None
) -> None:
    same_as_brute_force(table, similarity=similarity, half_life_days=half_life_days, normalise=True)


@each_similarity
@few
@given(mixed, st.integers(1, 6))
def test_neighbours_are_those_of_brute_force(
    similarity: str, table: dict[str, list[Any]], neighbours: int
) -> None:
    same_as_brute_force(table, similarity=similarity, neighbours=neighbours)


@each_similarity
@pytest.mark.parametrize("keep_counts", [True, False])
def test_all_neighbours_are_no_pruning(similarity: str, keep_counts: bool) -> None:
    every, pruned = (
        fit(rows(), similarity=similarity, normalise=True, **more)
        for more in ({}, {"neighbours": 19, "keep_counts": keep_counts})
    )
    close(pruned.similarity_matrix(), every.similarity_matrix())
    close(pruned.score(), every.score())
    close(pruned.recommend()["score"], every.recommend()["score"])
    assert_frame_equal(pruned.similar(every.items.ids), every.similar(every.items.ids))
    if similarity == "cooccurrence":  # whole numbers, so ties are ties in every order of adding
        assert_frame_equal(pruned.recommend(), every.recommend())


@pytest.mark.parametrize(
    "params", [{}, {"neighbours": 4}, {"normalise": True}, {"neighbours": 4, "normalise": True}]
)
def test_large_data_are_taken_in_parts_with_the_same_answers(
    params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(rows(), **params)
    monkeypatch.setattr(itemitem, "_EVENTS", 50)
    monkeypatch.setattr(dense, "_CELLS", 60)
    monkeypatch.setattr(dense, "_FEWEST", 1)
    monkeypatch.setattr(module, "_DENSE_BYTES", 0)  # counts are made and pruned a block of rows at a time
    parts = fit(rows(), **params)
    close(parts.similarity_matrix(), whole.similarity_matrix())
    assert_frame_equal(parts.recommend(k=7), whole.recommend(k=7))


def test_float32_is_float64_within_its_precision() -> None:
    exact, single = fit(rows()), fit(rows(), precision="float32")
    assert single.similarity_matrix().dtype == np.float32
    np.testing.assert_allclose(single.score(), exact.score(), rtol=1e-6)


def test_counts_too_large_for_the_machine_are_refused_before_they_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: 8)
    with pytest.raises(DataError, match="set neighbours = 200"):
        fit(rows())
    with pytest.raises(DataError, match="set neighbours = 200"):
        fit(rows(), neighbours=3, keep_counts=True)
    fit(rows(), neighbours=3)


def test_fading_without_times_is_refused() -> None:
    with pytest.raises(DataError, match="name the time column"):
        fit(rows().drop("time"), half_life_days=3)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"similarity": "jacard"}, "Did you mean 'jaccard'"),
        ({"half_life_days": 0}, "half_life_days = 0 is not what was expected: greater than 0"),
        ({"half_life_days": float("nan")}, "half_life_days = nan"),
        ({"threshold": 0}, "threshold = 0"),
        ({"neighbours": 0}, "neighbours = 0"),
        ({"precision": "float16"}, "precision = 'float16'"),
    ],
)
def test_parameters_out_of_range_are_refused(params: dict[str, Any], reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        SAR(**params)


# --- the faults of the incumbent, one by one ----------------------------------------------------------------


def test_fault_1_rows_of_another_user_when_the_order_of_users_differs() -> None:
    table = rows()
    model, brute = fit(table), sar(table)
    asked = model.users.ids.to_list()[::-1][3:9]
    close(model.score(users=asked), brute.scores[[brute.users.index(user) for user in asked]])
    pairs = {"user": asked, "item": [brute.items[i] for i in (4, 0, 9, 1, 1, 7)]}
    wanted = [
        rating(brute, table, *pair, half_life_days=None)
        for pair in zip(pairs["user"], pairs["item"], strict=True)
    ]
    assert model.rate(pairs)["user"].to_list() == asked
    close(model.rate(pairs)["rating"], wanted)
    backwards = {name: column[::-1] for name, column in pairs.items()}
    close(model.rate(backwards)["rating"], wanted[::-1])


def test_fault_2_shape_error_for_an_unseen_item_and_some_users() -> None:
    model = fit(rows())
    user = model.users.ids[3]
    with pytest.raises(UnknownId, match="1 of 2 items are not in train \\(4321\\); it has 20 integer ids"):
        model.score(users=[user], items=[0, 4321])
    with pytest.raises(UnknownId, match="4321"):
        model.rate({"user": [user], "item": [4321]})
    ranked = model.rank([user], [[4321, 0]])
    assert ranked["item"].to_list() == [0, 4321]
    assert ranked["score"].is_null().to_list() == [False, True]


@pytest.mark.parametrize("similarity", ["mutual_information", "lexicographers_mutual_information"])
def test_faults_3_and_4_information_counts_users_cell_by_cell_and_leaves_ten_candidates(
    similarity: str,
) -> None:
    # 20 users and 30 items, where the incumbent leaves 0.8 and 0 recommendations a user.
    rng = np.random.default_rng(0)
    chosen = [(u, i) for u in range(20) for i in rng.choice(30, 5, replace=False).tolist()]
    table = pl.DataFrame(
        {
            "user": [u for u, _ in chosen],
            "item": [i for _, i in chosen],
            "value": [1.0] * 100,
            "time": [0] * 100,
        }
    )
    model, brute = fit(table, similarity=similarity), sar(table, similarity=similarity)
    assert np.isfinite(model.score()).all()
    close(model.similarity_matrix(), brute.similarity)
    both = (brute.chosen.T.astype(int) @ brute.chosen).astype(float)
    popularity = np.diag(both)
    with np.errstate(divide="ignore"):
        information = np.where(both > 0, np.log2(20 * both / np.outer(popularity, popularity)), 0)
    close(model.similarity_matrix(), information * (both if similarity.startswith("lex") else 1))
    assert (model.recommend(k=10).group_by("user").len()["len"] == 10).all()


def test_fault_5_seen_items_come_back_when_rated_0_or_below() -> None:
    table = rows().with_columns(value=pl.Series(np.resize([0.0, -2.0, 0.0], len(rows()))))
    data = Interactions.from_table(table)
    for params in ({}, {"neighbours": 4}, {"normalise": True}):
        listed = fit(table, **params).recommend(k=20)
        assert np.isfinite(listed["score"].to_numpy()).all()
        assert listed.join(data.table(), on=["user", "item"], how="semi").is_empty()


def test_fault_6_the_normalised_scale_is_that_of_the_faded_values() -> None:
    table = rows().with_columns(value=pl.col("value") + 1)  # 1 to 6
    model = fit(table, normalise=True, half_life_days=0.5, similarity="cosine")
    scores = model.score()
    assert (scores > 1 - 1e-9).all()
    assert (scores < 6 + 1e-9).all()
    assert scores.max() > 2  # not on the scale of what has faded
    assert model.fitted.state.lowest == 1
    assert model.fitted.state.highest == 6
    raw = fit(table, half_life_days=0.5, similarity="cosine").score()
    assert np.array_equal(np.argsort(scores, kind="stable"), np.argsort(raw, kind="stable"))


def test_fault_6_each_event_of_a_repeated_pair_fades_by_its_own_time() -> None:
    table = {
        "user": [1, 1, 1, 2, 2], "item": [7, 7, 8, 7, 8], "value": [1.0, 5.0, 2.0, 3.0, 1.0],
        "time": [0, 10 * DAY, 5 * DAY, 10 * DAY, 0],
    }  # fmt: skip
    same_as_brute_force(table, normalise=True, half_life_days=5)
    model = fit(table, half_life_days=5, similarity="cooccurrence")
    assert (
        model.explain(user=1, item=7).contributions.filter(pl.col("item") == 7)["contribution"].item()
        == 2 * 5.25
    )


def test_fault_7_a_pair_with_two_ratings_is_counted_several_times() -> None:
    table = {"user": [1, 1, 1, 2], "item": [7, 7, 8, 7], "value": [1.0, 5.0, 3.0, 2.0], "time": [1, 1, 2, 3]}
    model = fit(table, similarity="cooccurrence")
    assert model.similarity_matrix().tolist() == [[2, 1], [1, 1]]
    assert model.popularity.tolist() == [2, 1]
    assert model.score(users=[1]).tolist() == [[6 * 2 + 3, 6 + 3]]


def test_fault_8_a_second_fit_keeps_the_index_and_the_time_of_the_first() -> None:
    first, second = (
        rows(0),
        rows(1, name_user=lambda u: u, name_item=lambda i: i).with_columns(pl.col("time") + 99 * DAY),
    )
    model = SAR(half_life_days=2, precision="float64").fit(Interactions.from_table(first))
    model.fit(Interactions.from_table(second))
    assert model.fitted.state.time_now == second["time"].max()
    close(model.score(), sar(second, half_life_days=2).scores)


def test_fault_8_an_unknown_seed_item_or_a_cold_user_fails_the_batch() -> None:
    model = fit(rows())
    user, item = model.users.ids[0], model.items.ids[0]
    with pytest.raises(UnknownId, match="items are not in train"):
        model.similar([item, 4321])
    with pytest.warns(PalateWarning, match="left out"):
        assert_frame_equal(model.recommend(histories=[[item, 4321]]), model.recommend(histories=[[item]]))
    answer = model.recommend(users=[user, -99], unknown="popular", k=3)
    assert answer["user"].to_list() == [user] * 3 + [-99] * 3


def test_fault_9_names_that_numpy_2_has_dropped() -> None:
    dropped = re.compile(
        r"\bnp\.(NaN|NAN|Inf|infty|float_|unicode_|string_|in1d|product|cumproduct|trapz|row_stack)\b"
    )
    for path in Path(palate.__file__).parent.rglob("*.py"):
        assert not dropped.search(path.read_text("utf-8")), path
    assert int(np.__version__.partition(".")[0]) >= 2


def test_fault_10_threshold_changes_popularity_and_ties_are_in_any_order() -> None:
    table = rows()
    plain, strict = fit(table), fit(table, threshold=6)
    assert np.array_equal(strict.popularity, plain.popularity)
    close(np.diag(strict.similarity_matrix()), np.diag(plain.similarity_matrix()))
    assert (strict.similarity_matrix() == 0).sum() > (plain.similarity_matrix() == 0).sum()
    tied = {"user": [0, 0, 0, 0, 1], "item": [9, 3, 7, 5, 9], "value": [1.0] * 5, "time": [0] * 5}
    for params in ({}, {"neighbours": 3}):
        assert fit(tied, **params).recommend(users=[1])["item"].to_list() == [3, 5, 7]
        assert fit(tied, **params).similar([9])["similar"].to_list() == [3, 5, 7]


# --- more verbs ---------------------------------------------------------------------------------------------


@each_similarity
def test_similar_items_are_the_sorted_row_and_mutual(similarity: str) -> None:
    table = rows()
    model, brute = fit(table, similarity=similarity), sar(table, similarity=similarity)
    ids = model.items.ids.to_list()
    found = model.similar(ids, k=19)
    for i, item in enumerate(ids):
        part = found.filter(pl.col("item") == item)
        wanted = sorted(
            (j for j in range(20) if j != i and brute.similarity[i, j] != 0),
            key=lambda j: (-round(brute.similarity[i, j], 12), j),
        )
        close(part["score"], brute.similarity[i, wanted])
    mirrored = found.select(item="similar", similar="item", score="score")
    both = found.join(mirrored, on=["item", "similar"], how="inner")
    assert both.height == found.height
    assert (both["score"] == both["score_right"]).all()


@given(mixed, st.sampled_from([None, 3.0]))
def test_similar_users_are_the_dot_products_of_brute_force(
    table: dict[str, list[Any]], half_life_days: float | None
) -> None:
    frame = pl.DataFrame(table)
    assume((frame["value"] >= 0).any())
    model, brute = fit(frame, half_life_days=half_life_days), sar(frame, half_life_days=half_life_days)
    products = brute.affinity @ brute.affinity.T
    found = model.similar_users(brute.users, k=50)
    for u, user in enumerate(brute.users):
        part = found.filter(pl.col("user") == user)
        assert sorted(part["similar"]) == [other for other in brute.users if other != user]
        close(part["score"], [products[u, brute.users.index(other)] for other in part["similar"]])
        pairs = list(zip((-part["score"]).to_list(), part["similar"].to_list(), strict=True))
        assert pairs == sorted(pairs)
    with pytest.raises(UnknownId):
        model.similar_users([99])


@given(mixed, st.sampled_from([None, 3.0]), st.sampled_from(["jaccard", "mutual_information"]))
def test_ratings_are_those_of_brute_force_and_on_the_scale(
    table: dict[str, list[Any]], half_life_days: float | None, similarity: str
) -> None:
    frame = pl.DataFrame(table)
    liked = frame.filter(pl.col("value") >= 0)["value"]
    assume(liked.n_unique() > 1)
    params: dict[str, Any] = {"half_life_days": half_life_days, "similarity": similarity}
    model, brute = fit(frame, **params), sar(frame, **params)
    pairs = [(user, item) for item in brute.items for user in brute.users]
    found = model.rate({"user": [u for u, _ in pairs], "item": [i for _, i in pairs]})
    assert found.select("user", "item").rows() == pairs
    close(found["rating"], [rating(brute, frame, *pair, half_life_days=half_life_days) for pair in pairs])
    assert (found["rating"] >= liked.min() - 1e-9).all()
    assert (found["rating"] <= liked.max() + 1e-9).all()
    assert_frame_equal(
        model.rate(Interactions.from_table(frame)).select("user", "item"), frame.select("user", "item")
    )


def test_ratings_need_values_that_differ_and_users_that_are_known() -> None:
    with pytest.raises(NotSupported, match="all values of train are the same"):
        fit(rows().drop("value")).rate({"user": [1_000], "item": [0]})
    with pytest.raises(UnknownId, match=r"train lacks \(-99\)"):
        fit(rows()).rate({"user": [-99], "item": [0]})
    with pytest.raises(DataError, match="pairs: no column 'item'"):
        fit(rows()).rate({"user": [1_000]})


@pytest.mark.parametrize(
    "params",
    [{}, {"half_life_days": 3}, {"normalise": True}, {"neighbours": 3}, {"neighbours": 3, "normalise": True},
     {"similarity": "mutual_information"}],
)  # fmt: skip
@few
@given(table=mixed)
def test_contributions_are_the_terms_of_the_score(
    params: dict[str, Any], table: dict[str, list[Any]]
) -> None:
    frame = pl.DataFrame(table)
    assume((frame["value"] >= 0).any())
    model = fit(frame, **params)
    scores, data = model.score(), Interactions.from_table(frame)
    user, item = model.users.ids[0], model.items.ids[-1]
    why = model.explain(user=user, item=item)
    assert why.item == item
    assert why.contributions["contribution"].sum() + why.baseline == pytest.approx(
        scores[0, -1], abs=1e-6, rel=1e-6
    )
    mine = data.table().filter(pl.col("user") == user)
    assert sorted(why.contributions["item"]) == sorted(set(mine["item"]))
    summed = (
        mine.group_by("item").agg(pl.col("value").sum().cast(pl.Float64), pl.col("time").max()).sort("item")
    )
    assert why.contributions.select("item", "value", "time").sort("item").rows() == summed.rows()
    if not params:
        brute = sar(frame)
        for row in why.contributions.iter_rows(named=True):
            i, j = brute.items.index(row["item"]), brute.items.index(item)
            assert row["contribution"] == pytest.approx(brute.affinity[0, i] * brute.similarity[i, j])


def test_a_history_may_be_items_a_table_or_several_people() -> None:
    model = fit(rows(), half_life_days=4)
    near, ids = model.similarity_matrix(), model.items.ids.to_list()
    # Items alone: without values each counts 1, without times fully.
    close(model.score(histories=[[ids[3], ids[8], ids[3]]]), [2 * near[3] + near[8]])
    now = model.fitted.state.time_now
    table = {
        "user": ["zoe", "ann", "zoe"], "item": [ids[1], ids[2], ids[5]], "value": [4.0, 2.0, 3.0],
        "time": [now - 4 * DAY, now + 9 * DAY, now - 8 * DAY],
    }  # fmt: skip
    wanted = [2 * near[2], 2 * near[1] + 0.75 * near[5]]  # ann, zoe
    for histories in (pl.DataFrame(table), Interactions.from_table(table)):
        close(model.score(histories=histories), wanted)
        assert model.recommend(histories=histories, k=1)["user"].to_list() == ["ann", "zoe"]
    labelled = model.recommend(histories={"zoe": [ids[1]], "ann": [ids[2]]}, k=1)
    assert labelled["user"].to_list() == ["zoe", "ann"]
    close(model.explain(history=[ids[3], ids[8]], item=ids[0]).score, near[3, 0] + near[8, 0])


# --- update and forget --------------------------------------------------------------------------------------

events = tables(users=8, items=9, least=0, most=8, values=(-1.0, 0.0, 1.0, 3.0))
streams = st.lists(st.one_of(events, st.integers(0, 7)), min_size=1, max_size=5)
MODELS: dict[str, Callable[[], palate.Recommender]] = {
    "sar": lambda: SAR(precision="float64"),
    "fading sar": lambda: SAR(half_life_days=2, similarity="lift", precision="float64"),
    "normalised sar": lambda: SAR(normalise=True, similarity="cosine", half_life_days=3, precision="float64"),
    "sar with neighbours": lambda: SAR(neighbours=2, keep_counts=True, threshold=2, precision="float64"),
    "informed sar": lambda: SAR(similarity="mutual_information", time_now=5 * DAY, precision="float64"),
    "popularity": palate.Popularity,
    "recent popularity": lambda: palate.Popularity(half_life_days=2),
}


def named(table: dict[str, list[Any]]) -> pl.DataFrame:
    """Tell half of the dislikes by an event type instead of a value below zero."""
    frame = pl.DataFrame(
        table, schema={"user": pl.Int64, "item": pl.Int64, "value": pl.Float64, "time": pl.Int64}
    )
    by_name = (pl.col("value") < 0) & (pl.col("item") % 2 == 0)
    return frame.with_columns(
        event=pl.when(by_name).then(pl.lit("negative")).otherwise(pl.lit("view")),
        value=pl.when(by_name).then(0.0).otherwise("value"),
    )


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=30)
@given(first=tables(users=8, items=9, least=6, most=25, values=(-1.0, 0.0, 1.0, 3.0)), stream=streams)
def test_update_and_forget_equal_a_refit_on_random_streams(
    name: str, first: dict[str, list[Any]], stream: list[Any]
) -> None:
    train = named(first)
    assume((train.filter(pl.col("event") != "negative")["value"] >= 0).any())
    model = MODELS[name]().fit(Interactions.from_table(train))
    for change in stream:
        if isinstance(change, dict):
            more = named(change)
            if more.is_empty():
                continue
            train = pl.concat([train, more])
            model.update(more if len(more) % 2 else Interactions.from_table(more))
        elif change in train["user"]:
            rest = train.filter(pl.col("user") != change)
            if not ((rest["value"] >= 0) & (rest["event"] != "negative")).any():
                continue  # a refit would have nothing to like
            train = rest
            model.forget(change)
        refit = MODELS[name]().fit(Interactions.from_table(train))
        same_knowledge(model, refit)


def same_knowledge(model: palate.Recommender, refit: palate.Recommender) -> None:
    assert model.users == refit.users
    assert model.items == refit.items
    assert np.array_equal(model.popularity, refit.popularity)
    for part in ("indptr", "item", "value", "time"):
        assert np.array_equal(getattr(model.fitted.histories, part), getattr(refit.fitted.histories, part)), (
            part
        )
    for part, wanted in vars(refit.fitted.state).items():
        found = getattr(model.fitted.state, part)
        if isinstance(wanted, np.ndarray) and wanted.dtype.kind == "f":
            close(found, wanted)
        else:
            assert np.array_equal(found, wanted), part
    close(model.score(), refit.score())


def test_pruned_models_say_how_they_could_change() -> None:
    model = fit(rows(), neighbours=3)
    before = model.score()
    for change in (lambda: model.update(rows(1)), lambda: model.forget(1_000)):
        with pytest.raises(NotSupported, match="keep_counts = true"):
            change()
    assert np.array_equal(model.score(), before)


def test_the_last_user_cannot_be_forgotten() -> None:
    model = fit({"user": [1], "item": [1], "value": [1.0], "time": [1]})
    with pytest.raises(DataError, match="only user"):
        model.forget(1)
    assert model.score().tolist() == [[1.0]]


def test_a_forgotten_user_leaves_no_trace_in_the_folder(tmp_path: Path) -> None:
    table = rows(name_user=lambda u: f"person-{u:03d}", name_item=lambda i: f"thing-{i}")
    secret = pl.DataFrame({"user": ["secret-person"], "item": ["secret-thing"], "value": [1.0], "time": [1]})
    model = fit(pl.concat([table, secret])).forget("secret-person")
    folder = model.save(tmp_path / "model")
    for path in folder.iterdir():
        assert b"secret" not in path.read_bytes()
    assert (
        model.fitted.fingerprint != fit(table).fitted.fingerprint
    )  # a digest: its origin cannot be read back


def test_an_update_with_a_saved_and_loaded_model_is_the_same(tmp_path: Path) -> None:
    model = fit(rows(), half_life_days=2)
    loaded = SAR.load(model.save(tmp_path / "model"))
    same_knowledge(loaded.update(rows(1)).forget(1_000), model.update(rows(1)).forget(1_000))


@pytest.mark.parametrize("similarity", ["mutual_information", "lexicographers_mutual_information", "jaccard"])
def test_normalised_scores_stay_on_the_scale_also_where_similarities_are_negative(similarity: str) -> None:
    scores = fit(rows(), similarity=similarity, normalise=True).score()
    low, high = rows()["value"].min(), rows()["value"].max()
    assert scores.min() >= low - 1e-9
    assert scores.max() <= high + 1e-9


def test_an_explained_history_may_have_values_and_times() -> None:
    model = fit(rows(), half_life_days=5)
    past = Interactions.from_table(
        {
            "user": ["x", "x"],
            "item": [model.items.ids[0], model.items.ids[5]],
            "value": [4.0, 2.0],
            "time": [0, 40 * DAY],
        }
    )
    item = model.items.ids[11]
    explained = model.explain(history=past, item=item)
    assert explained.score == pytest.approx(float(model.score(histories=past, items=[item])[0, 0]), abs=1e-9)
