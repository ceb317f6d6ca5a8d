"""What a news network learns: which of the articles shown together was clicked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from palate.kernels import impressions
from palate.models.news.network import NRMS
from palate.models.news.reading import Batch, Lists, compose, padded
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
        """Return places of candidates, the click first, and which are there, each (clicks, 1 + negatives).

        The others are distinct; where an impression has fewer, all of them stand once.
        """
        click = self.at[rows]
        row = self.shown.row_of[click]
        begin, count = self.start[row], self.start[row + 1] - self.start[row]
        drawn = (rng.random((len(rows), self.negatives)) * count[:, None]).astype(np.int64)
        plenty = count > self.negatives
        while True:  # what stands twice is drawn again
            ordered = np.sort(drawn, axis=1)
            again = plenty & (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
            if not again.any():
                break
            drawn[again] = (rng.random((int(again.sum()), self.negatives)) * count[again, None]).astype(
                np.int64
            )
        drawn[~plenty] = np.arange(self.negatives)
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
        scores = score(self.module, self.titles, self.judged)
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


def score(module: nn.Module, titles: Lists, shown: Shown, readers: int = 64) -> NDArray[np.float32]:
    """Return the scores of all candidates, (candidates), some readers at a time."""
    found = np.zeros(len(shown.candidate), np.float32)
    device = next(module.parameters()).device
    module.eval()
    with torch.inference_mode():
        for rows in shown.by_reader(readers):
            some, reader = np.unique(shown.reader[rows], return_inverse=True)
            places = np.concatenate([np.arange(shown.indptr[row], shown.indptr[row + 1]) for row in rows])
            pairs = np.repeat(reader, shown.sizes[rows])
            batch = compose(
                titles, shown.pasts.select(some), 1 + shown.user[some], pairs, shown.candidate[places]
            )
            found[places] = module(batch.to(device)).float().cpu().numpy()
    return found


def encode_all(module: NRMS, titles: Lists, articles: int = 4_096) -> NDArray[np.float32]:
    """Return the vectors of all articles, and last that of one without words, (articles + 1, size)."""
    table = np.empty((len(titles) + 1, module.size), np.float32)
    table[-1] = module.blank.detach().numpy()
    order = np.argsort(titles.lengths, kind="stable")
    nobody = Lists(np.zeros(1, np.int64), np.empty(0, np.int32))
    with torch.inference_mode():
        for start in range(0, len(order), articles):
            some = order[start : start + articles]
            batch = compose(titles, nobody, np.empty(0, np.int64), np.zeros(0, np.int64), some)
            table[some] = module.articles(batch.words, batch.titles)[batch.article].numpy()
    return table


def encode_readers(
    module: NRMS, titles: Lists, table: NDArray[np.float32], pasts: Lists, readers: int = 1_024
) -> NDArray[np.float32]:
    """Return the vectors of readers, (readers, size), from the vectors of articles."""
    told = titles.lengths > 0
    pasts = pasts.where(told[pasts.member])
    found = np.empty((len(pasts), module.size), np.float32)
    order = np.argsort(pasts.lengths, kind="stable")
    with torch.inference_mode():
        for start in range(0, len(order), readers):
            some = order[start : start + readers]
            chosen = pasts.select(some)
            groups, rows = padded(chosen)
            strangers = len(some) - sum(len(one) for one in groups)
            found[some[rows]] = module.readers(torch.from_numpy(table), groups, strangers).numpy()
    return found
