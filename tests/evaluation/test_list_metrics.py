import numpy as np
import plain_metrics
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.errors import DataError
from palate.evaluation.ranking import Relevant, auc_values, hits, list_values

N_ITEMS = 40


def relevant(sets: list[set[int]], unknown: list[int] | None = None) -> Relevant:
    unknown = unknown or [0] * len(sets)
    rows = [(u, i) for u, items in enumerate(sets) for i in items]
    rows += [(u, -1) for u, extra in enumerate(unknown) for _ in range(extra)]
    user, item = np.array(rows, np.int32).T
    return Relevant.of_pairs(user, item, len(sets))


def lists(rows: list[list[int]], places: int) -> np.ndarray:
    top = np.full((len(rows), places), -1, np.int32)
    for u, row in enumerate(rows):
        top[u, : len(row)] = row[:places]
    return top


def test_a_list_worked_by_hand():
    # Hits at places 1 and 3 of 4; three items are relevant.
    found = list_values(lists([[5, 8, 6, 9]], 4), relevant([{5, 6, 7}]), (2, 4))
    assert found["precision@4"][0] == 2 / 4
    assert found["recall@4"][0] == pytest.approx(2 / 3)
    assert found["map@4"][0] == pytest.approx((1 / 1 + 2 / 3) / 3)
    assert found["map@2"][0] == pytest.approx(1 / 2)  # divisor min(2, 3)
    assert found["map_all@2"][0] == pytest.approx(1 / 3)  # divisor 3
    assert found["mrr@4"][0] == 1.0
    assert found["hit@2"][0] == 1.0
    assert found["ndcg@4"][0] == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3) + 1 / 2))
    assert found["ndcg@2"][0] == pytest.approx(1 / (1 + 1 / np.log2(3)))
    assert found["r_precision"][0] == pytest.approx(2 / 3)


def test_a_perfect_list_scores_one_even_with_fewer_relevant_items_than_places():
    found = list_values(lists([[3, 1, 7, 8, 9]], 5), relevant([{1, 3}]), (5,))
    assert found["ndcg@5"][0] == found["map@5"][0] == found["recall@5"][0] == found["r_precision"][0] == 1.0


def test_a_user_without_a_list_scores_zero_everywhere():
    found = list_values(lists([[]], 5), relevant([{1, 3}]), (1, 5))
    assert all(value[0] == 0.0 for value in found.values())


def test_relevant_items_that_no_list_can_hold_count_as_misses():
    found = list_values(lists([[1]], 5), relevant([{1}], unknown=[3]), (5,))
    assert found["recall@5"][0] == found["map_all@5"][0] == found["r_precision"][0] == 1 / 4


def test_users_without_a_relevant_item_are_refused():
    with pytest.raises(DataError, match="without a relevant item"):
        Relevant.of_pairs(np.array([0]), np.array([3]), 2)


users = st.lists(
    st.tuples(
        st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=N_ITEMS),
        st.sets(st.integers(0, N_ITEMS - 1), min_size=1),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None)
@given(users)
def test_list_metrics_equal_brute_force(drawn):
    rows, sets, unknown = (list(column) for column in zip(*drawn, strict=True))
    truth = relevant(sets, unknown)
    found = list_values(lists(rows, N_ITEMS + 3), truth, (1, 3, 10, 50))
    for u in range(len(rows)):
        everything = sets[u] | {-n for n in range(1, unknown[u] + 1)}
        for k in (1, 3, 10, 50):
            for key, value in plain_metrics.list_metrics(rows[u], everything, k).items():
                assert found[key][u] == pytest.approx(value, abs=1e-12), key


@settings(deadline=None)
@given(users)
def test_every_list_metric_lies_between_zero_and_one(drawn):
    rows, sets, _ = (list(column) for column in zip(*drawn, strict=True))
    for value in list_values(lists(rows, 10), relevant(sets), (1, 5, 10)).values():
        assert ((value >= 0) & (value <= 1)).all()


def test_hits_say_where_the_relevant_items_stand():
    found = hits(lists([[5, 8, 6], []], 3), relevant([{6, 5}, {1}]))
    assert found.tolist() == [[True, False, True], [False, False, False]]


def test_a_selection_of_users_has_their_relevant_items():
    part = relevant([{1, 4}, {2}, {9, 3, 5}], unknown=[0, 1, 0]).select(np.array([2, 1]))
    assert part.items.tolist() == [3, 5, 9, 2]
    assert part.indptr.tolist() == [0, 3, 4]
    assert part.n.tolist() == [3, 2]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([-np.inf, 0.0, 0.5, 1.0, 2.0]), min_size=6, max_size=12),
    st.sets(st.integers(0, 5), min_size=1),
    st.sets(st.integers(0, 5)),
    st.integers(0, 2),
)
def test_auc_equals_brute_force_with_ties_exclusions_and_unscored_items(scores, positive, seen, unknown):
    seen = seen - positive
    truth = relevant([positive], [unknown])
    excluded = (np.array([0, len(seen)]), np.array(sorted(seen), np.int32))
    found = auc_values(np.array([scores]), truth, excluded)
    candidates = set(range(len(scores))) - seen
    assert found[0] == pytest.approx(plain_metrics.auc(scores, positive, candidates, len(positive) + unknown))


def test_auc_of_equal_scores_is_a_half():
    assert auc_values(np.ones((1, 9)), relevant([{2, 3}]))[0] == 0.5


def test_auc_worked_by_hand():
    # Relevant: scores 3 and 1. Others: 2 and 1. Pairs: 3>2, 3>1, 1<2, 1=1.
    assert auc_values(np.array([[3.0, 1.0, 2.0, 1.0]]), relevant([{0, 1}]))[0] == (1 + 1 + 0 + 0.5) / 4
