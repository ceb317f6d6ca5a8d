"""Small made-up interactions for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from hypothesis import strategies as st

from palate.interactions import Interactions

DAY = 86_400


def rows(
    seed: int = 0,
    *,
    users: int = 25,
    items: int = 20,
    count: int = 300,
    name_user: Callable[[int], Any] = lambda code: 1_000 + 7 * code,
    name_item: Callable[[int], Any] = lambda code: 5 * code - 40,
) -> pl.DataFrame:
    """Return rows in no order, with repeated pairs, ties in time, ratings 0 to 5; every user and every item occurs."""
    rng = np.random.default_rng(seed)
    user = np.r_[np.arange(users), rng.integers(0, users, count)]
    item = np.r_[np.arange(users) % items, (items * rng.random(count) ** 2).astype(int)]
    user, item = np.r_[user, np.arange(items) % users], np.r_[item, np.arange(items)]
    order = rng.permutation(len(user))
    return pl.DataFrame(
        {
            "user": [name_user(int(u)) for u in user[order]],
            "item": [name_item(int(i)) for i in item[order]],
            "value": rng.integers(0, 6, len(user)).astype(float),
            "time": rng.integers(0, 40, len(user)) * DAY // 2 + 1_000_000_000,
        }
    )


def world(seed: int = 0, **more: Any) -> Interactions:
    """Return `rows` as interactions."""
    return Interactions.from_table(rows(seed, **more))


def checkerboard(n: int = 20, *, rated: bool = False) -> Interactions:
    """Even users chose the even items and odd ones the odd, each all but the one of their own number.

    After the tests of Ben Frederickson's `implicit`: the one sensible item left for a user is their own. Where
    they have `rated`, they gave these 5 and the others 1, but for one neighbour of their own number.
    """
    if rated:
        pairs = [(u, i) for u in range(n) for i in range(n) if i not in (u, u ^ 1)]
        user, item = zip(*pairs, strict=True)
        value = [5.0 if u % 2 == i % 2 else 1.0 for u, i in pairs]
        return Interactions.from_table({"user": user, "item": item, "value": value, "time": [0] * len(pairs)})
    pairs = [(u, i) for u in range(n) for i in range(n) if u % 2 == i % 2 and u != i]
    user, item = zip(*pairs, strict=True)
    return Interactions.from_table({"user": user, "item": item, "time": [0] * len(pairs)})


@st.composite
def tables(
    draw: st.DrawFn,
    *,
    users: int = 6,
    items: int = 7,
    least: int = 1,
    most: int = 40,
    values: tuple[float, ...] = (0.0, 1.0, 2.0, 5.0),
    times: bool = True,
) -> dict[str, list[Any]]:
    """Draw the columns of a small table: few users, items, days, so that repeats and ties are common."""
    n = draw(st.integers(least, most))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    table = {
        "user": column(st.integers(0, users - 1)),
        "item": column(st.integers(0, items - 1)),
        "value": column(st.sampled_from(values)),
    }
    if times:
        table["time"] = [day * DAY for day in column(st.integers(0, 9))]
    return table
