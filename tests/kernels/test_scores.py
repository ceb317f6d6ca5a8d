"""Sums over histories and the best of them, against matrix products and sorts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.kernels import scores
from palate.kernels.strip import STRIP_BYTES


def world(
    dtype: type, *, contexts: int = 75, items: int = 150, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return indptr, items and weights of histories, and a matrix: whole numbers, so sums are exact, and tie."""
    rng = np.random.default_rng(seed)
    chosen = rng.random((contexts, items)) < rng.random((contexts, 1)) ** 2
    chosen[::7] = False
    item = np.nonzero(chosen)[1]
    indptr = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]).astype(np.int64)
    weight = rng.integers(-1, 4, len(item)).astype(dtype)
    return indptr, item.astype(np.int32), weight, rng.integers(-2, 4, (items, items)).astype(dtype)


def dense(indptr: np.ndarray, item: np.ndarray, weight: np.ndarray, items: int) -> np.ndarray:
    affinity = np.zeros((len(indptr) - 1, items), weight.dtype)
    affinity[np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), item] = weight
    return affinity


def strips(matrix: np.ndarray, columns: np.ndarray) -> Any:
    width = STRIP_BYTES // matrix.itemsize
    for start in range(0, len(columns), width):
        some = columns[start : start + width]
        strip = np.full((len(matrix), width), np.nan, matrix.dtype)
        strip[:, : len(some)] = matrix[:, some]
        yield start, some, strip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 7, 200])
@pytest.mark.parametrize("hiding", [True, False])
@pytest.mark.parametrize("two", [True, False], ids=["two weights", "one weight"])
def test_the_best_of_all_strips_are_the_sorted_scores(dtype: type, k: int, hiding: bool, two: bool) -> None:
    indptr, item, weight, matrix = world(dtype)
    second = np.roll(weight, 1) if two else np.empty(0, dtype)
    columns = np.flatnonzero(np.arange(150) % 5 < 4).astype(np.int32)
    place = np.full(150, -1, np.int32)
    place[columns] = np.arange(len(columns))
    n = len(indptr) - 1
    items, best = np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, dtype)
    low, high = np.full(n, np.inf, dtype), np.full(n, -np.inf, dtype)
    hidden, at = place[item] if hiding else np.empty(0, np.int32), indptr[:-1].copy()
    for first, some, strip in strips(matrix, columns):
        scores.best_of_strip(
            indptr, item, weight, second, strip, some, hidden, at, first, best, items, low, high
        )
    every = dense(indptr, item, weight, 150) @ matrix
    for c in range(n):
        seen = set(item[indptr[c] : indptr[c + 1]].tolist()) if hiding else set()
        wanted = sorted((i for i in columns.tolist() if i not in seen), key=lambda i: (-every[c, i], i))[:k]
        assert items[c, : len(wanted)].tolist() == wanted
        assert best[c, : len(wanted)].tolist() == every[c, wanted].tolist()
        assert (items[c, len(wanted) :] == -1).all()
    if two:  # the extent is that of all columns, hidden ones too
        sums = (dense(indptr, item, second, 150) @ matrix)[:, columns]
        assert np.array_equal(low, sums.min(axis=1))
        assert np.array_equal(high, sums.max(axis=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_scores_are_the_matrix_product(dtype: type) -> None:
    indptr, item, weight, matrix = world(dtype)
    columns = np.arange(150, dtype=np.int32)
    every = dense(indptr, item, weight, 150) @ matrix
    found = np.full(every.shape, np.nan, dtype)
    for first, some, strip in strips(matrix, columns):
        scores.all_of_strip(indptr, item, weight, strip, found[:, first : first + len(some)])
    assert np.array_equal(found, every)


def test_a_pruned_matrix_adds_up_to_the_same_product() -> None:
    indptr, item, weight, matrix = world(np.float64)
    matrix[np.random.default_rng(1).random(matrix.shape) < 0.8] = 0
    width = int((matrix != 0).sum(axis=1).max())
    neighbours, near = np.full((150, width), -1, np.int32), np.zeros((150, width))
    for i, row in enumerate(matrix):
        there = np.flatnonzero(row)
        neighbours[i, : len(there)], near[i, : len(there)] = there, row[there]
    found = np.full((len(indptr) - 1, 150), np.nan)
    scores.add_neighbours(indptr, item, weight, neighbours, near, found)
    assert np.array_equal(found, dense(indptr, item, weight, 150) @ matrix)


@given(
    st.lists(
        st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]), min_size=6, max_size=6),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 8),
)
def test_top_k_is_a_stable_sort_without_the_hidden(drawn: list[list[float]], k: int) -> None:
    block, columns = np.array(drawn), np.array([2, 3, 5, 7, 11, 13], np.int32)
    best, items = np.empty((len(block), k)), np.empty((len(block), k), np.int32)
    scores.top_k(block, columns, best, items)
    for row, listed, values in zip(block, items, best, strict=True):
        order = [t for t in np.argsort(-row, kind="stable") if np.isfinite(row[t])][:k]
        assert listed[: len(order)].tolist() == columns[order].tolist()
        assert values[: len(order)].tolist() == row[order].tolist()
        assert (listed[len(order) :] == -1).all()


def test_hiding_leaves_other_columns_alone() -> None:
    block = np.zeros((2, 3))
    scores.hide(np.array([0, 2, 3]), np.array([1, -1, -1], np.int32), block)
    assert block.tolist() == [[0, -np.inf, 0], [0, 0, 0]]
    scores.hide(np.array([0, 1]), np.array([-1], np.int32), np.zeros((1, 0)))


@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.1, 0.7, 1e8, -1e8]))), max_size=5))
def test_merging_adds_up_repeats_in_their_order(drawn: list[list[tuple[int, float]]]) -> None:
    indptr = np.cumsum([0, *map(len, drawn)]).astype(np.int64)
    events = [event for one in drawn for event in one]
    item = np.array([i for i, _ in events], np.int32)
    weight = np.array([w for _, w in events], float)
    merged, weights = np.empty(len(item), np.int32), np.empty((2, len(item)))
    lengths = scores.merge(indptr, item, np.stack([weight, 2 * weight]), 5, merged, weights)
    packed = scores.pack(indptr, lengths, merged, weights)
    for c, one in enumerate(drawn):
        totals: dict[int, float] = {}
        for i, w in one:
            totals[i] = totals.get(i, 0.0) + w
        part = slice(packed[c], packed[c + 1])
        assert dict(zip(merged[part].tolist(), weights[0, part].tolist(), strict=True)) == totals
        assert (weights[1, part] == 2 * weights[0, part]).all()
        assert merged[part].tolist() == sorted(totals)


def test_uniform_numbers_hang_on_seed_key_and_item_alone() -> None:
    keys, columns = np.arange(-50, 350), np.arange(500, dtype=np.int32)
    block = np.empty((400, 500))
    scores.uniform(42, keys, columns, block)
    assert ((block >= 0) & (block < 1)).all()
    # 200,000 numbers: the mean's standard error is 0.00065; neighbours in key or item are not correlated.
    assert abs(block.mean() - 0.5) < 0.003
    assert abs(np.corrcoef(block[:-1].ravel(), block[1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(block[:, :-1].ravel(), block[:, 1:].ravel())[0, 1]) < 0.01
    assert len(np.unique(block)) == block.size
    part = np.empty((2, 3))
    scores.uniform(42, keys[[300, 7]], columns[[5, 499, 0]], part)
    assert np.array_equal(part, block[[300, 7]][:, [5, 499, 0]])
    scores.uniform(43, keys[[300, 7]], columns[[5, 499, 0]], part)
    assert not np.isclose(part, block[[300, 7]][:, [5, 499, 0]]).any()
