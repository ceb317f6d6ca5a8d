"""Where attention and effects part is said, and nothing where they do not."""

from __future__ import annotations

import numpy as np

from palate.models.news.looking import remark


def said(attention: list[float], effect: list[float]) -> str | None:
    names = ["rain", "cup", "storm", "draw"][: len(attention)]
    return remark("words", names, np.array(attention), np.array(effect))


def test_nothing_is_said_where_both_tell_the_same():
    assert said([0.1, 0.2, 0.3, 0.4], [0.0, 0.5, 1.0, 2.0]) is None
    # One pair of the small ones stands otherwise, and the largest is the same.
    assert said([0.1, 0.2, 0.3, 0.4], [0.5, 0.0, 1.0, 2.0]) is None


def test_what_is_looked_at_and_costs_nothing_is_named_with_both():
    told = said([0.7, 0.1, 0.1, 0.1], [-0.5, 2.0, 0.1, 0.2])
    assert told is not None
    assert told.startswith("words: attention looks most at 'rain' (70%), whose leaving out costs -0.500;")
    assert "'cup' (10%) costs most, +2.000" in told
    assert "Correlation of the two orders: -" in told


def test_a_largest_that_differs_is_said_where_the_orders_agree():
    told = said([0.1, 0.2, 0.34, 0.36], [0.0, 0.5, 2.0, 1.9])
    assert told is not None
    assert "Correlation of the two orders: 0.80" in told


def test_of_one_thing_or_of_equal_ones_nothing_can_be_said():
    assert said([1.0], [3.0]) is None
    assert said([0.5, 0.5], [1.0, 2.0]) is None
    assert said([0.4, 0.6], [1.0, 1.0]) is None
