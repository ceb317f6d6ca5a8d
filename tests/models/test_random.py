"""Random: chance, and yet repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from palate import Random
from palate.errors import PlanError
from tests.worlds import world


def test_scores_hang_on_seed_user_and_item_alone() -> None:
    data = world()
    model = Random(seed=3).fit(data)
    scores = model.score()
    users, items = model.users.ids.to_list(), model.items.ids.to_list()
    assert np.array_equal(model.score(users=users[7:9], items=items[::-2]), scores[7:9, ::-2])
    assert np.array_equal(Random(seed=3).fit(data.select(np.arange(len(data))[::-1])).score(), scores)
    assert not np.isclose(Random(seed=4).fit(data).score(), scores).any()


def test_scores_are_uniform_and_of_no_pattern() -> None:
    scores = Random().fit(world(users=200, items=100, count=2_000)).score()
    assert ((scores >= 0) & (scores < 1)).all()
    counts = np.histogram(scores, bins=20, range=(0, 1))[0]
    # 20,000 numbers in 20 bins: chi-squared with 19 degrees of freedom stays below 43.8 in 999 of 1,000 cases.
    assert ((counts - 1_000) ** 2 / 1_000).sum() < 43.8
    first = np.bincount(scores.argmax(axis=1), minlength=100)
    assert first.max() < 12


def test_each_history_has_its_own_order_and_keeps_it() -> None:
    model = Random().fit(world())
    a, b = model.items.ids[[3, 8]]
    scores = model.score(histories=[[a], [b], [a, b], [b, a], [a]])
    assert np.array_equal(scores[0], scores[4])
    assert len({tuple(row) for row in scores[:4]}) == 4
    assert np.array_equal(model.score(histories=[[b]])[0], scores[1])


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "x"])
def test_seeds_are_whole_numbers_from_0(seed: object) -> None:
    with pytest.raises(PlanError, match="seed"):
        Random(seed=seed)


def test_the_largest_seed_works() -> None:
    assert Random(seed=2**63 - 1).fit(world()).recommend(k=1).height == 25
