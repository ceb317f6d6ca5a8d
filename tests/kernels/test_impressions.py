"""Metrics of impressions: the official definitions of MIND, by hand and against a brute-force version."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from palate.kernels import impressions

CUTS = np.array([5, 10])
NAMES = ("auc", "mrr", "ndcg@5", "ndcg@10", "mrr tied", "ndcg@5 tied", "ndcg@10 tied")


def measured(clicked: list[int], scores: list[float]) -> dict[str, float]:
    found = impressions.measure(
        np.array([0, len(clicked)]), np.array(clicked, bool), np.array(scores, float), CUTS
    )
    return dict(zip(NAMES, found[:, 0].tolist(), strict=True))


def official(clicked: NDArray[np.bool_], scores: NDArray[np.float64]) -> list[float]:
    """MIND's evaluate.py in words: AUC over pairs, and two sums along `argsort(scores)[::-1]`."""
    up, down = scores[clicked], scores[~clicked]
    auc = np.mean([(a > b) + 0.5 * (a == b) for a in up for b in down])
    return [float(auc), *along(clicked[np.argsort(scores, kind="stable")[::-1]])]


def along(ordered: NDArray[np.bool_]) -> list[float]:
    mrr = sum(1 / (place + 1) for place, hit in enumerate(ordered) if hit) / ordered.sum()
    found = [float(mrr)]
    for k in CUTS:
        gain = sum(1 / np.log2(place + 2) for place, hit in enumerate(ordered[:k]) if hit)
        ideal = sum(1 / np.log2(place + 2) for place in range(min(k, int(ordered.sum()))))
        found.append(float(gain / ideal))
    return found


def test_by_hand():
    one = measured([0, 1, 0, 1], [0.9, 0.8, 0.1, 0.2])
    # The clicked stand second and third: of four pairs two are in order.
    assert one["auc"] == 0.5
    assert one["mrr"] == pytest.approx((1 / 2 + 1 / 3) / 2, abs=1e-15)
    gain = (1 / np.log2(3) + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    assert one["ndcg@5"] == one["ndcg@10"] == pytest.approx(gain, abs=1e-15)


def test_of_equal_scores_the_later_candidate_comes_first():
    assert measured([0, 0, 1], [0.0, 0.0, 0.0])["mrr"] == 1
    assert measured([1, 0, 0], [0.0, 0.0, 0.0])["mrr"] == 1 / 3
    for clicked in ([0, 0, 1], [1, 0, 0]):
        one = measured(clicked, [0.0, 0.0, 0.0])
        assert one["auc"] == 0.5
        assert one["mrr tied"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3, abs=1e-15)


def test_a_thousand_impressions_are_as_brute_force_has_them():
    rng = np.random.default_rng(7)
    sizes = rng.integers(2, 40, 1_000)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    clicked = rng.random(indptr[-1]) < 0.2
    clicked[indptr[:-1]], clicked[indptr[:-1] + 1] = True, False  # both kinds everywhere
    scores = rng.integers(0, 12, indptr[-1]) / 4  # ties abound
    found = impressions.measure(indptr, clicked, scores, CUTS)
    for row, (start, stop) in enumerate(pairwise(indptr)):
        expected = official(clicked[start:stop], scores[start:stop])
        assert found[:4, row] == pytest.approx(expected, abs=1e-12)


def test_the_mean_over_ties_is_that_over_all_orders():
    rng = np.random.default_rng(8)
    for _ in range(20):
        clicked = np.array([True, False, *(rng.random(4) < 0.4)])
        scores = rng.integers(0, 3, 6).astype(float)
        orders = [order for order in permutations(range(6)) if (np.diff(scores[list(order)]) <= 0).all()]
        expected = np.mean([along(clicked[list(order)]) for order in orders], axis=0)
        found = impressions.measure(np.array([0, 6]), clicked, scores, CUTS)[4:, 0]
        assert found == pytest.approx(expected, abs=1e-12)


def test_without_ties_the_order_of_candidates_is_nothing():
    rng = np.random.default_rng(9)
    clicked, scores = rng.random(30) < 0.3, rng.permutation(30).astype(float)
    clicked[:2] = True, False
    turn = rng.permutation(30)
    ends = np.array([0, 30])
    as_shown, turned = (impressions.measure(ends, clicked[o], scores[o], CUTS) for o in (np.arange(30), turn))
    assert as_shown == pytest.approx(turned, abs=1e-12)


@pytest.mark.parametrize("clicked", [[0, 0], [1, 1], []])
def test_nothing_or_everything_clicked_has_no_measure(clicked: list[int]):
    assert all(np.isnan(value) for value in measured(clicked, [0.5] * len(clicked)).values())
