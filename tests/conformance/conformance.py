"""What every model must do, whatever it learns: one subclass of `Conformance` for each model.

    class TestMine(Conformance):
        model = Mine
        params = {"strength": 3}

Numbers are compared to the digit unless a name says otherwise.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numba
import numpy as np
import polars as pl
import pytest
import safetensors.numpy
from polars.testing import assert_frame_equal

import palate
from palate.catalogue import Catalogue
from palate.errors import (
    DataError,
    NotFitted,
    NotSupported,
    PalateWarning,
    PlanError,
    SavedModelError,
    UnknownId,
)
from palate.interactions import Interactions
from palate.models import registry
from palate.models.base import Recommender
from palate.report.toml import write
from palate.vocabulary import Vocabulary
from tests.worlds import DAY, checkerboard, rows, world

VERBS = ("similar", "similar_users", "explain", "rate", "update", "forget")

FRESH = """
import sys
import numpy as np, polars as pl, palate
folder = sys.argv[1]
model = palate.load_model(folder + "/model")
np.save(folder + "/scores.npy", model.score())
model.recommend(k=7).write_parquet(folder + "/lists.parquet")
again = palate.models.create(model.name, **model.params())
again.fit(palate.Interactions.from_table(pl.read_parquet(folder + "/train.parquet")))
np.save(folder + "/refitted.npy", again.score())
"""


def best(
    scores: np.ndarray, k: int, *, without: set[int] = frozenset(), only: set[int] | None = None
) -> list[int]:
    """Return the codes of the k best items: score descending, then id ascending."""
    listed = [i for i in range(len(scores)) if i not in without and (only is None or i in only)]
    return sorted(listed, key=lambda i: (-scores[i], i))[:k]


def toml(params: dict[str, Any]) -> str:
    return write({name: value for name, value in params.items() if value is not None})


class Conformance:
    """The facts. `model` is the class, `params` what it is made with."""

    model: ClassVar[type[Recommender]]
    params: ClassVar[dict[str, Any]] = {}
    rated: ClassVar[bool] = False
    """whether it learns from ratings with these parameters, where the class need not"""
    any_order: ClassVar[bool] = True
    """whether the answers to users do not hang on their order, which their names give"""
    stops_early: ClassVar[bool] = False
    """whether validation rows say when training stops, and so change the model"""
    needs_sequences: ClassVar[bool] = False
    """whether it learns what follows what, and so needs a user with two events, and an order that tells something"""
    single_precision: ClassVar[bool] = False
    """whether scores are float32 throughout, and so hang on who is asked with whom, in their last digit"""

    def make(self) -> Recommender:
        return self.model(**self.params)

    @pytest.fixture(scope="class")
    @classmethod
    def train(cls) -> Interactions:
        return world()

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, train: Interactions) -> Recommender:
        """Shared by tests that only ask."""
        return cls.model(**cls.params).fit(train)

    def table(self, columns: dict[str, Any], **more: Any) -> Interactions:
        """Make interactions; where the model learns from ratings and none are given, all are 4 and 5 in turn."""
        if self.needs_values():
            columns = {"value": [4.0 + n % 2 for n in range(len(columns["user"]))]} | columns
        return Interactions.from_table(columns, **more)

    def needs_values(self) -> bool:
        """Whether this one learns from ratings."""
        return self.model.needs_values or self.rated

    def folds_in(self) -> bool:
        """Whether this one can go by a history of somebody whom train lacks."""
        return self.make().folds_in

    def fingerprint(self, train: Interactions) -> str:
        """Return that of what `fit` was given."""
        return train.fingerprint

    def verbs(self) -> set[str]:
        """What this one can do with these parameters."""
        return {verb for verb in VERBS if self.make().can(verb)}

    # --- parameters -----------------------------------------------------------------------------------------

    def test_parameters_survive_json_and_toml(self) -> None:
        model = self.make()
        for text, read in ((json.dumps(model.params()), json.loads), (toml(model.params()), tomllib.loads)):
            again = registry.create(model.name, **read(text))
            assert again.params() == model.params()
            assert type(again) is self.model

    def test_a_misspelt_parameter_is_refused_with_the_right_one(self) -> None:
        for right in self.model.model_fields:
            wrong = right[:-2] + right[-1]
            with pytest.raises(PlanError, match=f"no parameter '{wrong}'. Did you mean '{right}'"):
                self.model(**{wrong: 1})

    def test_a_parameter_of_the_wrong_kind_is_named(self) -> None:
        for name in self.model.model_fields:
            with pytest.raises(PlanError, match=f"{self.model.name}: {name} = "):
                self.model(**{name: [object()]})

    def test_parameters_are_documented_and_cannot_be_changed(self) -> None:
        model = self.make()
        for name, field in self.model.model_fields.items():
            assert field.description, name
            with pytest.raises(ValueError, match="frozen"):
                setattr(model, name, field.default)

    def test_the_registry_knows_it(self) -> None:
        assert registry.get(self.model.name) is self.model
        assert self.model.name in registry.names()

    # --- learning -------------------------------------------------------------------------------------------

    def test_checkerboard_the_item_left_of_the_block_comes_first(self) -> None:
        train = checkerboard(rated=self.needs_values())
        model = self.make().fit(train)
        top = model.recommend(k=3)
        if self.model.learns_from_history and not self.needs_sequences:
            assert top.filter(pl.col("rank") == 1)["item"].to_list() == list(range(20))
        else:
            assert top.height == (40 if self.needs_values() else 60)  # two or ten are left for each

    def test_two_fits_agree_to_the_digit(self, train: Interactions, fitted: Recommender) -> None:
        again = self.make().fit(train)
        assert np.array_equal(again.score(), fitted.score())
        assert_frame_equal(again.recommend(), fitted.recommend())

    def test_one_thread_agrees_within_1e_6(self, train: Interactions, fitted: Recommender) -> None:
        threads = numba.get_num_threads()
        try:
            numba.set_num_threads(1)
            alone = self.make().fit(train).score()
        finally:
            numba.set_num_threads(threads)
        np.testing.assert_allclose(alone, fitted.score(), rtol=1e-6, atol=1e-9)

    def test_changing_or_removing_the_test_part_changes_nothing(self) -> None:
        whole = rows()
        first = whole["time"] < whole["time"].median()
        changed = whole.with_columns(
            item=pl.when(first).then("item").otherwise(pl.lit(999)),
            value=pl.when(first).then("value").otherwise(pl.lit(4.5)),
        )
        parts = [Interactions.from_table(table).select(first.to_numpy()) for table in (whole, changed)]
        alone = Interactions.from_table(whole.filter(first))
        later = [Interactions.from_table(table).select(~first.to_numpy()) for table in (whole, changed)]
        answers = [self.make().fit(part) for part in (*parts, alone)]
        if not self.stops_early:
            answers.extend(self.make().fit(alone, valid=part) for part in later)
        for model in answers:
            assert model.items == alone.items
            assert model.users == alone.users
            assert np.array_equal(model.score(), answers[0].score())
            assert_frame_equal(model.recommend(), answers[0].recommend())

    def test_fitting_again_on_other_ids_forgets_the_first(self, train: Interactions) -> None:
        other = world(3, users=9, items=12, name_user=lambda u: f"user {u}", name_item=lambda i: f"item {i}")
        twice, once = self.make().fit(train).fit(other), self.make().fit(other)
        assert np.array_equal(twice.score(), once.score())
        assert_frame_equal(twice.recommend(), once.recommend())

    def test_fitting_leaves_the_table_as_it_was(self) -> None:
        train = world(5)
        before = (
            train.fingerprint,
            [array.copy() for array in (train.user, train.item, train.value, train.time)],
        )
        self.make().fit(train).recommend()
        for array, then in zip((train.user, train.item, train.value, train.time), before[1], strict=True):
            assert np.array_equal(array, then)

    def test_nothing_but_negative_events_is_refused(self) -> None:
        train = Interactions.from_table(
            {"user": [1, 2], "item": [1, 2], "value": [-1.0, -1.0], "time": [1, 2]}
        )
        model = self.make()
        with pytest.raises(DataError, match="negative"):
            model.fit(train)
        with pytest.raises(NotFitted):
            model.recommend()

    @pytest.mark.filterwarnings("ignore:.*ratings :palate.errors.PalateWarning")
    @pytest.mark.parametrize("told", ["value", "event"])
    def test_negative_events_are_seen_but_are_no_likes(self, told: str) -> None:
        liked = rows().with_columns(event=pl.lit("view"))
        held = {tuple(row) for row in liked.select("user", "item").iter_rows()}
        users, items = sorted(set(liked["user"])), sorted(set(liked["item"]))
        dislikes = [(u, i) for u in users for i in items if (u, i) not in held][::9]
        disliked = pl.DataFrame(
            {
                "user": [u for u, _ in dislikes],
                "item": [i for _, i in dislikes],
                "value": [-3.0 if told == "value" else 3.0] * len(dislikes),
                "time": [liked["time"].max() + 90 * DAY] * len(dislikes),
                "event": ["view" if told == "value" else "negative"] * len(dislikes),
            },
            schema=liked.schema,
        )
        before = self.make().fit(Interactions.from_table(liked))
        after = self.make().fit(Interactions.from_table(pl.concat([liked, disliked])))
        assert np.array_equal(after.popularity, before.popularity)
        assert np.array_equal(after.score(), before.score())
        listed = after.recommend(k=len(items)).select("user", "item")
        assert not {tuple(row) for row in listed.iter_rows()} & set(dislikes)

    def test_values_of_zero_are_choices_and_break_nothing(self) -> None:
        table = rows().with_columns(value=pl.when(pl.col("user") == 1_000).then(0.0).otherwise("value"))
        model = self.make().fit(Interactions.from_table(table))
        assert np.isfinite(model.score()).all()
        seen = set(table.filter(pl.col("user") == 1_000)["item"])
        assert not seen & set(model.recommend(users=[1_000], k=20)["item"])

    def test_a_table_without_values_or_times_will_do(self) -> None:
        if self.needs_values():
            with pytest.raises(DataError, match="no value column"):
                self.make().fit(Interactions.from_table(rows().select("user", "item", "time")))
            model = self.make().fit(Interactions.from_table(rows().select("user", "item", "value")))
            assert np.isfinite(model.score()).all()
        elif self.params.get("half_life_days") is None:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                model = self.make().fit(Interactions.from_table(rows().select("user", "item")))
            assert model.reads_order == any("their order is taken" in str(one.message) for one in told)
            assert np.isfinite(model.score()).all()
            assert np.isfinite(model.recommend()["score"].to_numpy()).all()

    def test_one_user(self) -> None:
        train = Interactions.from_table({"user": [1, 1], "item": [1, 2], "value": [2.0, 4.0], "time": [1, 2]})
        model = self.make().fit(train)
        assert model.recommend().is_empty()
        assert model.recommend(exclude_seen=False).height == 2

    def test_one_item(self) -> None:
        columns = {"user": [1, 2], "item": [1, 1], "value": [2.0, 4.0], "time": [1, 2]}
        if self.needs_sequences:
            with pytest.raises(DataError, match="no user has two events"):
                self.make().fit(Interactions.from_table(columns))
            columns = {"user": [1, 1, 2], "item": [1, 1, 1], "time": [1, 2, 3]}
        model = self.make().fit(Interactions.from_table(columns))
        assert model.recommend().is_empty()
        assert model.recommend(exclude_seen=False)["item"].to_list() == [1, 1]

    def test_one_row(self) -> None:
        if self.needs_sequences:
            return
        train = Interactions.from_table({"user": ["a"], "item": ["x"], "value": [1.0], "time": [1]})
        model = self.make().fit(train)
        assert model.recommend(exclude_seen=False).height == 1
        assert np.isfinite(model.score()).all()

    # --- recommending ---------------------------------------------------------------------------------------

    @pytest.mark.parametrize("exclude_seen", [True, False])
    @pytest.mark.parametrize("k", [1, 6, 20, 1_000])
    def test_lists_are_the_sorted_scores(
        self, train: Interactions, fitted: Recommender, k: int, exclude_seen: bool
    ) -> None:
        scores = fitted.score()
        table = fitted.recommend(k=k, exclude_seen=exclude_seen)
        for code, user in enumerate(fitted.users.ids):
            seen = set(train.item[train.user == code].tolist()) if exclude_seen else set()
            listed = table.filter(pl.col("user") == user)
            wanted = best(scores[code], k, without=seen)
            assert listed["item"].to_list() == fitted.items.decode(np.array(wanted, int)).to_list()
            assert listed["rank"].to_list() == list(range(1, len(wanted) + 1))
            np.testing.assert_allclose(listed["score"], scores[code][wanted], rtol=1e-6)

    def test_ties_go_to_the_smaller_id(self) -> None:
        ids = [11, -5, 3, 40, 7]
        train = self.table(
            {
                "user": [u for u in range(5) for _ in ids[:4]],
                "item": [i for u in range(5) for i in ids if i != ids[u]],
                "time": [0] * 20,
            }
        )
        table = self.make().fit(train).recommend(k=5, exclude_seen=False)
        for user in range(5):
            part = table.filter(pl.col("user") == user)
            pairs = list(zip((-part["score"]).to_list(), part["item"].to_list(), strict=True))
            assert pairs == sorted(pairs)

    def test_candidates_limit_the_list_and_nothing_else(
        self, train: Interactions, fitted: Recommender
    ) -> None:
        scores = fitted.score()
        for only in ({19, 2, 11, 0}, {3}, set(range(20))):
            candidates = fitted.items.decode(np.array(sorted(only))).to_list()
            table = fitted.recommend(k=4, candidates=candidates)
            for code, user in enumerate(fitted.users.ids):
                wanted = best(
                    scores[code], 4, without=set(train.item[train.user == code].tolist()), only=only
                )
                listed = table.filter(pl.col("user") == user)["item"].to_list()
                assert listed == fitted.items.decode(np.array(wanted, int)).to_list()
        assert fitted.recommend(candidates=[]).is_empty()

    def test_candidates_that_train_lacks_are_refused(self, fitted: Recommender) -> None:
        with pytest.raises(UnknownId, match="12345"):
            fitted.recommend(candidates=[5, 12345])

    def test_where_limits_the_list_to_matching_items(self, train: Interactions) -> None:
        ids = train.items.ids
        catalogue = Catalogue.from_table({"item": ids[:15], "year": [1990 + code for code in range(15)]})
        model = self.make().fit(train, catalogue=catalogue)
        matching = ids[5:15].to_list()
        assert_frame_equal(
            model.recommend(k=6, where="year >= 1995"), model.recommend(k=6, candidates=matching)
        )
        assert_frame_equal(
            model.recommend(k=6, where="year >= 1995", candidates=ids[:8].to_list()),
            model.recommend(k=6, candidates=ids[5:8].to_list()),
        )

    def test_where_without_a_catalogue_says_what_to_do(self, fitted: Recommender) -> None:
        with pytest.raises(DataError, match="catalogue="):
            fitted.recommend(where="year > 1990")

    def test_an_empty_list_length_is_refused(self, fitted: Recommender) -> None:
        for k in (0, -1, 1.5):
            with pytest.raises(PlanError, match="at least 1"):
                fitted.recommend(k=k)  # type: ignore[arg-type]
            with pytest.raises(PlanError, match="at least 1"):
                fitted.recommend_codes(k=k)  # type: ignore[arg-type]

    def test_a_subset_in_any_order_gets_the_same_lists(self, fitted: Recommender) -> None:
        every = fitted.recommend(k=5)
        near: dict[str, Any] = {"abs_tol": 1e-5} if self.single_precision else {}
        asked = fitted.users.ids.to_list()[::-3]
        wanted = pl.concat([every.filter(pl.col("user") == user) for user in asked])
        assert_frame_equal(fitted.recommend(users=asked, k=5), wanted, **near)
        assert_frame_equal(fitted.recommend(users=pl.Series(asked), k=5), wanted, **near)
        assert_frame_equal(fitted.recommend(users=np.array(asked), k=5), wanted, **near)
        assert_frame_equal(
            fitted.recommend(users=asked[0], k=5), every.filter(pl.col("user") == asked[0]), **near
        )
        assert fitted.recommend(users=[asked[0]] * 2, k=5)["item"].to_list() == 2 * (
            every.filter(pl.col("user") == asked[0])["item"].to_list()
        )

    def test_scores_come_in_the_order_asked_for(self, fitted: Recommender) -> None:
        scores, ids = fitted.score(), fitted.items.ids.to_list()
        users = fitted.users.ids.to_list()
        for places in (list(range(20))[::-1], [4, 9, 1, 7], [7, 7, 3], [19]):
            part = fitted.score(users=users[::-1], items=[ids[place] for place in places])
            atol = 1e-6 * np.abs(scores).max() if self.single_precision else 0
            np.testing.assert_allclose(part, scores[::-1][:, places], rtol=1e-6, atol=atol)

    def test_codes_and_ids_tell_the_same(self, fitted: Recommender) -> None:
        users = np.array([4, 0, 11], np.int32)
        items, scores = fitted.recommend_codes(users, k=6)
        table = fitted.recommend(users=fitted.users.decode(users), k=6)
        assert fitted.items.decode(items[items >= 0]).to_list() == table["item"].to_list()
        assert np.array_equal(scores[items >= 0], table["score"].to_numpy())
        assert np.isneginf(scores[items < 0]).all()

    def test_lists_longer_than_the_catalogue_are_padded_in_codes(self, fitted: Recommender) -> None:
        items, scores = fitted.recommend_codes(np.array([0], np.int32), k=30, exclude_seen=False)
        assert sorted(items[0].tolist()) == [-1] * 10 + list(range(20))
        assert np.isneginf(scores[items < 0]).all()

    def test_rank_orders_candidates_by_score(self, fitted: Recommender) -> None:
        ids, scores = fitted.items.ids.to_list(), fitted.score()
        users = fitted.users.ids.to_list()
        table = fitted.rank([users[3], users[1]], [[ids[5], 777, ids[2], ids[9], 776], [ids[4]]])
        wanted = [ids[i] for i in best(scores[3], 3, only={5, 2, 9})]
        assert table["item"].to_list() == [*wanted, 777, 776, ids[4]]
        assert table["score"].is_null().to_list() == [False, False, False, True, True, False]
        assert table["rank"].to_list() == [1, 2, 3, 4, 5, 1]
        assert table["user"].to_list() == [users[3]] * 5 + [users[1]]
        assert fitted.rank([users[3], users[1]], [[], [ids[4]]])["item"].to_list() == [ids[4]]
        with pytest.raises(DataError, match="one list a context"):
            fitted.rank([users[3]], [])
        with pytest.raises(DataError, match="one list a context"):
            fitted.rank([], [])

    # --- people and items that train lacks ------------------------------------------------------------------

    def test_unknown_users_are_refused_skipped_or_given_the_popular(self, fitted: Recommender) -> None:
        user = fitted.users.ids[2]
        with pytest.raises(UnknownId, match=r"1 of 2 asked for \(-99\).*unknown = "):
            fitted.recommend(users=[user, -99])
        assert_frame_equal(
            fitted.recommend(users=[-99, user], unknown="skip"), fitted.recommend(users=[user])
        )
        popular = fitted.recommend(users=[-99, user], k=5, unknown="popular")
        assert_frame_equal(popular.filter(pl.col("user") == user), fitted.recommend(users=[user], k=5))
        strangers = popular.filter(pl.col("user") == -99)
        assert strangers.height == 5
        if self.model.learns_from_history:
            assert fitted.items.encode(strangers["item"]).tolist() == best(fitted.popularity, 5)
        with pytest.raises(PlanError, match="Did you mean 'popular'"):
            fitted.recommend(users=[-99], unknown="populr")  # type: ignore[arg-type]

    def test_a_table_or_a_data_set_will_do_to_fit(self) -> None:
        table = {"user": [1, 1, 2], "item": [1, 2, 2], "value": [4.0, 5.0, 4.0], "time": [1, 2, 3]}
        data = Interactions.from_table(table)
        names = Catalogue.from_table({"item": [1, 2], "name": ["a", "b"]})
        one, other = (
            self.make().fit(pl.DataFrame(table)),
            self.make().fit(palate.Dataset("mine", data, names)),
        )
        assert_frame_equal(one.recommend(), self.make().fit(data).recommend())
        assert other.catalogue is names

    @pytest.mark.filterwarnings("ignore:.*ratings :palate.errors.PalateWarning")
    def test_a_dislike_alone_says_nothing_of_likes(self) -> None:
        table = {"user": [1, 1, 2, 2, 3], "item": [1, 2, 1, 2, 3], "value": [1.0, 1.0, 1.0, 1.0, -1.0]}
        table["time"] = [1, 1, 1, 1, 1]
        fitted = self.make().fit(Interactions.from_table(table))
        if self.model.learns_from_history:
            with pytest.raises(UnknownId):
                fitted.recommend(users=[3])
            assert fitted.recommend(users=[3], unknown="popular")["item"].to_list() == [1, 2]
        assert 3 not in fitted.recommend(users=[3], unknown="popular")["item"].to_list()

    @pytest.mark.filterwarnings("ignore:.*ratings :palate.errors.PalateWarning")
    def test_event_types_named_negative_stay_so(self) -> None:
        table = {
            "user": [1, 1, 2, 2],
            "item": [1, 2, 2, 1],
            "event": ["buy", "hide", "buy", "buy"],
            "time": [1, 2, 3, 3],
        }
        fitted = self.make().fit(self.table(table, negative_events=["hide"]))
        if fitted.can("update"):
            more = {"user": [3, 3], "item": [1, 2], "event": ["buy", "hide"], "time": [4, 5]}
            assert fitted.update(more).popularity.tolist() == [3, 1]

    def test_a_catalogue_of_other_ids_is_refused_or_said(self) -> None:
        data = self.table({"user": [1, 1, 2], "item": [1, 2, 2], "time": [1, 2, 3]})
        with pytest.raises(DataError, match="same kind in both"):
            self.make().fit(data, catalogue=Catalogue.from_table({"item": ["1", "2"], "name": ["a", "b"]}))
        with pytest.warns(PalateWarning, match="none of train's items"):
            self.make().fit(data, catalogue=Catalogue.from_table({"item": [8, 9], "name": ["a", "b"]}))

    def test_an_id_of_the_other_kind_is_unknown(self, fitted: Recommender) -> None:
        with pytest.raises(UnknownId):
            fitted.recommend(users=["1000"])

    def test_an_empty_history_is_treated_as_an_unknown_user(self, fitted: Recommender) -> None:
        item = fitted.items.ids[1]
        if self.model.learns_from_history and self.folds_in():
            with pytest.raises(UnknownId, match="no known item"):
                fitted.recommend(histories=[[item], []])
            assert set(fitted.recommend(histories=[[item], []], unknown="skip")["user"]) == {0}
        answer = fitted.recommend(histories={1: [item], 2: []}, unknown="popular", k=3)
        assert answer["user"].to_list() == [1, 1, 1, 2, 2, 2]

    def test_a_model_that_cannot_go_by_a_history_names_one_that_can(self, fitted: Recommender) -> None:
        if self.folds_in():
            return
        item = fitted.items.ids[1]
        for ask in (
            lambda: fitted.recommend(histories=[[item]]),
            lambda: fitted.score(histories=[[item]]),
            lambda: fitted.rank([[item]], [[item]]),
            lambda: fitted.recommend_codes(histories=fitted.fitted.histories),
        ):
            with pytest.raises(NotSupported, match=r"ials.*unknown = .popular."):
                ask()
        assert fitted.recommend(histories=[[item]], unknown="skip").is_empty()
        answer = fitted.recommend(histories=[[item]], unknown="popular", k=5)
        code = int(fitted.items.encode([item])[0])
        assert fitted.items.encode(answer["item"]).tolist() == best(fitted.popularity, 5, without={code})

    def test_unknown_items_in_a_history_are_left_out_with_a_warning(self, fitted: Recommender) -> None:
        if not self.folds_in():
            return
        a, b = fitted.items.ids[3], fitted.items.ids[8]
        with pytest.warns(PalateWarning, match="1 of 3 history events"):
            with_unknown = fitted.recommend(histories=[[a, 4321, b]])
        assert_frame_equal(with_unknown, fitted.recommend(histories=[[a, b]]))
        if self.model.learns_from_history:
            with pytest.warns(PalateWarning), pytest.raises(UnknownId):
                fitted.recommend(histories=[[4321]])

    def test_a_history_is_not_recommended_back(self, fitted: Recommender) -> None:
        if not self.folds_in():
            return
        history = fitted.items.ids[[2, 5, 9]].to_list()
        table = fitted.recommend(histories=[history], k=20)
        assert table.height == 17
        assert not set(history) & set(table["item"])
        assert fitted.recommend(histories=[history], k=20, exclude_seen=False).height == 20

    def test_the_history_of_a_user_scores_as_the_user(self, train: Interactions, fitted: Recommender) -> None:
        if self.model.learns_from_history and self.folds_in():
            some = train.select(train.user % 4 == 1)
            of_users = fitted.score(users=some.users.ids)
            np.testing.assert_allclose(fitted.score(histories=some), of_users, rtol=1e-6)
            np.testing.assert_allclose(fitted.score(histories=some.table().to_pandas()), of_users, rtol=1e-6)

    def test_a_flat_history_is_refused_with_the_right_form(self, fitted: Recommender) -> None:
        if not self.folds_in():
            return
        with pytest.raises(DataError, match=r"give \[\[\.\.\.\]\]"):
            fitted.recommend(histories=[5, 10])

    def test_users_and_histories_together_are_refused(self, fitted: Recommender) -> None:
        with pytest.raises(PlanError, match="not both"):
            fitted.recommend(users=[1_000], histories=[[5]])

    def test_text_ids_come_back_as_they_went_in(self) -> None:
        named = {"name_user": lambda u: f'Änne {u}, "x"', "name_item": lambda i: f"{i:02d} \u2603\U0001f600"}
        text, number = (
            self.make().fit(world(**named)),
            self.make().fit(world(name_user=lambda u: 10 * u, name_item=lambda i: i)),
        )
        rename = {i: named["name_item"](i) for i in range(20)}
        users = sorted(range(25), key=named["name_user"])
        wanted = number.score()[users]
        if self.any_order:
            np.testing.assert_allclose(text.score(), wanted, rtol=1e-6)
        assert set(text.recommend(k=3)["item"]) <= set(rename.values())

    def test_the_ends_of_the_integers_are_ids(self) -> None:
        ids = [-(2**63), -1, 0, 2**63 - 1]
        pairs = [(u, i) for u in ids for i in ids if u != i]
        train = self.table(
            {"user": [u for u, _ in pairs], "item": [i for _, i in pairs], "time": [0] * len(pairs)}
        )
        table = self.make().fit(train).recommend(k=1)
        assert table["user"].to_list() == table["item"].to_list() == ids

    # --- verbs that not all have ----------------------------------------------------------------------------

    def test_verbs_need_a_fit(self, tmp_path: Path) -> None:
        model = self.make()
        asks: dict[str, Any] = {
            "recommend": model.recommend,
            "score": model.score,
            "rank": lambda: model.rank([1], [[1]]),
            "save": lambda: model.save(tmp_path / "model"),
            "users": lambda: model.users,
            "similar": lambda: model.similar([1]),
            "similar_users": lambda: model.similar_users([1]),
            "explain": lambda: model.explain(user=1, item=1),
            "rate": lambda: model.rate({"user": [1], "item": [1]}),
            "update": lambda: model.update({"user": [1], "item": [1]}),
            "forget": lambda: model.forget(1),
        }
        for verb, ask in asks.items():
            if verb not in VERBS or model.can(verb):
                with pytest.raises(NotFitted, match=r"fit\(train\)"):
                    ask()
        assert list(tmp_path.iterdir()) == []

    def test_a_verb_it_lacks_names_a_model_that_has_it(self, fitted: Recommender) -> None:
        asks: dict[str, Any] = {
            "similar": lambda: fitted.similar([0]),
            "similar_users": lambda: fitted.similar_users([1_000]),
            "explain": lambda: fitted.explain(user=1_000, item=0),
            "rate": lambda: fitted.rate({"user": [1_000], "item": [0]}),
            "update": lambda: fitted.update({"user": [1], "item": [1]}),
            "forget": lambda: fitted.forget(1_000),
        }
        for verb in set(VERBS) - self.verbs():
            with pytest.raises(
                NotSupported, match=f"{self.model.name} has no {verb}(?: with these parameters)?; "
            ) as error:
                asks[verb]()
            able = str(error.value).partition("; ")[2].removesuffix(" can.").split(" and ")
            assert able
            assert self.model.name not in able
            assert all(verb in registry.get(name).verbs for name in able)

    def test_similar_items_leave_the_item_itself_out(self, fitted: Recommender) -> None:
        if not fitted.can("similar"):
            return
        ids = fitted.items.ids.to_list()
        table = fitted.similar(ids[4:6], k=50)
        assert table.columns == ["item", "similar", "score", "rank"]
        for item in ids[4:6]:
            part = table.filter(pl.col("item") == item)
            assert part.height > 0
            assert set(part["similar"]) <= set(ids) - {item}
            assert (part["score"] != 0).all()  # what has nothing in common is not similar
            pairs = list(zip((-part["score"]).to_list(), part["similar"].to_list(), strict=True))
            assert pairs == sorted(pairs)
        with pytest.raises(UnknownId, match="4321"):
            fitted.similar([4321])
        with pytest.raises(PlanError, match="at least 1"):
            fitted.similar(ids[:1], k=0)

    def test_contributions_and_baseline_sum_to_the_score(self, fitted: Recommender) -> None:
        if not fitted.can("explain"):
            return
        scores, history = fitted.score(), fitted.items.ids[[3, 3, 12, 7]].to_list()
        ids = fitted.items.ids.to_list()
        for code in (0, 7, 13):
            for item in range(0, 20, 7):
                why = fitted.explain(user=fitted.users.ids[code], item=ids[item])
                total = why.contributions["contribution"].sum() + why.baseline
                assert total == pytest.approx(scores[code, item], rel=1e-6, abs=1e-6)
                assert why.score == pytest.approx(scores[code, item], rel=1e-6, abs=1e-6)
                effects = why.contributions["contribution"].abs().to_list()
                assert effects == sorted(effects, reverse=True)
        why = fitted.explain(history=history, item=ids[5], k=2)
        assert why.score == pytest.approx(fitted.score(histories=[history], items=[ids[5]])[0, 0], rel=1e-6)
        assert why.contributions.height == 2
        with pytest.raises(PlanError, match="either user"):
            fitted.explain(item=ids[0])
        if self.model.learns_from_history:
            with pytest.raises(UnknownId):
                fitted.explain(user=-99, item=ids[0])

    def test_update_and_forget_equal_a_refit(self) -> None:
        if "update" not in self.verbs():
            return
        old, new = rows(1), rows(2, users=27, items=22, count=60)
        catalogue = Catalogue.from_table({"item": [0, 5], "name": ["a", "b"]})
        changed = self.make().fit(Interactions.from_table(old), catalogue=catalogue)
        refit = self.make().fit(Interactions.from_table(pl.concat([old, new])))
        changed.update(new)
        assert changed.catalogue is catalogue
        assert (changed.users, changed.items) == (refit.users, refit.items)
        np.testing.assert_allclose(changed.score(), refit.score(), rtol=1e-6)
        gone = changed.users.ids[4]
        changed.forget(gone)
        refit = self.make().fit(Interactions.from_table(pl.concat([old, new]).filter(pl.col("user") != gone)))
        assert (changed.users, changed.items) == (refit.users, refit.items)
        np.testing.assert_allclose(changed.score(), refit.score(), rtol=1e-6)
        with pytest.raises(UnknownId, match="to forget"):
            changed.forget(gone)

    def test_a_refused_update_changes_nothing(self, train: Interactions) -> None:
        if "update" not in self.verbs():
            return
        model = self.make().fit(train)
        before = model.score()
        for events, reason in (
            ({"user": ["a"], "item": [0], "time": [1]}, "same kind"),
            ({"user": [1_000], "item": [0]}, "times"),
            ({"user": [1_000], "thing": [0]}, "no column 'item'"),
        ):
            with pytest.raises(DataError, match=reason):
                model.update(events)
        assert np.array_equal(model.score(), before)

    # --- files ----------------------------------------------------------------------------------------------

    @pytest.fixture(scope="class")
    @classmethod
    def fresh(
        cls, train: Interactions, fitted: Recommender, tmp_path_factory: pytest.TempPathFactory
    ) -> dict[str, Any]:
        """What another process, with one thread, answers from the folder, and after its own fit."""
        folder = tmp_path_factory.mktemp("fresh")
        fitted.save(folder / "model")
        train.table().write_parquet(folder / "train.parquet")
        alone = dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        subprocess.run(
            [sys.executable, "-c", FRESH, str(folder)], check=True, timeout=300, env=os.environ | alone
        )
        return {
            "scores": np.load(folder / "scores.npy"),
            "refitted": np.load(folder / "refitted.npy"),
            "lists": pl.read_parquet(folder / "lists.parquet"),
        }

    def test_a_fresh_process_answers_the_same_from_the_folder(
        self, fitted: Recommender, fresh: dict[str, Any]
    ) -> None:
        assert np.array_equal(fresh["scores"], fitted.score())
        assert_frame_equal(fresh["lists"], fitted.recommend(k=7))

    def test_a_fresh_process_with_one_thread_learns_the_same_to_rounding(
        self, fitted: Recommender, fresh: dict[str, Any]
    ) -> None:
        # torch adds up some gradients by thread, and training carries the last digit of a float32 on.
        near = 1e-4 if self.single_precision else 1e-6
        scores = fitted.score()
        atol = near * np.abs(scores).max() if self.single_precision else 1e-9
        np.testing.assert_allclose(fresh["refitted"], scores, rtol=near, atol=atol)

    def test_a_loaded_model_is_the_model(self, train: Interactions, tmp_path: Path) -> None:
        catalogue = Catalogue.from_table({"item": train.items.ids, "year": range(20)})
        model = self.make().fit(train, catalogue=catalogue)
        assert model.save(tmp_path / "new" / "model") == tmp_path / "new" / "model"
        for loaded in (
            self.model.load(tmp_path / "new" / "model"),
            palate.load_model(str(tmp_path / "new" / "model")),
        ):
            assert loaded.params() == model.params()
            assert (loaded.users, loaded.items) == (model.users, model.items)
            assert np.array_equal(loaded.popularity, model.popularity)
            assert loaded.fitted.fingerprint == self.fingerprint(train)
            assert_frame_equal(loaded.recommend(where="year > 9"), model.recommend(where="year > 9"))
            if model.can("update"):
                loaded.update(rows(9))
        if model.can("update"):
            assert np.array_equal(loaded.score(), model.update(rows(9)).score())

    def test_another_class_refuses_the_folder(self, fitted: Recommender, tmp_path: Path) -> None:
        other = next(registry.get(name) for name in registry.names() if name != self.model.name)
        fitted.save(tmp_path / "model")
        with pytest.raises(SavedModelError, match="load_model"):
            other.load(tmp_path / "model")

    def test_saving_again_replaces_the_earlier_model(
        self, train: Interactions, fitted: Recommender, tmp_path: Path
    ) -> None:
        self.make().fit(world(7)).save(tmp_path / "model")
        fitted.save(tmp_path / "model")
        assert np.array_equal(palate.load_model(tmp_path / "model").score(), fitted.score())
        assert [path.name for path in tmp_path.iterdir()] == ["model"]

    def test_a_place_that_is_not_a_model_is_left_alone(self, fitted: Recommender, tmp_path: Path) -> None:
        for name, content in (("notes.txt", "mine"), ("model.json/x", "{}")):
            folder = tmp_path / name.replace("/", "-")
            path = folder / name.partition("/")[0]
            folder.mkdir()
            path.write_text(content)
            (folder / "precious").write_text("data")
            with pytest.raises(SavedModelError, match="give a new folder"):
                fitted.save(folder)
            with pytest.raises(SavedModelError, match="give a new folder"):
                fitted.save(path)
            assert path.read_text() == content
            assert (folder / "precious").read_text() == "data"

    def test_a_changed_byte_anywhere_is_refused(self, fitted: Recommender, tmp_path: Path) -> None:
        folder = fitted.save(tmp_path / "model")
        files = sorted(folder.iterdir())
        assert "model.json" in [path.name for path in files]
        for path in files:
            content = path.read_bytes()
            for place in (0, len(content) // 3, len(content) // 2, len(content) - 2):
                path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
                with pytest.raises(SavedModelError, match="fit and save"):
                    palate.load_model(folder)
            path.write_bytes(content)
        palate.load_model(folder)

    def test_a_torn_folder_is_refused(self, fitted: Recommender, tmp_path: Path) -> None:
        folder = fitted.save(tmp_path / "model")
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
            with pytest.raises(SavedModelError):
                palate.load_model(folder)
            path.unlink()
            with pytest.raises(SavedModelError):
                palate.load_model(folder)
            path.write_bytes(content)
        shutil.rmtree(folder)
        with pytest.raises(SavedModelError, match="no saved model"):
            palate.load_model(folder)

    @pytest.mark.parametrize("earlier", [True, False])
    @pytest.mark.parametrize("stop", ["full disk", "interrupt", "interrupt between the renames"])
    def test_a_stopped_save_leaves_what_was_there(
        self,
        fitted: Recommender,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        stop: str,
        earlier: bool,
    ) -> None:
        folder = tmp_path / "model"
        before = self.make().fit(world(7))
        if earlier:
            before.save(folder)

        def full(_: Any, path: Path) -> None:
            Path(path).write_bytes(b"half a f")
            raise OSError(errno.ENOSPC, "No space left on device")

        def interrupt(_: Any, path: Path) -> None:
            Path(path).write_bytes(b"half a f")
            raise KeyboardInterrupt

        def interrupt_once(source: Path, target: Path, *, rename: Any = os.replace) -> None:
            if Path(target) == folder:
                monkeypatch.undo()
                raise KeyboardInterrupt
            rename(source, target)

        place, name, stopped = {
            "full disk": (safetensors.numpy, "save_file", full),
            "interrupt": (Vocabulary, "save", interrupt),
            "interrupt between the renames": (os, "replace", interrupt_once),
        }[stop]
        monkeypatch.setattr(place, name, stopped)
        with pytest.raises((SavedModelError, KeyboardInterrupt)) as error:
            fitted.save(folder)
        monkeypatch.undo()
        assert isinstance(error.value, KeyboardInterrupt) or "No space left" in str(error.value)
        assert [path.name for path in tmp_path.iterdir()] == (["model"] if earlier else [])
        if earlier:
            assert np.array_equal(palate.load_model(folder).score(), before.score())

    def test_nothing_is_said_that_nobody_asked_for(
        self, train: Interactions, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = self.make().fit(train)
            model.recommend()
            model.save(tmp_path / "model")
        captured = capfd.readouterr()
        assert captured.out + captured.err == ""
