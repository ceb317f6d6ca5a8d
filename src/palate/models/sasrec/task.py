"""What SASRec learns: at each position of each history, which item comes next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palate.interactions import Histories
from palate.kernels.sampling import negatives
from palate.models.recent import recent
from palate.models.sasrec.network import Network
from palate.models.validation import Validation
from palate.neural import batches, losses
from palate.neural.choices import Loss
from palate.vocabulary import Codes


@dataclass
class NextItem:
    """A `loop.Task`: rows are the ends of histories, with something to foretell."""

    module: Network
    indptr: NDArray[np.int64]
    """(rows + 1) into `items`"""
    items: Codes
    user: Codes
    """(rows) whose history it is"""
    chosen: tuple[NDArray[np.int64], Codes] | None
    """the distinct items of each user, ascending, as CSR; None but for bce and gbce"""
    loss_name: Loss
    negatives: int
    weight: float
    """of all other items' exponentials, of ce"""
    calibration: float
    smoothing: float
    cells: int
    validation: Validation | None

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Return rows of like length, at most `cells` padded positions together."""
        return batches.by_length(np.diff(self.indptr) - 1, self.cells, rng)

    def loss(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the sum over filled positions, and how many there are."""
        module, device = self.module, self.module.items.weight.device
        given, length = batches.padded(self.indptr, self.items, rows, module.n_items, module.window + 1)
        items = torch.from_numpy(given).to(device)
        hidden = module(items[:, :-1], torch.from_numpy(length - 1).to(device))
        filled = items[:, 1:] != module.n_items
        hidden, target = hidden[filled], items[:, 1:][filled]  # (positions, size), (positions)
        if self.loss_name == "ce":
            loss = losses.cross_entropy(
                hidden, module.table, target, smoothing=self.smoothing, weight=self.weight
            )
        elif self.loss_name == "sampled_ce":
            drawn = torch.from_numpy(rng.integers(0, module.n_items, self.negatives)).to(device)
            loss = losses.cross_entropy(hidden, module.table, target, negatives=drawn)
        else:
            drawn = self._unchosen(rows, length - 1, target, int(rng.integers(2**62))).to(device)
            loss = losses.binary_cross_entropy(
                hidden, module.table, target, drawn, calibration=self.calibration
            )
        return loss, len(target)

    def _unchosen(
        self, rows: NDArray[np.int64], length: NDArray[np.int64], target: Tensor, seed: int
    ) -> Tensor:
        """Draw for each position items that its user did not choose, (positions, negatives).

        By the place of the position among all: the same in whichever process, beside whatever rows.
        """
        assert self.chosen is not None
        users = np.repeat(self.user[rows], length)
        first = np.cumsum(length) - length
        places = np.arange(len(users)) + np.repeat(self.indptr[rows] - first, length)
        drawn = np.empty((len(users), self.negatives), np.int32)
        came = target.cpu().numpy().astype(np.int32)
        negatives(*self.chosen, self.module.n_items, users, came, places, seed, drawn)
        return torch.from_numpy(drawn.astype(np.int64))

    def validate(self) -> dict[str, float]:
        """Return nDCG at 10 of validation rows, over the whole catalogue, what was seen left out."""
        if self.validation is None:
            return {}
        hidden = torch.from_numpy(expected(self.module, recent(self.validation.seen)))  # (users, size)
        table = self.module.table.detach().float()

        def scores(some: NDArray[np.int64]) -> NDArray[np.float32]:
            found: NDArray[np.float32] = (hidden[some].to(table.device) @ table.T).cpu().numpy()
            return found

        return self.validation.measure(scores)


def expected(module: Network, events: Histories, cells: int = 2**13) -> NDArray[np.float32]:
    """Return the vector that each history expects next, (histories, size); 0 for an empty one."""
    found = np.zeros((len(events), module.items.embedding_dim), np.float32)
    device = module.items.weight.device
    lengths = np.minimum(events.lengths, module.window)
    module.eval()
    with torch.inference_mode():
        told = np.flatnonzero(lengths)
        for some in batches.by_length(lengths[told], cells):
            rows = told[some]
            given, length = batches.padded(events.indptr, events.item, rows, module.n_items, module.window)
            hidden = module(torch.from_numpy(given).to(device), torch.from_numpy(length).to(device))
            last = torch.from_numpy(length - 1).to(device)
            found[rows] = hidden[torch.arange(len(rows), device=device), last].float().cpu().numpy()
    return found


def last_of_each(events: Histories, window: int) -> tuple[NDArray[np.int64], Codes, Codes]:
    """Return rows to learn from as CSR, and whose they are: the last window + 1 items of histories of two or more."""
    user = np.flatnonzero(events.lengths >= 2)
    stop = events.indptr[1:][user]
    start = np.maximum(events.indptr[:-1][user], stop - window - 1)
    length = stop - start
    indptr = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    place = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - start, length)
    return indptr, events.item[place], user.astype(np.int32)
