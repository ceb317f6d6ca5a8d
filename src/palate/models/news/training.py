"""What a news network learns: which of the articles shown together was clicked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from palate.kernels import impressions
from palate.models.news.reading import Batch, Lists, compose
from palate.models.news.scoring import score, scorer
from palate.models.news.shown import Shown


@dataclass
class Clicks:
    """A `loop.Task`: rows are clicks, each beside `negatives` others of its impression that were not clicked."""

    module: nn.Module
    titles: Lists
    shown: Shown
    negatives: int
    batch: int
    strangers: float
    """share of readers who are taken for unknown people, so that something is learned for those"""
    judged: Shown | None

    def __post_init__(self) -> None:
        self.at = np.flatnonzero(self.shown.clicked & self.shown.mixed[self.shown.row_of])
        others = ~self.shown.clicked
        self.other = np.flatnonzero(others)
        self.start = np.concatenate([[0], np.cumsum(others)])[self.shown.indptr].astype(np.int64)
        self.learners = np.unique(self.shown.user[self.shown.reader[self.shown.row_of[self.at]]])
        """codes of people whose clicks are learned"""
        if self.judged is not None:  # where others are the unknown person, as in what comes of it
            user = self.judged.user
            known = np.where(np.isin(user, self.learners), user, -1).astype(np.int32)
            self.judged = replace(self.judged, user=known)

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Return clicks in another order each epoch."""
        order = rng.permutation(len(self.at))
        return [order[start : start + self.batch] for start in range(0, len(order), self.batch)]

    def loss(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the sum of -log of the click's share, by softmax over what was drawn, and how many clicks."""
        candidate, there = self._drawn(rows, rng)
        logits = self.module(self._pairs(rows, candidate, there, rng).to(self._device))
        table = torch.full(there.shape, -torch.inf, device=logits.device).masked_scatter(
            torch.from_numpy(there).to(logits.device), logits
        )
        target = torch.zeros(len(rows), dtype=torch.int64, device=logits.device)
        return functional.cross_entropy(table, target, reduction="sum"), len(rows)

    def _drawn(
        self, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return places of candidates, the click first, and which are there, each (clicks, 1 + others).

        The others are distinct, `negatives` of them; where an impression has fewer, all of them stand once.
        """
        click = self.at[rows]
        row = self.shown.row_of[click]
        begin, count = self.start[row], self.start[row + 1] - self.start[row]
        # The smallest of random keys: distinct, however many of an impression are asked for.
        key = rng.random((len(rows), int(count.max(initial=1))))
        key[np.arange(key.shape[1]) >= count[:, None]] = 1.0
        most = min(self.negatives, key.shape[1])
        drawn = np.argpartition(key, most - 1, axis=1)[:, :most]
        there = drawn < count[:, None]
        place = self.other[np.where(there, begin[:, None] + drawn, 0)]
        return np.concatenate([click[:, None], place], axis=1), np.concatenate(
            [np.ones_like(there[:, :1]), there], axis=1
        )

    def _pairs(
        self,
        rows: NDArray[np.int64],
        candidate: NDArray[np.int64],
        there: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> Batch:
        row = self.shown.row_of[self.at[rows]]
        readers, reader = np.unique(self.shown.reader[row], return_inverse=True)
        users = 1 + self.shown.user[readers]
        users = np.where(rng.random(len(users)) < self.strangers, 0, users)
        pairs = np.broadcast_to(reader[:, None], there.shape)[there]
        article = self.shown.candidate[candidate[there]]
        return compose(self.titles, self.shown.pasts.select(readers), users, pairs, article)

    @property
    def _device(self) -> torch.device:
        return next(self.module.parameters()).device

    def validate(self) -> dict[str, float]:
        """Return AUC, MRR and nDCG of validation impressions, means over impressions."""
        if self.judged is None:
            return {}
        scores = score(scorer(self.module, self.titles, keep=False), self.judged)
        found = impressions.measure(
            self.judged.indptr, self.judged.clicked, scores.astype(np.float64), np.array([5, 10])
        )
        names = (
            "valid_impression_auc",
            "valid_impression_mrr",
            "valid_impression_ndcg@5",
            "valid_impression_ndcg@10",
        )
        return dict(zip(names, np.nanmean(found[:4], axis=1).tolist(), strict=True))
