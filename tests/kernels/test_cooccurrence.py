"""Counts of pairs, against X'X."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from palate.kernels import cooccurrence, order


def draw(users: int, items: int, mean: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return random sets of items as CSR; popularity falls steeply, and every third user has chosen nothing."""
    rng = np.random.default_rng(seed)
    n = int(users * mean)
    user = rng.integers(0, users, n).astype(np.int32)
    item = (items * rng.random(n) ** 3).astype(np.int32)
    kept = user % 3 > 0
    return order.distinct_pairs(user[kept], item[kept], users, items)


def gram(indptr: np.ndarray, items: np.ndarray, n_items: int) -> np.ndarray:
    x = csr_matrix((np.ones(len(items), np.int64), items, indptr), shape=(len(indptr) - 1, n_items))
    return (x.T @ x).toarray()


def head_of(indptr: np.ndarray, items: np.ndarray, n_items: int) -> int:
    """How many items the kernel gives a bit set."""
    popularity = np.sort(np.bincount(items, minlength=n_items))[::-1]
    return cooccurrence._head(popularity, indptr)


@pytest.mark.parametrize(
    ("users", "items", "mean"), [(7, 3, 2), (50, 40, 6), (300, 130, 20), (64, 65, 30), (2_000, 90, 25)]
)
def test_counts_are_the_gram_matrix(users: int, items: int, mean: float) -> None:
    pairs = draw(users, items, mean)
    assert np.array_equal(cooccurrence.count_pairs(*pairs, items), gram(*pairs, items))


@given(st.lists(st.sets(st.integers(0, 8)), max_size=12))
def test_counts_of_any_sets_are_the_gram_matrix(sets: list[set[int]]) -> None:
    indptr = np.cumsum([0, *map(len, sets)]).astype(np.int64)
    items = np.array([i for one in sets for i in sorted(one)], np.int32)
    assert np.array_equal(cooccurrence.count_pairs(indptr, items, 9), gram(indptr, items, 9))


def test_dense_popular_items_are_counted_by_bit_sets() -> None:
    # More than one block of 16 x 16 items, and more than the 32,768 users of one run of words.
    pairs = draw(70_000, 300, 10)
    assert 16 < head_of(*pairs, 300) < 300
    assert np.array_equal(cooccurrence.count_pairs(*pairs, 300), gram(*pairs, 300))


def test_a_catalogue_of_bit_sets_alone() -> None:
    everything = np.arange(100 * 20, dtype=np.int32) % 20
    indptr = np.arange(0, 2_001, 20, dtype=np.int64)
    assert head_of(indptr, everything, 20) == 20
    assert np.array_equal(cooccurrence.count_pairs(indptr, everything, 20), np.full((20, 20), 100))


def test_a_sparse_catalogue_needs_no_bit_sets() -> None:
    items = np.random.default_rng(0).permutation(800).astype(np.int32)
    indptr = np.arange(0, 801, 2, dtype=np.int64)
    assert head_of(indptr, items, 800) == 0
    assert np.array_equal(cooccurrence.count_pairs(indptr, items, 800), gram(indptr, items, 800))


@pytest.mark.parametrize("ranks", [np.uint16, np.uint32])
@pytest.mark.parametrize("counter", [np.uint16, np.int32])
def test_large_catalogues_and_many_users_are_counted_in_wider_numbers(ranks: type, counter: type) -> None:
    # What `count_pairs` chooses beyond 65,536 items or users, where a whole matrix would not fit a test.
    indptr, items = draw(300, 80, 10)
    by_rank = np.random.default_rng(1).permutation(80).astype(np.int32)
    rank = np.argsort(by_rank).astype(np.int32)
    renamed = cooccurrence.relabel(indptr, items, rank, np.empty(len(items), ranks))
    pointers, users, places = cooccurrence.invert(indptr, renamed, 80)
    rows = np.zeros((numba.get_num_threads(), 80), counter)
    counts = np.full((80, 80), -1, np.int32)
    lists = (indptr, renamed, pointers, users, places, by_rank)
    cooccurrence._count(*lists, 0, 80, False, rows, counts)
    cooccurrence._mirror(counts, rank)
    assert np.array_equal(counts, gram(indptr, items, 80))


def test_items_beyond_16_bits_keep_their_names() -> None:
    n_items = 70_000
    indptr = np.array([0, 3, 3, 5], np.int64)
    items = np.array([0, 65_536, 69_999, 65_535, 65_536], np.int32)
    rank = np.arange(n_items, dtype=np.int32)[::-1].copy()
    ranks = cooccurrence.relabel(indptr, items, rank, np.empty(5, np.uint32))
    assert ranks.tolist() == [0, 4_463, 69_999, 4_463, 4_464]
    pointers, users, places = cooccurrence.invert(indptr, items, n_items)
    assert users[pointers[65_536] : pointers[65_537]].tolist() == [0, 2]
    assert places[pointers[65_536] : pointers[65_537]].tolist() == [1, 1]


@pytest.mark.parametrize("n_items", [80, 70_000])
def test_whole_rows_are_those_of_the_matrix(n_items: int) -> None:
    indptr, items = draw(300, 80, 10)
    whole = np.pad(gram(indptr, items, 80), ((0, 0), (0, n_items - 80)))
    have = cooccurrence.lists(indptr, items, n_items)
    assert have.ranks.dtype == (np.uint16 if n_items == 80 else np.uint32)
    assert (np.diff(have.popularity) <= 0).all()
    for first, stop in ((0, 3), (3, 70), (70, 80)):
        rows = np.full((stop - first, n_items), -1, np.int32)
        cooccurrence.count_rows(have, first, stop, rows)
        assert np.array_equal(rows, whole[have.by_rank[first:stop]])


def test_the_number_of_threads_changes_nothing() -> None:
    pairs = draw(500, 70, 12)
    many, threads = cooccurrence.count_pairs(*pairs, 70), numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert np.array_equal(cooccurrence.count_pairs(*pairs, 70), many)
    finally:
        numba.set_num_threads(threads)
