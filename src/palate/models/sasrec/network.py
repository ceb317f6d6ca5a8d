"""The network: items and places in the sequence to a vector for what comes next."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from palate.neural.attention import Block
from palate.neural.dropout import Dropout


class Network(nn.Module):
    """Embeddings, causal blocks, a last normalisation; the score of an item is the product with its embedding.

    Positions are counted from the end of a sequence, as in the paper's layout, which is padded on the left: the place
    that matters most, the last, then always has the same number.
    """

    def __init__(
        self,
        n_items: int,
        size: int,
        window: int,
        blocks: int,
        heads: int,
        inner: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.n_items, self.window = n_items, window
        self.items = nn.Embedding(n_items + 1, size, padding_idx=n_items)
        self.positions = nn.Embedding(window, size)
        self.blocks = nn.ModuleList(Block(size, heads, inner, dropout) for _ in range(blocks))
        self.last = nn.LayerNorm(size)
        self.dropout = Dropout(dropout)
        self.scale = math.sqrt(size)
        self.apply(_begin)

    @property
    def table(self) -> Tensor:
        """(items, size) the embeddings, without that of padding."""
        return self.items.weight[: self.n_items]

    def forward(self, items: Tensor, length: Tensor) -> Tensor:
        """Return what each position expects next.

        Args:
            items: (batch, longest) int64, padded on the right with n_items.
            length: (batch) int64.

        Returns: (batch, longest, size); at padding, anything.

        """
        place = torch.arange(items.shape[1], device=items.device)
        from_the_end = (length[:, None] - 1 - place).clamp_(min=0)  # (batch, longest)
        x = self.dropout(self.items(items) * self.scale + self.positions(from_the_end))
        for block in self.blocks:
            x = block(x)
        found: Tensor = self.last(x)
        return found


class Scores(nn.Module):
    """The network as others run it: a history to the scores of the whole catalogue."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, items: Tensor, length: Tensor) -> Tensor:
        """(batch, longest) and (batch), as in `Network`, to (batch, items)."""
        hidden = self.network(items, length)  # (batch, longest, size)
        last = (length - 1)[:, None, None].expand(-1, 1, hidden.shape[-1])
        scores: Tensor = hidden.gather(1, last)[:, 0] @ self.network.table.T
        return scores


def _begin(module: nn.Module) -> None:
    """Start small: normal numbers of deviation 0.02, no biases."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx] = 0
