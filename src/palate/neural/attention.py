"""Causal self-attention blocks: what a transformer of sequences is made of.

Sequences are padded on the right, so that the causal mask alone keeps filled positions from seeing padding, and the
fused kernel needs no mask of its own.
"""

from __future__ import annotations

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
