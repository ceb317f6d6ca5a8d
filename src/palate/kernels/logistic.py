"""A pass of stochastic gradient descent over choices and as many drawn non-choices as wanted, under the log loss.

The score of a pair is level + bias_u + bias_i + p_u . q_i; a step moves the parts that made it by rate x (what was
seen, 1 or 0, less the chance that the score says) x derivative, less rate x penalty x the part. One thread: steps
have one order, so a seed gives one model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from palate.kernels.sampling import below, mixed, unchosen

Matrix = NDArray[np.float32]

_FAST: Any = {"reassoc", "contract", "nsz"}  # sums in any order, so that they are vector code; NaN stays NaN


# Loops index whole matrices by unsigned numbers: a view of a row costs as much as the row's arithmetic.
@njit(cache=True, nogil=True, fastmath=_FAST)
def step(
    u: int, i: int, seen: np.float32, rate: np.float32, penalty: np.float32,
    users: Matrix, items: Matrix, bias_u: Matrix, bias_i: Matrix, level: Matrix,
) -> float:  # fmt: skip
    """Take one step for a pair, in place; return its log loss before the step.

    Args:
        u, i: user and item. seen: 1 or 0.
        users, items: (n, factors). bias_u, bias_i: (n). level: (1).
    """
    size, a, b = np.uint64(users.shape[1]), np.uint64(u), np.uint64(i)
    score = level[0] + bias_u[a] + bias_i[b]
    for f in range(size):
        score += users[a, f] * items[b, f]
    other = math.exp(-abs(np.float64(score)))  # the chance is 1 / (1 + other) or other / (1 + other)
    chance = np.float32((1.0 if score > 0 else other) / (1.0 + other))
    move, keep = rate * (seen - chance), np.float32(1) - rate * penalty
    for f in range(size):
        p, q = users[a, f], items[b, f]
        users[a, f] = keep * p + move * q
        items[b, f] = keep * q + move * p
    bias_u[a] = keep * bias_u[a] + move
    bias_i[b] = keep * bias_i[b] + move
    level[0] = keep * level[0] + move
    wrong = (score < 0) == (seen > 0)
    return math.log1p(other) + (abs(np.float64(score)) if wrong else 0.0)


@njit(cache=True, nogil=True)
def epoch(
    order: NDArray[np.int64], user: NDArray[np.int32], indptr: NDArray[np.int64], chosen: NDArray[np.int32],
    negatives: int, seed: int, rate: float, penalty: float,
    users: Matrix, items: Matrix, bias_u: Matrix, bias_i: Matrix, level: Matrix,
) -> float:  # fmt: skip
    """Go over all choices, in place, each followed by items that its user did not choose; return the mean log loss.

    Args:
        order: the choices in the order of the steps. user: (choices) whose each is.
        indptr, chosen: CSR by user, ascending. negatives: drawn for each choice; none for a user who has everything.
        seed: of the draws; another for each epoch.
        The rest as in `step`.
    """
    n_items, key = len(items), mixed(np.uint64(seed), np.uint64(0))
    step_size, pull = np.float32(rate), np.float32(penalty)
    loss, steps = 0.0, 0
    for n in order:
        u = user[n]
        start, stop = indptr[u], indptr[u + 1]
        free = n_items - (stop - start)
        loss += step(u, chosen[n], np.float32(1), step_size, pull, users, items, bias_u, bias_i, level)
        drawn = negatives if free > 0 else 0
        for draw in range(drawn):
            rank = below(mixed(key, np.uint64(n * negatives + draw)), free)
            i = int(unchosen(chosen, start, stop, rank))
            loss += step(u, i, np.float32(0), step_size, pull, users, items, bias_u, bias_i, level)
        steps += 1 + drawn
    return loss / steps
