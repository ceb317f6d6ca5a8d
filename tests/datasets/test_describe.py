"""What a description says, against brute force; and each warning on data that deserves it."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate import datasets
from palate.datasets.describe import count, gini
from palate.interactions import Interactions


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_gini_is_the_mean_difference_of_two_draws_over_twice_the_mean(counts: list[int]) -> None:
    x = np.array(counts)
    brute = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert gini(x) == pytest.approx(brute, abs=1e-12)


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=300))
def test_histogram_and_curve_agree_with_a_plain_count(counts: list[int]) -> None:
    found = count(np.array(counts))
    assert sum(bar.count for bar in found.histogram) == len(counts)
    for bar in found.histogram:
        assert bar.count == sum(bar.low <= one <= bar.high for one in counts)
    ordered = sorted(counts, reverse=True)
    assert all(rows == ordered[rank - 1] for rank, rows in found.curve)
    assert found.curve[0][0] == 1
    assert found.curve[-1][0] == len(counts)
    assert len(found.curve) <= 60
    top = max(1, len(counts) // 100)
    assert found.top1_share == pytest.approx(sum(ordered[:top]) / sum(ordered))


EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=25)


@settings(deadline=None, max_examples=50)
@given(EVENTS)
def test_counts_and_ties_agree_with_brute_force(events: list[tuple[int, int, int]]) -> None:
    frame = pl.DataFrame(events, schema=["user", "item", "time"], orient="row")
    facts = datasets.describe(Interactions.from_table(frame))
    users = Counter(user for user, _, _ in events)
    pairs = {(user, item) for user, item, _ in events}
    assert (facts.rows, facts.users, facts.pairs) == (len(events), len(users), len(pairs))
    assert facts.density == pytest.approx(len(pairs) / (facts.users * facts.items))
    assert facts.repeated_share == pytest.approx(1 - len(pairs) / len(events))
    constant = len({time for _, _, time in events}) == 1
    assert facts.doubled == (0 if constant else len(events) - len(set(events)))
    gaps = []
    for user in users:
        times = sorted(time for one, _, time in events if one == user)
        gaps += [later - earlier for earlier, later in itertools.pairwise(times)]
    assert facts.times is not None
    assert facts.times.tied_share == pytest.approx(gaps.count(0) / len(gaps) if gaps else 0)


def test_a_description_is_plain_json_and_small() -> None:
    facts = datasets.describe(datasets.load("retail"))
    assert len(json.dumps(facts.to_dict())) < 10_000
    assert facts.baskets == 18_402
    assert facts.pairs == 266_221
    assert facts.times is not None
    assert (facts.times.first, facts.times.last) == ("2010-12-01", "2011-12-09")
    assert facts.times.tied_share == pytest.approx(0.96, abs=0.005)


def warnings_of(table: dict[str, object], **names: object) -> str:
    return "\n".join(datasets.describe(Interactions.from_table(table, **names)).warnings)  # type: ignore[arg-type]


def many(rows: int = 2_000, users: int = 100, seed: int = 0) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    user = np.arange(rows) % users
    return {
        "user": user,
        "item": (3 * user + 11 * (np.arange(rows) // users)) % 200,  # no pair twice
        "time": 1_300_000_000 + rng.integers(0, 40_000_000, rows),
    }


def test_ordinary_data_gives_no_warning() -> None:
    assert warnings_of(many()) == ""


def test_retail_warns_of_ties_repetitions_and_outliers() -> None:
    text = "\n".join(datasets.describe(datasets.load("retail")).warnings)
    assert "96% of consecutive events of a user share a timestamp (baskets)" in text
    assert "Evaluate by time or by basket" in text
    assert "31% of the rows repeat a pair" in text
    assert "80,995" in text


def test_each_trap_is_warned_of() -> None:
    table = many()
    assert "luck" in warnings_of({"user": [1, 2], "item": [1, 1]})
    assert "No times" in warnings_of({name: table[name] for name in ("user", "item")})
    assert "same time" in warnings_of(table | {"time": np.full(2_000, 1_300_000_000)})
    assert "places in a history" in warnings_of(table | {"time": np.arange(2_000)})
    assert "unit looks wrong" in warnings_of(table | {"time": np.asarray(table["time"]) * 100})
    assert "share a timestamp" in warnings_of(
        table | {"time": 1_300_000_000 + np.arange(2_000) // 1_000 * 86_400}
    )
    assert "order of a form" in warnings_of(table | {"time": 1_300_000_000 + np.arange(2_000) % 100 * 9_000})
    assert "Every value is 1" in warnings_of(table | {"value": np.ones(2_000)})
    assert "relevant_from" in warnings_of(table | {"value": np.arange(2_000) % 5 + 1})
    assert "outweigh" in warnings_of(table | {"value": np.r_[np.arange(1_999) % 30, 90_000]})
    assert "1,000 rows say 'not this'" in warnings_of(table | {"value": np.arange(2_000) % 2 * 2 - 1})
    assert "Half of the users have 1 rows or fewer" in warnings_of(table | {"user": np.arange(2_000)})
    assert "busiest 1 % of users" in warnings_of(
        table | {"user": np.where(np.arange(2_000) < 600, 0, table["user"])}
    )
    assert "top 1 % of items" in warnings_of(
        table | {"item": np.where(np.arange(2_000) < 600, 0, table["item"])}
    )
    assert "items occur once" in warnings_of(table | {"item": np.arange(2_000)})
    assert "repeat a pair" in warnings_of(table | {"item": np.zeros(2_000, int)})


def test_rows_that_are_there_twice_are_counted_and_the_remedy_is_named() -> None:
    once = {"user": [1, 1, 2, 2], "item": [1, 2, 1, 1], "time": [10, 20, 10, 20]}
    again = {name: [*column, column[0], column[0]] for name, column in once.items()}
    assert "another row again" not in warnings_of(once)
    assert "2 rows are another row again (same user, item and time)" in warnings_of(again)
    assert "--repeats first" in warnings_of(again)


def test_items_without_a_name_are_warned_of() -> None:
    from palate.catalogue import Catalogue

    data = Interactions.from_table(many())
    catalogue = Catalogue.from_table({"item": np.arange(50), "title": [str(n) for n in range(50)]})
    assert any(
        "catalogue lacks 150 of 200" in one for one in datasets.describe(data, catalogue=catalogue).warnings
    )


def test_event_types_are_counted() -> None:
    table = many() | {"event": ["click", "cart", "click", "buy"] * 500}
    assert datasets.describe(Interactions.from_table(table)).events == {
        "click": 1_000,
        "buy": 500,
        "cart": 500,
    }
