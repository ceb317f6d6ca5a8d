"""Causal self-attention blocks: what a transformer of sequences is made of.

Sequences are padded on the right, so that the causal mask alone keeps filled positions from seeing padding, and no
kernel needs a mask of its own.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from palate.neural.dropout import Dropout

_TOGETHER = 64
"""Queries that are answered together: above the diagonal, products are made for nothing within these alone."""
_SHORTEST, _LONGEST = 32, 1_024
"""Lengths whose weights are kept: of shorter ones they are quickly made again, of longer ones they are large."""


class Attention(nn.Module):
    """Causal attention with `heads` heads, O(length^2) operations.

    torch's fused kernel needs O(length) memory and makes the weights again for the gradient. On a processor they are
    kept instead where that is cheaper: for one head of 64 numbers a fifth to a half of the time less at 40 to 1,000
    places (docs/decisions/one-loop-and-losses-in-chunks.md).
    """

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(size, 3 * size)
        self.outward = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, length, size) to the same."""
        asked = self.inward(x)  # (batch, length, 3 x size)
        mixed = with_weights_kept(asked) if self._keeps_weights(asked) else self._fused(asked)
        found: Tensor = self.outward(mixed)
        return found

    def _keeps_weights(self, asked: Tensor) -> bool:
        # What is exported has no gradient, and its length is no number that could be compared: ask for that first.
        if not asked.requires_grad or self.heads > 1 or asked.device.type != "cpu":
            return False
        return _SHORTEST <= asked.shape[1] <= _LONGEST and asked.dtype in (torch.float32, torch.float64)

    def _fused(self, asked: Tensor) -> Tensor:
        batch, length, size = asked.shape[0], asked.shape[1], asked.shape[2] // 3
        parts = asked.view(batch, length, 3, self.heads, size // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (batch, heads, length, size / heads)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return mixed.transpose(1, 2).reshape(batch, length, size)


class _WithWeightsKept(torch.autograd.Function):
    """Causal attention of one head, whose weights are kept for the gradient: (batch, length, 3 x size) to a third."""

    @staticmethod
    def forward(ctx: Any, asked: Tensor) -> Tensor:
        query, key, value = asked.chunk(3, dim=2)
        mixed, looked, scale = asked.new_empty(query.shape), [], query.shape[2] ** -0.5
        ahead = torch.full((_TOGETHER, _TOGETHER), -math.inf, dtype=asked.dtype, device=asked.device).triu_(1)
        for start, stop in _parts(asked.shape[1]):
            asking = query[:, start:stop] * scale
            logits = torch.bmm(asking, key[:, :stop].transpose(1, 2))  # (batch, part, seen)
            logits[:, :, start:] += ahead[: stop - start, : stop - start]
            weights = torch.softmax(logits, dim=2)
            mixed[:, start:stop] = torch.bmm(weights, value[:, :stop])
            looked.append(weights)
        ctx.save_for_backward(asked, mixed, *looked)
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> Tensor:
        asked, mixed, *looked = ctx.saved_tensors
        query, key, value = asked.chunk(3, dim=2)
        found = torch.zeros_like(asked)
        of_query, of_key, of_value = found.chunk(3, dim=2)
        scale = query.shape[2] ** -0.5
        even = (outer * mixed).sum(2, keepdim=True)  # what a softmax takes off all alike
        for (start, stop), weights in zip(_parts(asked.shape[1]), looked, strict=True):
            of_part = outer[:, start:stop]
            of_value[:, :stop].baddbmm_(weights.transpose(1, 2), of_part)
            of_logits = torch.bmm(of_part, value[:, :stop].transpose(1, 2))  # (batch, part, seen)
            of_logits.sub_(even[:, start:stop]).mul_(weights)
            of_query[:, start:stop].baddbmm_(of_logits, key[:, :stop], alpha=scale)
            of_key[:, :stop].baddbmm_(of_logits.transpose(1, 2), query[:, start:stop], alpha=scale)
        return found


def with_weights_kept(asked: Tensor) -> Tensor:
    """Return causal attention of one head: queries, keys, values (batch, length, 3 x size) to (batch, length, size)."""
    mixed: Tensor = _WithWeightsKept.apply(asked)  # type: ignore[no-untyped-call]
    return mixed


def _parts(length: int) -> list[tuple[int, int]]:
    """Return where queries that are answered together begin and end."""
    return [(start, min(start + _TOGETHER, length)) for start in range(0, length, _TOGETHER)]


class Block(nn.Module):
    """Attention, then two dense layers at each position, each added to its input (normalised before: Xiong 2020)."""

    def __init__(self, size: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(size, heads)
        self.before_attention = nn.LayerNorm(size)
        self.before_dense = nn.LayerNorm(size)
        self.widen = nn.Linear(size, inner)
        self.narrow = nn.Linear(inner, size)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, length, size) to the same."""
        x = x + self.dropout(self.attention(self.before_attention(x)))
        dense = self.narrow(functional.gelu(self.widen(self.before_dense(x))))
        found: Tensor = x + self.dropout(dense)
        return found
