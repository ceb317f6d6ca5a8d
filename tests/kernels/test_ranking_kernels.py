import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.kernels import ranking as kernel
from palate.kernels.ranking import frozen

users = st.lists(st.integers(-20, 20), min_size=1, max_size=60)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 5)), max_size=120))
def test_pairs_are_sorted_by_score_descending_then_item_ascending(rows):
    scores = np.array([float(s) for s, _ in rows])
    items = np.array([i for _, i in rows], np.int64)
    expected = sorted(zip(scores.tolist(), items.tolist(), strict=True), key=lambda row: (-row[0], row[1]))
    kernel._sort(scores, items, len(rows))
    assert list(zip(scores.tolist(), items.tolist(), strict=True)) == expected


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=60))
def test_repeats_are_found_and_distinct_items_kept_in_order(drawn):
    items, scratch, flat = np.array(drawn, np.int64), np.empty(60, np.int64), np.empty(60)
    assert kernel._repeated(items, len(items), scratch, flat) == (len(set(drawn)) < len(drawn))
    count = kernel._distinct(items, len(items), flat)
    assert items[:count].tolist() == sorted(set(drawn))


@settings(deadline=None)
@given(users)
def test_a_counting_order_is_the_stable_order(drawn):
    user = np.array(drawn, np.int64)
    order = kernel.counting_order(frozen(user, np.int64), -20, 41)
    assert order.tolist() == np.argsort(user, kind="stable").tolist()


@settings(deadline=None)
@given(users)
def test_groups_of_an_ascending_column_are_counted(drawn):
    ascending = np.sort(np.array(drawn, np.int64))
    _, counts = np.unique(ascending, return_counts=True)
    assert kernel.groups(frozen(ascending, np.int64)) == (
        True,
        len(counts),
        counts.max(),
        ascending[0],
        ascending[-1],
    )
    told, _, _, low, high = kernel.groups(frozen(np.array(drawn), np.int64))
    assert told == (sorted(drawn) == drawn)
    assert (low, high) == (min(drawn), max(drawn))


@settings(deadline=None)
@given(st.lists(st.integers(0, 200), min_size=0, max_size=80, unique=True), st.integers(-1, 200))
def test_a_member_is_found_in_long_and_short_rows(drawn, item):
    indptr, items = np.array([0, 0, len(drawn)]), np.sort(np.array(drawn, np.int64))
    row = np.array([1, 0, -1])
    found = kernel.members(
        frozen(indptr, np.int64), frozen(items, np.int32), frozen(row, np.int64), frozen([item] * 3, np.int32)
    )
    assert found.tolist() == [item in drawn, False, False]


def test_frozen_arrays_share_memory_where_they_can_and_leave_the_original_writable():
    array = np.arange(5)
    view = kernel.frozen(array, np.int64)
    assert np.shares_memory(array, view)
    assert array.flags.writeable
    assert not view.flags.writeable
    assert kernel.frozen(np.arange(10)[::2], np.int64).flags.c_contiguous


def test_discounts_begin_at_one_and_their_sums_at_zero():
    discount, ideal = kernel.discounts(3)
    assert discount.tolist() == [1.0, 1 / np.log2(3), 0.5]
    assert ideal.tolist() == [0.0, 1.0, 1 + 1 / np.log2(3), 1 + 1 / np.log2(3) + 0.5]
