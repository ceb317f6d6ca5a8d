"""Popularity against counting by hand. (Update and forget: with those of SAR.)"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from palate import Interactions, Popularity
from palate.errors import DataError
from tests.worlds import DAY, rows, tables


@given(tables(values=(-1.0, 0.0, 1.0, 5.0)), st.sampled_from([None, 0.5, 3.0]))
def test_scores_count_users_each_by_the_age_of_the_latest_choice(
    table: dict[str, list[Any]], half_life_days: float | None
) -> None:
    liked = [row for row in range(len(table["user"])) if table["value"][row] >= 0]
    assume(liked)
    latest: dict[tuple[int, int], int] = {}
    for row in liked:
        pair = table["user"][row], table["item"][row]
        latest[pair] = max(latest.get(pair, 0), table["time"][row])
    now = max(table["time"][row] for row in liked)
    wanted = dict.fromkeys(sorted(set(table["item"])), 0.0)
    for (_, item), time in latest.items():
        wanted[item] += 1.0 if half_life_days is None else 0.5 ** ((now - time) / (half_life_days * DAY))
    model = Popularity(half_life_days=half_life_days).fit(Interactions.from_table(table))
    np.testing.assert_allclose(model.score()[0], list(wanted.values()), rtol=1e-12)
    counts = [sum(item == other for _, other in latest) for item in wanted]
    assert model.popularity.tolist() == counts


def test_everybody_gets_the_same_list_less_what_they_have_seen() -> None:
    model = Popularity().fit(Interactions.from_table(rows()))
    order = model.recommend(users=[-1], k=20, unknown="popular")["item"].to_list()
    for user, seen in rows().group_by("user").agg("item").iter_rows():
        mine = model.recommend(users=[user], k=20)["item"].to_list()
        assert mine == [item for item in order if item not in seen]


def test_recent_popularity_forgets_the_old() -> None:
    table = {"user": [1, 2, 3, 4], "item": ["old", "old", "old", "new"], "time": [0, 0, 0, 30 * DAY]}
    data = Interactions.from_table(table)
    for half_life_days, first in ((None, "old"), (10, "new")):
        model = Popularity(half_life_days=half_life_days).fit(data)
        assert model.recommend(users=["?"], k=1, unknown="popular")["item"].to_list() == [first]


def test_fading_without_times_is_refused() -> None:
    with pytest.raises(DataError, match="name the time column"):
        Popularity(half_life_days=3).fit(Interactions.from_table(rows().drop("time")))


def test_times_before_1970_are_times() -> None:
    table = pl.DataFrame({"user": [1, 2], "item": [1, 2], "time": [-40 * DAY, -30 * DAY]})
    score = Popularity(half_life_days=10).fit(Interactions.from_table(table)).score()[0]
    np.testing.assert_allclose(score, [0.5, 1.0])
