"""Batches by length: every sequence once, no batch above its cells, and rows as they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.neural.batches import by_length, padded

LENGTHS = st.lists(st.integers(0, 60), max_size=60).map(lambda some: np.array(some, np.int64))


@given(LENGTHS, st.integers(1, 200), st.one_of(st.none(), st.integers(0, 9)))
def test_every_sequence_stands_once_and_no_batch_is_above_its_cells(
    lengths: np.ndarray, cells: int, seed: int | None
) -> None:
    batches = by_length(lengths, cells, None if seed is None else np.random.default_rng(seed))
    assert sorted(np.concatenate([*batches, []]).tolist()) == list(range(len(lengths)))
    for one in batches:
        assert len(one) == 1 or len(one) * lengths[one].max() <= cells


def test_neighbours_in_length_stand_together() -> None:
    """Of lengths from 1 to 200, four fifths of the cells are filled, where a random order fills half."""
    lengths = np.random.default_rng(0).integers(1, 201, 5_000)
    cells = sum(len(one) * lengths[one].max() for one in by_length(lengths, 4_096, np.random.default_rng(1)))
    assert lengths.sum() / cells > 0.8


@given(LENGTHS.filter(len), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_a_row_is_the_end_of_its_sequence_and_then_padding(
    lengths: np.ndarray, window: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    items = rng.integers(0, 50, indptr[-1]).astype(np.int32)
    rows = rng.permutation(len(lengths))[: rng.integers(1, len(lengths) + 1)]
    found, length = padded(indptr, items, rows, 99, window)
    assert found.shape == (len(rows), length.max())
    for row, mine, n in zip(rows, found, length, strict=True):
        whole = items[indptr[row] : indptr[row + 1]]
        assert mine[:n].tolist() == whole[-window:].tolist()
        assert (mine[n:] == 99).all()


def test_a_shuffle_is_another_one_each_time() -> None:
    rng = np.random.default_rng(4)
    first, second = (by_length(np.full(300, 7), 70, rng) for _ in range(2))
    assert any(not np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert by_length(np.array([3, 1, 2]), 2)[0].tolist() == [1]
    with pytest.raises(IndexError):
        _ = by_length(np.array([], np.int64), 5)[0]
