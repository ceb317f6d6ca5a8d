"""What is drawn beside a click, and who learns from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from palate.models.news.reading import Lists  # noqa: E402
from palate.models.news.shown import Shown  # noqa: E402
from palate.models.news.training import Clicks  # noqa: E402


def clicks(sizes: list[int], clicked: list[int], negatives: int, judged: Shown | None = None) -> Clicks:
    """Impressions of so many candidates, of which so many, from the second on, were clicked; reader n is person n."""
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    hits = np.zeros(indptr[-1], bool)
    for start, n in zip(indptr, clicked, strict=False):
        hits[start + 1 : start + 1 + n] = True
    people = np.arange(len(sizes), dtype=np.int32)
    nothing = Lists(np.zeros(len(sizes) + 1, np.int64), np.empty(0, np.int32))
    shown = Shown(people, nothing, people, indptr, np.arange(indptr[-1], dtype=np.int32), hits)
    titles = Lists(np.arange(indptr[-1] + 1), np.zeros(indptr[-1], np.int32))
    return Clicks(torch.nn.Linear(1, 1), titles, shown, negatives, 4, 0.0, judged)


def drawn(task: Clicks, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    return task._drawn(np.arange(len(task.at)), np.random.default_rng(seed))


@pytest.mark.parametrize("negatives", [1, 4, 30, 31])
def test_the_others_are_distinct_and_unclicked_and_of_the_same_impression(negatives: int):
    task = clicks([33, 40, 300], [2, 1, 5], negatives)
    for seed in range(5):
        place, there = drawn(task, seed)
        assert place.shape == (8, 1 + negatives)
        assert there.all()  # each impression has as many
        assert (place[:, 0] == task.at).all()
        assert not task.shown.clicked[place[:, 1:]].any()
        assert (task.shown.row_of[place] == task.shown.row_of[place[:, :1]]).all()
        assert all(len(set(row)) == 1 + negatives for row in place.tolist())


def test_where_there_are_too_few_all_of_them_stand_once():
    task = clicks([3, 8, 2], [1, 1, 1], 50)
    place, there = drawn(task, 0)
    for row, (start, stop) in enumerate([(0, 3), (3, 11), (11, 13)]):
        assert sorted(place[row][there[row]].tolist()) == list(range(start, stop))


def test_each_other_is_drawn_as_often():
    task = clicks([11], [1], 3)
    count = np.zeros(11)
    rng = np.random.default_rng(0)
    for _ in range(2_000):
        np.add.at(count, task._drawn(np.zeros(1, np.int64), rng)[0][0], 1)
    assert count[1] == 2_000
    others = np.delete(count, 1)
    assert others.sum() == 6_000
    assert abs(others - 600).max() < 5 * np.sqrt(600 * 0.7)


def test_people_without_a_learned_click_are_judged_as_the_unknown_person():
    judged = clicks([4, 4, 4, 4], [1, 1, 1, 1], 1).shown
    # Of four people the second clicks everything and the third nothing, which teaches nothing.
    task = clicks([4, 4, 4, 4], [1, 3, 0, 2], 1, judged)
    task = Clicks(task.module, task.titles, task.shown, 1, 4, 0.0, judged)
    assert task.learners.tolist() == [0, 1, 3]
    assert task.judged is not None
    assert task.judged.user.tolist() == [0, 1, -1, 3]
