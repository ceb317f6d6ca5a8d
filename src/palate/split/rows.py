"""The arithmetic of a split: shares into exact counts, counts into rows. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Rows = slice | NDArray[np.int64]
Taken = NDArray[np.bool_]

TRAIN, VALID, TEST, CONTEXT, VALID_CONTEXT = range(5)  # the part a row falls to

_BLOCK = 1 << 20  # random numbers drawn at a time: 8 MB instead of 8 bytes a row


def counted(sizes: NDArray[np.int64], share: Fraction) -> NDArray[np.int64]:
    """Return `share` of each size, rounded (an exact half to the even number), and at least 1 of every group.

    Integers throughout: 0.7 of 10 is 7, whatever 0.7 is in binary.
    """
    twice, unit = 2 * sizes * share.numerator + share.denominator, 2 * share.denominator
    count = twice // unit
    count -= (twice % unit == 0) & (count % 2 == 1)
    return np.maximum(count, np.minimum(sizes, 1))


def drawn(codes: NDArray[np.int32], wanted: NDArray[np.int64], rng: np.random.Generator) -> Taken:
    """Draw exactly `wanted[c]` rows of each code at random. Linear; a byte a row and 8 MB."""
    from palate.kernels import partition

    left, wanted = np.bincount(codes, minlength=len(wanted)), wanted.copy()
    taken = np.zeros(len(codes), np.bool_)
    for start in range(0, len(codes), _BLOCK):
        block = slice(start, start + _BLOCK)
        partition.draw(codes[block], rng.random(len(codes[block])), left, wanted, taken[block])
    return taken


def oldest(codes: NDArray[np.int32], time: NDArray[np.int64] | None, wanted: NDArray[np.int64]) -> Taken:
    """Take the `wanted[c]` oldest rows of each code; equal times, and rows without, stay in row order."""
    from palate.kernels import order, partition

    indptr, rows = order.group_by_time(codes, time, len(wanted))
    taken = np.zeros(len(codes), np.bool_)
    partition.take_first(indptr, rows, wanted, taken)
    return taken


def divide(
    n: int, choose: Callable[[Rows, Fraction], Taken], ratio: Fraction, valid: Fraction
) -> NDArray[np.uint8]:
    """Return each row's part: what `choose` takes for `ratio` trains, the rest tests; in train, so `valid`.

    The test part is settled first, so it is the same with and without a validation part.
    """
    part = np.full(n, TEST, np.uint8)
    part[choose(slice(None), ratio)] = TRAIN
    if valid:
        rows = np.flatnonzero(part == TRAIN)
        part[rows[~choose(rows, 1 - valid)]] = VALID
    return part
