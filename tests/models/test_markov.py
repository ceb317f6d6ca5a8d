"""Markov: the formula by brute force, the limits in which it is a textbook chain, and a world that it must solve."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate import split
from palate.datasets.simulate import markov_world
from palate.errors import PalateWarning
from palate.evaluation import evaluate
from palate.interactions import Interactions
from palate.models.markov import Markov
from palate.models.popularity import Popularity
from palate.models.session_knn import SessionKNN
from tests.worlds import tables, world


def test_models_of_order_warn_of_rows_that_are_there_twice() -> None:
    once = {"user": [1, 1, 1, 2, 2], "item": [1, 2, 3, 2, 3], "time": [1, 2, 3, 1, 2]}
    Markov().fit(Interactions.from_table(once))
    again = Interactions.from_table({name: column * 2 for name, column in once.items()})
    for model in (Markov(), SessionKNN()):
        with pytest.warns(PalateWarning, match="5 of 10 rows are another row again.*--repeats first"):
            model.fit(again)
        model.fit(again.repeated("first"))
    Popularity().fit(again)


def by_hand(model: Markov, train: list[list[int]], history: list[int], n_items: int) -> np.ndarray:
    """Return the scores of a history, from the formula alone."""
    count: dict[int, Counter[int]] = defaultdict(Counter)
    for past in train:
        for at, a in enumerate(past):
            for d in range(1, model.window + 1):
                if at + d < len(past):
                    count[a][past[at + d]] += model.decay ** (d - 1)
                if at - d >= 0:
                    count[a][past[at - d]] += model.backward * model.decay ** (d - 1)
    everything = Counter(item for past in train for item in past)
    prior = np.array([everything[b] for b in range(n_items)]) / sum(everything.values())
    last = history[-model.last :]
    weights = model.fade ** np.arange(len(last))[::-1]
    scores = np.zeros(n_items)
    for a, weight in zip(last, weights / weights.sum(), strict=True):
        total = sum(count[a].values())
        row = np.array([count[a][b] for b in range(n_items)], float)
        mixed = total + model.smoothing
        scores += weight * ((row + model.smoothing * prior) / mixed if total > 0 else prior)
    return scores


@pytest.mark.filterwarnings("ignore:.*another row again")
@settings(max_examples=25, deadline=None)
@given(
    table=tables(least=2),
    window=st.integers(1, 4),
    backward=st.sampled_from([0.0, 0.3, 1.0]),
    smoothing=st.sampled_from([0.0, 2.0]),
)
def test_scores_are_the_formula(table: dict, window: int, backward: float, smoothing: float) -> None:
    data = Interactions.from_table(table)
    model = Markov(window=window, backward=backward, smoothing=smoothing, last=3, fade=0.5).fit(data)
    histories = data.histories()
    lists = [
        histories.item[a:b].tolist() for a, b in zip(histories.indptr, histories.indptr[1:], strict=False)
    ]
    expected = [by_hand(model, lists, one, data.n_items) for one in lists]
    np.testing.assert_allclose(model.score(), expected, rtol=1e-5, atol=1e-9)


def test_scores_are_probabilities_of_the_next_item() -> None:
    model = Markov().fit(world())
    assert model.score().sum(axis=1) == pytest.approx(np.ones(25))
    assert model.score(histories=[[5], [5, 0, -40]]).sum(axis=1) == pytest.approx(np.ones(2))


def test_with_one_step_and_no_smoothing_it_is_the_share_of_followers() -> None:
    data = Interactions.from_table(
        {"user": [1, 1, 2, 2, 3, 3], "item": [1, 2, 1, 2, 1, 3], "time": [1, 2, 1, 2, 1, 2]}
    )
    model = Markov(window=1, backward=0.0, smoothing=0.0, last=1).fit(data)
    assert model.score(histories=[[1]], items=[1, 2, 3])[0] == pytest.approx([0, 2 / 3, 1 / 3])


def test_order_matters_unless_both_ways_count_alike() -> None:
    data = Interactions.from_table({"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "time": [1, 2, 1, 2]})
    one_way = Markov(backward=0.0, smoothing=0.0).fit(data)
    assert one_way.similar([1])["similar"].to_list() == [2]
    assert one_way.similar([2]).is_empty()
    both = Markov(backward=1.0, smoothing=0.0).fit(data)
    assert both.similar([2])["similar"].to_list() == [1]


def test_much_smoothing_is_popularity() -> None:
    train = world(3)
    lists = Markov(smoothing=1e12).fit(train).recommend(exclude_seen=False, k=5)
    events = np.bincount(train.item)
    expected = sorted(range(len(events)), key=lambda i: (-events[i], i))[:5]
    for user in train.users.ids:
        assert train.items.encode(lists.filter(user=user)["item"]).tolist() == expected


def test_what_is_past_the_last_items_changes_nothing() -> None:
    model = Markov(last=2).fit(world())
    same = model.score(histories=[[5, 10, 15], [-40, 0, 10, 15]])
    assert np.array_equal(same[0], same[1])


def test_dislikes_neither_follow_nor_part_what_follows() -> None:
    liked = {"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "value": [1.0] * 4, "time": [1, 3, 1, 3]}
    both = {
        "user": [*liked["user"], 1, 2], "item": [*liked["item"], 9, 9],
        "value": [*liked["value"], -1.0, -1.0], "time": [*liked["time"], 2, 4],
    }  # fmt: skip
    told = Markov(window=1).fit(Interactions.from_table(both)).score(items=[1, 2])
    np.testing.assert_allclose(told, Markov(window=1).fit(Interactions.from_table(liked)).score(items=[1, 2]))


def test_it_solves_a_planted_chain_and_popularity_does_not() -> None:
    planted = markov_world(seed=4, users=2_000)
    parts = split.last_out(planted.interactions, valid=True)
    how = {"metrics": ["hit", "ndcg"], "k": 3, "bootstrap": 0}
    found = evaluate(Markov(window=1, last=1, backward=0.0, smoothing=0.1).fit(parts.train), parts, **how)
    histories = planted.interactions.histories()
    last = planted.interactions.items.decode(histories.item).to_numpy().reshape(-1, 20)
    oracle = np.mean([row[-1] in planted.best(row[:-1], 3) for row in last])
    assert found.estimate("hit@3").mean > 0.98 * oracle
    assert found.estimate("ndcg@3").mean > 0.98 * planted.ndcg(3) * oracle / planted.hit(3)
    assert evaluate(Popularity().fit(parts.train), parts, **how).estimate("hit@3").mean < 0.1 * oracle


def test_a_chain_of_order_two_is_beyond_it() -> None:
    planted = markov_world(seed=4, users=2_000, order=2)
    parts = split.last_out(planted.interactions, valid=True)
    found = evaluate(Markov().fit(parts.train), parts, metrics="hit", k=2, bootstrap=0).estimate("hit@2").mean
    assert found < 0.75 * planted.hit(2)
