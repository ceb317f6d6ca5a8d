"""Causal self-attention blocks: what a transformer of sequences is made of.

Sequences are padded on the right, so that the causal mask alone keeps filled positions from seeing padding, and the
fused kernel needs no mask of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from palate.neural.dropout import Dropout


class Attention(nn.Module):
    """Causal attention with `heads` heads; O(length^2) operations, O(length) memory (fused)."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(size, 3 * size)
        self.outward = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, length, size) to the same."""
        batch, length, size = x.shape
        parts = self.inward(x).view(batch, length, 3, self.heads, size // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (batch, heads, length, size / heads)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(batch, length, size)
        found: Tensor = self.outward(mixed)
        return found


class Block(nn.Module):
    """Attention, then two dense layers at each position, each added to its input (normalised before: Xiong 2020).

    gated: LiGR (Borisyuk and others, 2025): each branch passes a sigmoid gate of the block's input, and the dense
    layers are SwiGLU.
    """

    def __init__(self, size: int, heads: int, inner: int, dropout: float, *, gated: bool = False) -> None:
        super().__init__()
        self.attention = Attention(size, heads)
        self.before_attention = nn.LayerNorm(size)
        self.before_dense = nn.LayerNorm(size)
        self.widen = nn.Linear(size, 2 * inner if gated else inner)
        self.narrow = nn.Linear(inner, size)
        self.gates = nn.ModuleList(nn.Linear(size, size) for _ in range(2 if gated else 0))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, length, size) to the same."""
        x = x + self._gated(0, x, self.dropout(self.attention(self.before_attention(x))))
        dense: Tensor = self.narrow(self._bent(self.widen(self.before_dense(x))))
        return x + self._gated(1, x, self.dropout(dense))

    def _bent(self, wide: Tensor) -> Tensor:
        if not len(self.gates):
            return functional.gelu(wide)
        gate, value = wide.chunk(2, -1)
        return functional.silu(gate) * value

    def _gated(self, place: int, x: Tensor, branch: Tensor) -> Tensor:
        if not len(self.gates):
            return branch
        passed: Tensor = torch.sigmoid(self.gates[place](x)) * branch
        return passed
