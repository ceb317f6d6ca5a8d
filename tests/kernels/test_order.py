"""Grouping and ordering rows, against NumPy's sorts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palate.kernels import encode, order

rows = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 7), st.sampled_from([-(2**62), -3, 0, 1, 2, 2**62])),
    max_size=40,
)


def columns(drawn: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(drawn, np.int64).reshape(-1, 3)
    return table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2]


@given(rows)
def test_rows_of_a_group_are_oldest_first_and_ties_stay_in_row_order(
    drawn: list[tuple[int, int, int]],
) -> None:
    user, _, time = columns(drawn)
    indptr, found = order.group_by_time(user, time, 6)
    assert found.tolist() == np.lexsort((time, user)).tolist()  # lexsort is stable
    assert np.diff(indptr).tolist() == np.bincount(user, minlength=6).tolist()


@given(rows)
def test_without_times_rows_stay_in_row_order(drawn: list[tuple[int, int, int]]) -> None:
    user, _, _ = columns(drawn)
    indptr, found = order.group_by_time(user, None, 6)
    assert found.tolist() == np.argsort(user, kind="stable").tolist()
    assert indptr[-1] == len(user)


def test_a_long_group_of_ties_is_stable() -> None:
    rng = np.random.default_rng(0)
    user, time = np.zeros(5_000, np.int32), rng.integers(0, 3, 5_000)
    assert np.array_equal(order.group_by_time(user, time, 1)[1], np.argsort(time, kind="stable"))


@given(rows)
def test_distinct_pairs_are_the_set_of_pairs_ascending(drawn: list[tuple[int, int, int]]) -> None:
    user, item, _ = columns(drawn)
    indptr, items = order.distinct_pairs(user, item, 6, 8)
    found = [(u, int(i)) for u in range(6) for i in items[indptr[u] : indptr[u + 1]]]
    assert found == sorted(set(zip(user.tolist(), item.tolist(), strict=True)))
    assert len(indptr) == 7


@given(st.lists(st.integers(-20, 20), min_size=1), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_a_table_of_ids_and_a_bisection_find_the_same(known: list[int], asked: list[int]) -> None:
    ids = np.unique(np.array(known, np.int64))
    values = np.array([*asked, *known, ids[0] - 1, ids[-1] + 1], np.int64)
    place = {int(id): code for code, id in enumerate(ids)}
    wanted = [place.get(int(value), -1) for value in values]
    table = np.full(ids[-1] - ids[0] + 1, -1, np.int32)
    table[ids - ids[0]] = np.arange(len(ids))
    assert encode.look_up(values, int(ids[0]), table).tolist() == wanted
    assert encode.bisect(values, ids).tolist() == wanted
    present = encode.mark(np.array(known, np.int64), int(ids[0]), len(table))
    assert (np.flatnonzero(present) + ids[0]).tolist() == ids.tolist()
