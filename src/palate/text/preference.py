"""Losses of a preferred and a dispreferred answer, from four numbers a pair: log P and length of both.

    SFT      -log P(y_w), a token
    I-ORPO   -log P(y | x_w), a token, + weight x -log sigmoid(s x (log odds(y | x_w) - log odds(y | x_l))) / s
             Pham, Sun and Iyyer, "Suri", Findings of EMNLP 2024, where s = 1: one text under an instruction that it
             follows and under one that it does not
    ORPO     the same of two texts under one instruction: Hong, Lee and Thorne, EMNLP 2024
    DPO      -log sigmoid(beta x ((log P(w) - log P_0(w)) - (log P(l) - log P_0(l)))): Rafailov et al., NeurIPS 2023
    SimPO    -log sigmoid(beta x (mean log p(w) - mean log p(l)) - gamma): Meng, Xia and Chen, NeurIPS 2024

odds = P / (1 - P) with P = exp of the mean log p of a token: the sum over thousands of tokens is a P of 0. All is
computed in float32 or better, whatever comes in, and has finite gradients up to log p = -1e-12.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_CLOSEST = 1e-12
"""To 0 that a mean log p counts: beyond it, odds are as good as infinite, and the gradient is 0."""


@dataclass(frozen=True)
class Pairs:
    """n pairs: what was preferred (w), and what was not (l)."""

    chosen: Tensor
    """(n) sum of log p over the tokens of w"""
    rejected: Tensor
    """(n) of l"""
    chosen_tokens: Tensor
    """(n) how many tokens w has"""
    rejected_tokens: Tensor
    """(n) l"""

    @property
    def margin(self) -> Tensor:
        """(n) mean log p of a token, of w above l, in nats."""
        return _mean(self.chosen, self.chosen_tokens) - _mean(self.rejected, self.rejected_tokens)


def log1mexp(x: Tensor) -> Tensor:
    """Return log(1 - exp(x)) for x < 0, exact where exp(x) is near 1 and where it is near 0 (Mächler, 2012)."""
    near = x > -math.log(2)
    # Each arm sees only what it can bear, since the gradient of the arm that is not taken is 0 times its own.
    small = torch.where(near, x, -1.0)
    large = torch.where(near, -1.0, x)
    return torch.where(near, torch.log(-torch.expm1(small)), torch.log1p(-torch.exp(large)))


def log_odds(mean_log_p: Tensor) -> Tensor:
    """Return log(P / (1 - P)) of P = exp(mean log p)."""
    x = _precise(mean_log_p).clamp(max=-_CLOSEST)
    return x - log1mexp(x)


def odds_ratio(pairs: Pairs, *, steepness: float = 1.0) -> Tensor:
    """Return -log sigmoid(s x (log odds of w - log odds of l)) / s, (n): of ORPO and I-ORPO, whose papers have s = 1.

    Where the two are alike it is log 2 / s, and pulls them apart by one half at any s; by a quarter at a
    difference of 1.1 / s, by an eighth at 1.9 / s, by a hundredth at 4.6 / s.
    """
    w = log_odds(_mean(pairs.chosen, pairs.chosen_tokens))
    l = log_odds(_mean(pairs.rejected, pairs.rejected_tokens))  # noqa: E741 - the letters of the papers
    return -functional.logsigmoid(steepness * (w - l)) / steepness


def dpo(pairs: Pairs, reference: Pairs, *, beta: float = 0.1) -> Tensor:
    """Return the loss of DPO, (n); `reference` is what the model before training says of the same pairs."""
    gain = _precise(pairs.chosen) - _precise(reference.chosen)
    loss = _precise(pairs.rejected) - _precise(reference.rejected)
    return -functional.logsigmoid(beta * (gain - loss))


def simpo(pairs: Pairs, *, beta: float = 2.0, gamma: float = 1.0) -> Tensor:
    """Return the loss of SimPO, (n): the margin is to be above gamma / beta nats a token."""
    return -functional.logsigmoid(beta * pairs.margin - gamma)


def _mean(log_p: Tensor, tokens: Tensor) -> Tensor:
    return _precise(log_p) / tokens


def _precise(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
