"""How a language model measures its error, position by position, in NumPy.

At each position the model gives every token of its vocabulary a logit z; the softmax p = exp(z) / sum exp(z) is its
belief of what comes next; y is 1 at the token that came and 0 elsewhere. Then

    loss         L = -sum y log p = -log p[token that came]            in nats; / log 2 in bits
    gradient     dL/dz = p - y                                        sums to 0 over the vocabulary
    a step       z - step (p - y) has the loss L - step |p - y|^2 to the first order

Nothing here knows torch or a tokenizer: arrays in, arrays out, in float64. Memory: six arrays of (positions,
vocabulary) while it works, beside the one that is given, so long texts come a few positions at a time (`joined`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from palate.errors import PlanError

Floats = NDArray[np.float64]
STEP = 0.1
"""Of the step down the gradient that is shown."""


@dataclass(frozen=True, eq=False)
class Losses:
    """What is told of n positions, each with its own token that came."""

    p: Floats
    """(n) probability of the token that came"""
    nats: Floats
    """(n) the loss, -log p"""
    rank: NDArray[np.int64]
    """(n) 1 for the most likely token of the vocabulary; of equals, the smaller id stands first"""
    runners: NDArray[np.int64]
    """(n, shown) the most likely tokens' ids, most likely first"""
    runners_p: Floats
    """(n, shown) their probabilities; their gradient is the same figure, less 1 at the token that came"""
    gradient_norm: Floats
    """(n) |p - y|"""
    gradient_sum: Floats
    """(n) sum of p - y over the vocabulary: 0 but for rounding"""
    stepped: Floats
    """(n) the loss after one step of `STEP` down the gradient at the logits"""
    entropy: Floats
    """(n) what the loss would be on average if tokens came as the model believes, in nats"""

    @property
    def bits(self) -> Floats:
        """(n) the loss in bits."""
        return self.nats / math.log(2)


def from_logits(logits: ArrayLike, targets: ArrayLike, *, shown: int = 5) -> Losses:
    """Return the losses of (n, vocabulary) logits where tokens `targets` (n) came.

    >>> told = from_logits([[0.0, 0.0, 0.0, 0.0]], [2])
    >>> round(float(told.nats[0]), 4), int(told.rank[0])
    (1.3863, 3)
    """
    z = np.asarray(logits, np.float64)
    came = np.asarray(targets, np.int64)
    _check(z, came)
    rows = np.arange(len(z))
    log_p = z - _log_sum(z)[:, None]
    p = np.exp(log_p)  # (n, vocabulary)
    own = log_p[rows, came]
    gradient = p.copy()
    gradient[rows, came] -= 1
    norm2 = np.einsum("nv,nv->n", gradient, gradient)
    ahead = (log_p > own[:, None]) | (
        (log_p == own[:, None]) & (np.arange(z.shape[1]) < came[:, None])  # of equals, the smaller id
    )
    first = _first(p, min(shown, z.shape[1]))
    moved = z - STEP * gradient
    return Losses(
        p=p[rows, came],
        nats=-own,
        rank=1 + ahead.sum(1),
        runners=first,
        runners_p=np.take_along_axis(p, first, 1),
        gradient_norm=np.sqrt(norm2),
        gradient_sum=gradient.sum(1),
        stepped=_log_sum(moved) - moved[rows, came],
        entropy=-np.einsum("nv,nv->n", p, np.where(p > 0, log_p, 0)),
    )


def from_probabilities(probabilities: Sequence[float], target: int) -> tuple[Losses, Floats]:
    """Return the loss of one position whose probabilities are given, and the gradient p - y at its logits.

    Raises PlanError where they are no distribution, or the token that came is impossible: its loss is infinite.

    >>> told, gradient = from_probabilities([0.3, 0.5, 0.2], 0)
    >>> round(float(told.nats[0]), 3), gradient.tolist()
    (1.204, [-0.7, 0.5, 0.2])
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 1 or len(p) < 2:
        raise PlanError(f"probabilities: got {p.size}, expected at least two, such as 0.3,0.5,0.2.")
    if not np.isfinite(p).all() or (p < 0).any() or (p > 1).any():
        raise PlanError("probabilities: each is a number from 0 to 1.")
    total = float(p.sum())
    if abs(total - 1) > 1e-6:
        raise PlanError(f"probabilities: they sum to {total:g}, expected 1.")
    if not 0 <= target < len(p):
        raise PlanError(f"target: got {target}, expected the place of one of {len(p)}: 0 to {len(p) - 1}.")
    if p[target] == 0:
        raise PlanError(
            f"target {target} has the probability 0: its loss is infinite, and no step from there is defined."
        )
    with np.errstate(divide="ignore"):
        told = from_logits(np.log(p)[None], [target], shown=len(p))
    gradient = p / total
    gradient[target] -= 1
    return told, gradient


def joined(parts: Sequence[Losses]) -> Losses:
    """Return the losses of parts of a text as those of the whole."""
    return Losses(
        **{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Losses)}
    )


def perplexity(nats: float) -> float:
    """Return exp of a mean loss: of how many equally likely tokens a choice would be as hard.

    >>> round(perplexity(math.log(49152)))
    49152
    """
    return math.exp(nats) if nats < 700 else math.inf


def bits_per_byte(nats: float, n_bytes: int) -> float:
    """Return a text's loss, summed, for each byte of it in UTF-8: comparable between tokenizers.

    >>> bits_per_byte(8 * math.log(2), 4)
    2.0
    """
    return nats / math.log(2) / n_bytes


def _check(z: Floats, came: NDArray[np.int64]) -> None:
    if z.ndim != 2 or came.shape != z.shape[:1]:
        raise PlanError(
            f"logits: got the shape {z.shape} with targets {came.shape}, expected (positions, vocabulary) and "
            "(positions)."
        )
    if np.isnan(z).any() or (z == np.inf).any():
        at = int(np.flatnonzero((np.isnan(z) | (z == np.inf)).any(1))[0])
        raise PlanError(
            f"logits: position {at} holds NaN or infinity: the model's weights or its input are broken."
        )
    if len(came) and not (came.min() >= 0 and came.max() < z.shape[1]):
        raise PlanError(
            f"targets: expected ids from 0 to {z.shape[1] - 1}, got {int(came.min())} to {int(came.max())}."
        )


def _log_sum(z: Floats) -> Floats:
    """Return log sum exp over the vocabulary, (n)."""
    top = z.max(1)
    return np.asarray(top + np.log(np.exp(z - top[:, None]).sum(1)))


def _first(p: Floats, shown: int) -> NDArray[np.int64]:
    """Return the ids of the largest, largest first; of equals, the smaller id first."""
    least = np.partition(p, -shown, axis=1)[:, -shown]
    found = np.empty((len(p), shown), np.int64)
    for row, (values, bound) in enumerate(zip(p, least, strict=True)):
        ids = np.flatnonzero(values >= bound)
        found[row] = ids[np.lexsort((ids, -values[ids]))][:shown]
    return found
