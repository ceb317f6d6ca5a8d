"""GMF, the MLP and NeuMF as one torch module: the towers that are there, and one output layer over them.

    GMF     p_u * q_i                                       (element by element, He et al. 2017, formula 9)
    MLP     x_1 = [m_u ; n_i],  x_l+1 = relu(W_l x_l + b_l)  (formula 10)
    score   h . [GMF ; MLP] + base                          (formula 12), the logit of the chance of a choice

The first layer of the MLP is linear in its two halves, W_1 [m_u ; n_i] = A m_u + B n_i: the products are made once for
each user of a batch and once for each item, not for every pair, which is most of the arithmetic of a tower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

_START = 0.01  # standard deviation of embeddings at the start, as in the paper


class Network(nn.Module):
    """Scores of pairs, as logits.

    Parameters, by name: `gmf_user` (users, factors), `gmf_item` (items, factors), `mlp_user` (users, layers[0] / 2),
    `mlp_item` (items, layers[0] / 2), `hidden` linear layers of sizes layers[0] -> layers[1] -> ..., `output`
    (factors + layers[-1]) and `base` (1), which begins at the log-odds of a choice: else the first steps would go into
    pushing every unit down, and rectified units that are pushed below zero stay there.
    """

    def __init__(
        self, n_users: int, n_items: int, factors: int, layers: Sequence[int], odds: float = 1.0
    ) -> None:
        """Make the towers: GMF where `factors` is above 0, the MLP where `layers` has any. Draws from torch's seed.

        `odds`: of a choice among the pairs that it will learn from.
        """
        super().__init__()
        half = layers[0] // 2 if layers else 0
        self.factors = factors
        self.gmf_user, self.gmf_item = _embedding(n_users, factors), _embedding(n_items, factors)
        self.mlp_user, self.mlp_item = _embedding(n_users, half), _embedding(n_items, half)
        self.hidden = nn.ModuleList(_layer(size, to) for size, to in pairwise(layers))
        last = factors + (layers[-1] if layers else 0)
        self.output = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, last))[0])
        self.base = nn.Parameter(torch.full((1,), math.log(odds)))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the logits of users (n) and the items beside each, (n, items a user)."""
        n, beside = items.shape
        flat = items.reshape(-1)
        score: Tensor = self.base
        if self.factors:
            user = self.gmf_user.index_select(0, users) * self.output[: self.factors]  # (n, factors)
            item = self.gmf_item.index_select(0, flat).view(n, beside, -1)  # (n, beside, factors)
            score = score + (item * user[:, None]).sum(-1)  # three times as fast as a batch of small products
        if len(self.hidden):
            tower = self._tower(users, flat, n, beside) @ self.output[self.factors :]
            score = score + tower.view(n, beside)
        return score

    def _tower(self, users: Tensor, flat: Tensor, n: int, beside: int) -> Tensor:
        """Return the last layer of the MLP for each pair, (n x beside, layers[-1])."""
        first = cast(nn.Linear, self.hidden[0])
        of_user, of_item = first.weight.chunk(2, dim=1)  # (hidden, half) each
        user = torch.addmm(first.bias, self.mlp_user.index_select(0, users), of_user.T)  # (n, hidden)
        item = (self.mlp_item @ of_item.T).index_select(0, flat)  # of every item once: more pairs than items
        x = torch.relu(item.view(n, beside, -1) + user[:, None]).view(n * beside, -1)
        for layer in self.hidden[1:]:
            x = torch.relu(layer(x))
        return x


def _layer(size: int, to: int) -> nn.Linear:
    layer = nn.Linear(size, to)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _embedding(rows: int, size: int) -> nn.Parameter:
    return nn.Parameter(_START * torch.randn(rows, size))
