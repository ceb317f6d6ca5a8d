"""Counts to similarities: limits, ranges, symmetry. The formulas are held against brute force in the SAR tests."""

from __future__ import annotations

import numpy as np
import pytest

from palate.kernels import similarity

KINDS = range(7)


def counts(users: int = 40, items: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.random.default_rng(seed).random((users, items)) < 0.2
    chosen[0] = True
    both = (chosen.T.astype(np.int32) @ chosen).astype(np.int32)
    return both, np.diag(both).astype(np.int64)


def block_of(
    kind: int,
    rows: list[int],
    columns: list[int],
    *,
    threshold: int = 1,
    dtype: type = np.float64,
    first: int = 0,
) -> np.ndarray:
    both, popularity = counts()
    block = np.full((len(rows), len(columns)), np.nan, dtype)
    similarity.similarity_block(
        kind, both[first:], np.array(rows, np.int32) - np.int32(first), np.array(rows, np.int32),
        np.array(columns, np.int32), popularity, 40, threshold, block,
    )  # fmt: skip
    return block


@pytest.mark.parametrize("kind", KINDS)
def test_any_rows_and_columns_are_the_part_of_the_whole(kind: int) -> None:
    whole = block_of(kind, list(range(30)), list(range(30)))
    for rows, columns in (
        ([3, 4, 5], [7, 8, 9]), ([5, 3], [0, 2, 1, 3]), ([29], [29, 0]), ([1, 1], [4, 4]), ([], [1]), ([2], []),
    ):  # fmt: skip
        assert np.array_equal(block_of(kind, rows, columns), whole[np.ix_(rows, columns)])
    assert np.array_equal(block_of(kind, [12, 20], [3, 9], first=11), whole[np.ix_([12, 20], [3, 9])])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_symmetric_and_finite(kind: int) -> None:
    whole = block_of(kind, list(range(30)), list(range(30)))
    assert np.isfinite(whole).all()
    assert np.array_equal(whole, whole.T)


@pytest.mark.parametrize("kind", [similarity.JACCARD, similarity.COSINE, similarity.INCLUSION])
def test_shares_lie_between_0_and_1_and_an_item_is_like_itself(kind: int) -> None:
    whole = block_of(kind, list(range(30)), list(range(30)))
    assert ((whole >= 0) & (whole <= 1 + 1e-15)).all()
    np.testing.assert_allclose(np.diag(whole), 1, rtol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_float64_rounded_once(kind: int) -> None:
    exact = block_of(kind, list(range(30)), list(range(30)))
    assert np.array_equal(
        block_of(kind, list(range(30)), list(range(30)), dtype=np.float32), exact.astype(np.float32)
    )


def test_items_that_met_as_often_as_by_chance_share_no_information() -> None:
    both = np.array([[20, 10], [10, 20]], np.int32)  # 40 users: 1/2, 1/2, 1/4
    block, codes = np.empty((2, 2)), np.arange(2, dtype=np.int32)
    similarity.similarity_block(
        similarity.MUTUAL, both, codes, codes, codes, np.array([20, 20]), 40, 1, block
    )
    assert block.tolist() == [[1, 0], [0, 1]]
    similarity.similarity_block(
        similarity.LEXICOGRAPHERS, both, codes, codes, codes, np.array([20, 20]), 40, 1, block
    )
    assert block.tolist() == [[20, 0], [0, 20]]


@pytest.mark.parametrize("amount", [1, -1])
def test_adding_a_user_counts_each_pair_with_a_fresh_item_once(amount: int) -> None:
    counts = np.zeros((6, 6), np.int32)
    similarity.add_user(counts, np.array([0, 2, 5], np.int32), np.array([True, True, True]), 1)
    similarity.add_user(counts, np.array([0, 2, 3, 5], np.int32), np.array([False, False, True, False]), 1)
    wanted = np.zeros((6, 6), np.int32)
    wanted[np.ix_([0, 2, 3, 5], [0, 2, 3, 5])] = 1
    assert np.array_equal(counts, wanted)
    similarity.add_user(counts, np.array([0, 2, 3, 5], np.int32), np.ones(4, bool), amount)
    assert np.array_equal(counts, wanted * (1 + amount))


def test_dot_products_of_users_are_the_matrix_product() -> None:
    rng = np.random.default_rng(0)
    affinity = rng.integers(0, 3, (9, 12)).astype(float)
    user, item = np.nonzero(affinity)
    indptr = np.concatenate([[0], np.cumsum((affinity > 0).sum(axis=1))])
    products = np.empty(9)
    similarity.dot_users(indptr, item.astype(np.int32), affinity[user, item], affinity[4], products)
    assert np.array_equal(products, affinity @ affinity[4])


@pytest.mark.parametrize("values", ["few", "many", "skewed", "rising"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(12, 0), (12, 1), (12, 4), (12, 11), (900, 3), (900, 40), (900, 899)])
def test_the_nearest_are_a_stable_sort_without_the_item_itself(
    n: int, k: int, dtype: type[np.floating], values: str
) -> None:
    rng = np.random.default_rng(k)
    block = {
        "few": rng.choice([-1.0, 0.0, 0.5, 2.0, 3.0], (n, n)),
        "many": rng.normal(size=(n, n)),
        "skewed": np.exp(rng.normal(scale=9, size=(n, n))),
        "rising": np.tile(np.arange(n, dtype=float), (n, 1)),
    }[values].astype(dtype)
    rows = rng.permutation(n).astype(np.int32)[:50]
    near, found = np.full((n, k + 1), np.nan, dtype), np.full((n, k + 1), -9, np.int32)
    similarity.nearest(block[:50], rows, near, found)
    for row, item in zip(block, rows, strict=False):
        order = sorted((j for j in range(n) if j != item and row[j] != 0), key=lambda j: (-row[j], j))[:k]
        missing = k - len(order)
        assert found[item].tolist() == [item, *order, *[-1] * missing]
        assert near[item].tolist() == [row[item], *row[order], *[0.0] * missing]
