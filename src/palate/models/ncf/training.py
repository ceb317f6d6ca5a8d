"""How NCF learns: every choice beside items that the user did not choose, drawn anew in each epoch; log loss.

He et al. 2017, formula 7. A row of a batch is one choice: its user once, its item, and its negatives. Pre-training is
section 3.4.1: GMF and the MLP learn alone, and NeuMF begins with both, their output weights times alpha and 1 - alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from palate.kernels.sampling import negatives
from palate.models.ncf import scoring
from palate.models.ncf.network import Network
from palate.models.validation import Validation
from palate.vocabulary import Codes


@dataclass(frozen=True)
class Choices:
    """The pairs to learn from, and what each user chose, as CSR."""

    user: Codes
    """(choices)"""
    item: Codes
    """(choices)"""
    indptr: NDArray[np.int64]
    """(users + 1)"""
    items: Codes
    """(pairs) ascending in a user"""
    n_items: int

    @classmethod
    def of_pairs(cls, indptr: NDArray[np.int64], items: Codes, n_items: int) -> Choices:
        """Take distinct pairs. Those of a user who chose everything have no alternative, and teach nothing."""
        counts = np.diff(indptr)
        user = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        kept = counts[user] < n_items
        return cls(user[kept], items[kept], indptr, items, n_items)

    def __len__(self) -> int:
        return len(self.user)

    @property
    def n_users(self) -> int:
        """Users of train."""
        return len(self.indptr) - 1


class Learning:
    """The task of `neural.loop`: batches of choices, their loss, and how good the network is by now."""

    def __init__(
        self,
        module: Network,
        choices: Choices,
        *,
        batch: int,
        per: int,
        validation: Validation | None = None,
    ) -> None:
        """Take `batch` choices a step, each with `per` negatives."""
        self.module, self._choices, self._batch = module, choices, batch
        self._validation = validation
        self._drawn = np.empty((len(choices), per), np.int32)

    def batches(self, rng: np.random.Generator) -> Sequence[NDArray[np.int64]]:
        """Draw an epoch's negatives, and return its batches: places of choices."""
        own = self._choices
        seed, places = int(rng.integers(2**62)), np.arange(len(own))
        negatives(own.indptr, own.items, own.n_items, own.user, own.item, places, seed, self._drawn)
        order = rng.permutation(len(own))
        return [order[start : start + self._batch] for start in range(0, len(order), self._batch)]

    def beside(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the items of choices with this epoch's negatives behind them, (rows, 1 + negatives)."""
        return np.column_stack([self._choices.item[rows], self._drawn[rows]]).astype(np.int64)

    def loss(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the log loss of choices and their negatives, summed, and how many pairs they are."""
        device = self.module.output.device
        users = torch.from_numpy(self._choices.user[rows].astype(np.int64)).to(device)
        logits = self.module(users, torch.from_numpy(self.beside(rows)).to(device))
        chosen = torch.zeros_like(logits)
        chosen[:, 0] = 1
        return functional.binary_cross_entropy_with_logits(logits, chosen, reduction="sum"), logits.numel()

    def validate(self) -> dict[str, float]:
        """Return nDCG at 10 of validation rows, over the whole catalogue, what was seen left out."""
        if self._validation is None:
            return {}
        weights, users = arrays(self.module), self._validation.users
        columns = np.arange(self._choices.n_items, dtype=np.int32)
        return self._validation.measure(lambda some: scoring.scores(weights, users[some], columns))


def arrays(module: Network) -> scoring.Weights:
    """Return a network's parameters as arrays, by name."""
    return {name: part.detach().cpu().numpy().copy() for name, part in module.named_parameters()}


def fuse(neumf: Network, gmf: Network, mlp: Network, alpha: float) -> None:
    """Begin NeuMF with both: its score is then alpha times GMF's and 1 - alpha times the MLP's."""
    with torch.no_grad():
        for name in ("gmf_user", "gmf_item"):
            getattr(neumf, name).copy_(getattr(gmf, name))
        for name in ("mlp_user", "mlp_item"):
            getattr(neumf, name).copy_(getattr(mlp, name))
        neumf.hidden.load_state_dict(mlp.hidden.state_dict())
        neumf.output.copy_(torch.cat([alpha * gmf.output, (1 - alpha) * mlp.output]))
        neumf.base.copy_(alpha * gmf.base + (1 - alpha) * mlp.base)
