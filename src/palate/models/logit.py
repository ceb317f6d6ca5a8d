"""The weights of several scores under which what was chosen is most likely among all that could have been.

    P(i | u) = exp(w . z(u, i)) / sum over free j of exp(w . z(u, j))

The conditional logit (McFadden 1974). Its likelihood is concave in w, so a few Newton steps find the best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 50
_CLOSE = 1e-8
_RIDGE = 1e-3  # of w.w / 2 a user: weights stay finite where every choice is foretold


def weights(
    scores: NDArray[np.floating], chosen: NDArray[np.bool_], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the weight of each score, none below zero; every user counts alike.

    Args:
        scores: (models, users, items). chosen: (users, items) some of the free ones. free: what could be chosen.
    """
    kept = np.arange(len(scores))
    while True:
        found = _newton(scores[kept], chosen, free)
        if (found > 0).all() or len(kept) == 1:
            whole = np.zeros(len(scores))
            whole[kept] = np.abs(found) if len(kept) == 1 else found
            return whole
        kept = np.delete(kept, found.argmin())  # the worst alone: beside an equal one, it speaks for both


def _newton(scores: NDArray[np.floating], chosen: NDArray[np.bool_], free: NDArray[np.bool_]) -> Floats:
    share = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)
    there = chosen.any(axis=1)
    share, free, scores = share[there], free[there], scores[:, there]
    users = max(len(share), 1)
    told = np.einsum("mui,ui->m", scores, share) / users
    w = np.full(len(scores), 1 / len(scores))
    value = _loss(w, scores, told, free)
    for _ in range(_STEPS):
        p = _softmax(w, scores, free)
        mean = np.einsum("mui,ui->mu", scores, p)
        gradient = mean.mean(axis=1) - told + _RIDGE * w
        second = np.einsum("mui,nui,ui->mn", scores, scores, p, optimize=True) / users
        second += _RIDGE * np.eye(len(w)) - mean @ mean.T / users
        step, size = np.linalg.solve(second, gradient), 1.0
        while (after := _loss(w - size * step, scores, told, free)) > value and size > 1e-6:
            size /= 2
        if value - after < _CLOSE:
            break
        w, value = w - size * step, after
    return w


def _linear(w: Floats, scores: NDArray[np.floating], free: NDArray[np.bool_]) -> Floats:
    return np.where(free, np.tensordot(w, scores, 1), -np.inf)


def _softmax(w: Floats, scores: NDArray[np.floating], free: NDArray[np.bool_]) -> Floats:
    linear = _linear(w, scores, free)
    p = np.exp(linear - linear.max(axis=1, keepdims=True))
    whole: Floats = p / p.sum(axis=1, keepdims=True)
    return whole


def _loss(w: Floats, scores: NDArray[np.floating], told: Floats, free: NDArray[np.bool_]) -> float:
    linear = _linear(w, scores, free)
    top = linear.max(axis=1)
    total = top + np.log(np.exp(linear - top[:, None]).sum(axis=1))
    return float(total.mean() - w @ told + _RIDGE * w @ w / 2)
