import numpy as np
import plain_metrics
import pytest

from palate.evaluation import beyond
from palate.evaluation.beyond import Pairs
from palate.evaluation.keys import wanted

N_USERS, N_ITEMS, K = 30, 12, 5
random = np.random.default_rng(11)


def pairs_of(rows: list[list[int]], n_items: int = N_ITEMS) -> Pairs:
    rows = [sorted(set(row)) for row in rows]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Pairs(indptr, np.array([i for row in rows for i in row], np.int32), n_items)


histories = [list(random.choice(N_ITEMS - 1, random.integers(1, 6), replace=False)) for _ in range(N_USERS)]
histories[4] = []
train = pairs_of(histories)
item_users = {i: {u for u, row in enumerate(histories) if i in row} for i in range(N_ITEMS)}
top = np.stack([random.choice(N_ITEMS - 1, K, replace=False) for _ in range(N_USERS)]).astype(np.int32)
top[0] = -1
top[1, 1:] = -1
top[2, 3:] = -1
top[3, 1] = -1  # an empty place in the middle: an item that train lacks
hit = (random.random(top.shape) < 0.4) & (top >= 0)


def test_diversity_and_serendipity_equal_brute_force():
    found = beyond.diversity_and_serendipity(top, hit, train, train, (3, K))
    for k in (3, K):
        for u in range(N_USERS):
            items = [int(i) for i in top[u, :k] if i >= 0]
            pairs = [(i, j) for n, i in enumerate(items) for j in items[:n]]
            similar = [plain_metrics.cosine(item_users, i, j) for i, j in pairs]
            if pairs:
                assert found[f"diversity@{k}"][u] == pytest.approx(1 - np.mean(similar))
            else:
                assert np.isnan(found[f"diversity@{k}"][u])
            surprise = [
                float(hit[u, n])
                * (1 - np.mean([plain_metrics.cosine(item_users, int(i), j) for j in histories[u]] or [0.0]))
                for n, i in enumerate(top[u, :k])
                if i >= 0
            ]
            assert found[f"serendipity@{k}"][u] == pytest.approx(np.mean(surprise or [0.0]))


def test_a_list_of_one_items_twins_has_no_diversity():
    twins = pairs_of([[0, 1], [0, 1], [2]], 3)
    lists = np.array([[0, 1]], np.int32)
    found = beyond.diversity_and_serendipity(lists, np.ones((1, 2), bool), pairs_of([[2]], 3), twins, (2,))
    assert found["diversity@2"][0] == pytest.approx(0.0)
    assert found["serendipity@2"][0] == 1.0  # nothing in common with the past


def test_novelty_is_zero_for_what_everybody_has_and_grows_by_one_bit_a_halving():
    lists = np.array([[0, -1], [1, -1], [0, 1], [-1, -1]], np.int32)
    found = beyond.novelty(lists, np.array([8, 2]), 8)
    assert found[:3].tolist() == [0.0, 2.0, 1.0]
    assert np.isnan(found[3])


def test_novelty_leaves_out_items_that_nobody_has():
    lists = np.array([[0, 1], [1, -1]], np.int32)
    found = beyond.novelty(lists, np.array([2, 0]), 8)
    assert found[0] == 2.0
    assert np.isnan(found[1])


def test_gini_is_zero_for_equal_shares_and_near_one_for_one_item():
    assert beyond.gini(np.arange(10, dtype=np.int32).reshape(5, 2), 10) == pytest.approx(0.0)
    assert beyond.gini(np.full((5, 1), 3, np.int32), 10) == pytest.approx(9 / 10)


def test_gini_equals_the_mean_absolute_difference_form():
    counts = np.bincount(top[top >= 0], minlength=N_ITEMS)
    form = np.abs(counts[:, None] - counts).sum() / (2 * N_ITEMS**2 * counts.mean())
    assert beyond.gini(top, N_ITEMS) == pytest.approx(form)


def test_coverage_counts_distinct_items_and_users_with_a_list():
    assert beyond.coverage(top, N_ITEMS) == len({int(i) for i in top.ravel() if i >= 0}) / N_ITEMS
    assert beyond.user_coverage(top).sum() == N_USERS - 1


def test_popularity_lift_is_zero_when_lists_repeat_the_past():
    past = pairs_of([[0, 1], [2, 3]], 4)
    lists = np.array([[1, 0], [3, 2]], np.int32)
    measured = beyond.measure(wanted("popularity_lift", 2), lists, np.zeros((2, 2), bool), past, past)
    statistic = measured.ratios["popularity_lift@2"]
    assert statistic.of(statistic.columns.sum(axis=0)) == pytest.approx(0.0)


def test_popularity_lift_is_the_ratio_of_mean_popularities_less_one():
    measured = beyond.measure(wanted("popularity_lift", K), top, hit, train, train)
    statistic = measured.ratios[f"popularity_lift@{K}"]
    popular = train.popularity
    both = [u for u in range(N_USERS) if histories[u] and top[u, 0] >= 0]
    listed = np.mean([popular[[i for i in top[u] if i >= 0]].mean() for u in both])
    before = np.mean([popular[histories[u]].mean() for u in both])
    assert statistic.of(statistic.columns.sum(axis=0)) == pytest.approx(listed / before - 1)
    assert statistic.n == len(both)


def test_a_selection_of_pairs_keeps_order_and_gives_unknown_users_nothing():
    part = train.select(np.array([3, -1, 0]))
    assert part.items.tolist() == sorted(histories[3]) + sorted(histories[0])
    assert np.diff(part.indptr).tolist() == [len(histories[3]), 0, len(histories[0])]
