"""Slices: every user in one part, recall counted by hand, curves from nothing to all."""

from __future__ import annotations

import numpy as np
import pytest

from palate.report import slices


def test_parts_by_activity_hold_every_user_once_and_their_mean_is_the_whole_mean() -> None:
    random = np.random.default_rng(3)
    rows = random.geometric(0.05, 500) - 1
    values = random.random(500)
    parts = slices.by_activity({"a": values}, rows)
    assert sum(part.users for part in parts) == 500
    assert parts[0].label == "new"
    assert sum(part.users * part.metrics["a"].value for part in parts) / 500 == pytest.approx(values.mean())


def test_users_who_all_have_as_many_rows_are_one_part() -> None:
    parts = slices.by_activity({"a": np.ones(10)}, np.full(10, 7))
    assert [(part.label, part.users) for part in parts] == [("7", 10)]


def test_recall_by_popularity_equals_a_count_by_hand() -> None:
    random = np.random.default_rng(5)
    n_users, n_items, k = 30, 40, 5
    popularity = np.sort(random.geometric(0.05, n_items))[::-1]
    top = np.array([random.choice(n_items, k, replace=False) for _ in range(n_users)])
    top[0, 2:] = -1
    pairs = sorted({(int(random.integers(n_users)), int(random.integers(-1, n_items))) for _ in range(200)})
    truth = slices.Truth(np.array([user for user, _ in pairs]), np.array([item for _, item in pairs]))
    third = np.minimum(3 * (np.cumsum(popularity) - popularity) // popularity.sum(), 2)
    for place, part in enumerate(slices.by_popularity({"a": top}, truth, popularity)):
        recalls = []
        for user in range(n_users):
            relevant = {item for u, item in pairs if u == user and item >= 0 and third[item] == place}
            if relevant:
                recalls.append(len(relevant & set(top[user].tolist())) / len(relevant))
        assert part.users == len(recalls)
        assert part.metrics["a"].value == pytest.approx(np.mean(recalls))
        assert part.items == int((third == place).sum())


def test_long_tail_curves_run_from_nothing_to_all_and_never_fall() -> None:
    popularity = np.array([50, 30, 10, 5, 5])
    tops = {"popular": np.array([[0, 1], [0, 1]]), "none": np.full((2, 2), -1)}
    curves = slices.long_tail(tops, slices.Truth(np.array([0, 1]), np.array([4, -1])), popularity)
    assert [curve.label for curve in curves] == ["popular", slices.TAKEN]
    for curve in curves:
        assert curve.points[0] == (0.0, 0.0)
        assert curve.points[-1] == (1.0, 1.0)
        assert all(a[1] <= b[1] for a, b in zip(curve.points, curve.points[1:], strict=False))
    assert dict(curves[0].points)[0.4] == 1.0
    assert dict(curves[1].points)[0.8] == 0.0


def test_the_timeline_counts_every_row_once() -> None:
    random = np.random.default_rng(1)
    times = {"train": random.integers(0, 10_000, 300), "test": random.integers(5_000, 20_000, 100)}
    found = slices.timeline(times)
    assert sum(part.train for part in found) == 300
    assert sum(part.test for part in found) == 100
    assert sum(part.valid for part in found) == 0
    assert slices.timeline({"train": np.zeros(0, np.int64)}) == []
    assert [part.train for part in slices.timeline({"train": np.full(9, 5)})] == [9]
