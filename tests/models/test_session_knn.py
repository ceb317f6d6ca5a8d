"""Session kNN: the formula by brute force, and what order, likeness and one's own history do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate import split
from palate.datasets.simulate import markov_world
from palate.evaluation import evaluate
from palate.interactions import Interactions
from palate.kernels.sessions import last_places, neighbours
from palate.models.session_knn import SessionKNN
from tests.worlds import tables, world


def by_hand(model: SessionKNN, sessions: list[list[int]], history: list[int], n_items: int) -> np.ndarray:
    """Return the scores of a history, from the formula alone."""
    latest: dict[int, int] = {}
    for back, item in enumerate(history[::-1][: model.last]):
        latest.setdefault(item, back)
    having = [sum(item in session for session in sessions) for item in range(n_items)]
    weight = {
        item: model.fade**back * np.log1p(len(sessions) / having[item]) ** model.rarity
        for item, back in latest.items()
    }
    likeness = [
        len(session) ** -model.length * sum(weight.get(item, 0.0) for item in set(session))
        if session
        else 0.0
        for session in sessions
    ]
    chosen = sorted(range(len(sessions)), key=lambda u: (-round(likeness[u], 12), u))[: model.neighbours]
    long, many = max(map(len, sessions)), max(having)
    least = (
        long**-model.length * model.fade ** (model.last - 1) * np.log1p(len(sessions) / many) ** model.rarity
    )
    least *= (model.backward or 1.0) * model.decay ** (model.window - 1)
    scores = min(1e-6, least / 2) * np.array(having) / many
    for u in chosen:
        if likeness[u] > 0:
            shared = min((item for item in sessions[u] if item in latest), key=lambda item: latest[item])
            anchor = max(place for place, item in enumerate(sessions[u]) if item == shared)
            for place, item in enumerate(sessions[u]):
                distance = abs(place - anchor)
                if 0 < distance <= model.window:
                    side = 1.0 if place > anchor else model.backward
                    scores[item] += likeness[u] * side * model.decay ** (distance - 1)
    return scores


@pytest.mark.filterwarnings("ignore:.*another row again")
@settings(max_examples=25, deadline=None)
@given(
    table=tables(least=2),
    window=st.integers(1, 4),
    backward=st.sampled_from([0.0, 0.3]),
    neighbours=st.integers(1, 4),
)
def test_scores_are_the_formula(table: dict, window: int, backward: float, neighbours: int) -> None:
    data = Interactions.from_table(table)
    # a rarity and a fade that seldom give two histories the same likeness by different sums
    how = {"last": 3, "fade": 0.7, "rarity": 0.61, "length": 0.37}
    model = SessionKNN(window=window, backward=backward, neighbours=neighbours, **how).fit(data)
    histories = data.histories()
    lists = [
        histories.item[a:b].tolist() for a, b in zip(histories.indptr, histories.indptr[1:], strict=False)
    ]
    expected = [by_hand(model, lists, one, data.n_items) for one in lists]
    np.testing.assert_allclose(model.score(), expected, rtol=1e-9, atol=1e-12)


def test_a_history_in_train_adds_to_its_own_items_alone() -> None:
    data = Interactions.from_table(
        {"user": [1, 1, 1, 2, 2], "item": [1, 2, 3, 7, 8], "time": [1, 2, 3, 1, 2]}
    )
    model = SessionKNN().fit(data)
    assert model.score(users=[1])[0, 3:].tolist() == [1e-6, 1e-6]  # as popular as any: nobody votes
    assert model.recommend(users=[2], k=5)["score"].to_list() == [1e-6] * 3


def test_the_faintest_vote_counts_more_than_popularity() -> None:
    """Twenty places from the shared item, with votes that fade to a billionth: still before what is popular."""
    far = [*range(1, 21), 50]
    rows = [(0, item, place) for place, item in enumerate(far)]
    rows += [(user, 99, 0) for user in range(1, 40)]
    user, item, time = (list(column) for column in zip(*rows, strict=True))
    model = SessionKNN(decay=0.4, window=20, backward=0.01, fade=0.3).fit(
        Interactions.from_table({"user": user, "item": item, "time": time})
    )
    scores = model.score(histories=[[1]], items=[50, 99])[0]
    assert scores[0] > scores[1] > 0
    assert model.score(histories=[[50]], items=[1, 99])[0].argmax() == 0


def test_what_came_after_the_shared_item_goes_before_what_came_before_it() -> None:
    data = Interactions.from_table({"user": [1, 1, 1, 2], "item": [5, 6, 7, 9], "time": [1, 2, 3, 1]})
    scores = SessionKNN(backward=0.25, decay=0.5).fit(data).score(histories=[[6]], items=[5, 7])[0]
    assert scores[0] == pytest.approx(0.25 * scores[1], abs=1e-6)


def test_fewer_neighbours_are_the_likest_ones() -> None:
    data = Interactions.from_table(
        {
            "user": [1, 1, 1, 2, 2, 2, 3],
            "item": [1, 2, 8, 2, 5, 9, 5],
            "time": [1, 2, 3, 1, 2, 3, 1],
        }
    )
    listed = SessionKNN(neighbours=1).fit(data).recommend(histories=[[1, 2]], k=2)
    assert listed["item"].to_list() == [8, 5]  # 5 and 9 are of the second likest: 5 is more popular
    assert listed["score"].to_list()[1] == 1e-6
    both = SessionKNN(neighbours=2).fit(data).recommend(histories=[[1, 2]], k=3)
    assert both["item"].to_list() == [8, 5, 9]
    assert both["score"].min() > 1e-3


def test_similar_is_what_a_history_of_one_item_would_get() -> None:
    model = SessionKNN().fit(world(2))
    item = model.items.ids[4]
    votes = dict(zip(model.items.ids, model.score(histories=[[item]])[0], strict=True))
    similar = model.similar([item], k=19)
    assert similar["score"].to_numpy() == pytest.approx([votes[one] for one in similar["similar"]], abs=2e-6)
    assert {one for one in votes if votes[one] > 1e-6} - {item} == set(similar["similar"])


def test_it_finds_most_of_a_planted_chain() -> None:
    planted = markov_world(seed=4, users=2_000)
    parts = split.last_out(planted.interactions, valid=True)
    model = SessionKNN(backward=0.0, window=1, last=1, neighbours=1_000).fit(parts.train)
    found = evaluate(model, parts, metrics="hit", k=3, bootstrap=0).estimate("hit@3").mean
    assert found > 0.95 * planted.hit(3)


def test_a_likeness_too_small_for_a_number_meets_nobody_twice() -> None:
    # 0.3 ** 620 is 0 in float64: every user has all items, and the oldest of them weigh nothing.
    n = 700
    indptr, item = np.arange(3) * n, np.tile(np.arange(n, dtype=np.int32), 2)
    weight = 0.3 ** np.arange(n)[::-1].astype(np.float64)
    weight[-1:] = 0.0  # so is the latest
    rows, user, last = last_places(indptr, item, n)
    near, anchor = neighbours(np.arange(n, dtype=np.int32), weight, rows, user, last, np.ones(2), 2)
    assert near.tolist() == [0, 1]
    assert anchor.tolist() == [n - 1, 2 * n - 1]
