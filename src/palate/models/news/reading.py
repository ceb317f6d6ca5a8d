"""What a news network reads at once: each word, each title and each reader of a batch, once.

A batch is pairs of a reader and an article. The same article stands in many histories and impressions, and the same
word in many titles: they are numbered within the batch, so that the network's costly products are made once for each.
Titles, and histories, of like length stand together in a group, padded to the longest of it on the right: nothing else
is padded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palate.vocabulary import Codes

_WASTE = 0.75  # a group ends where a list is shorter than this share of its longest


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of codes as CSR: titles of word codes, histories of article codes."""

    indptr: NDArray[np.int64]
    """(lists + 1)"""
    member: Codes

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Members of each list, (lists)."""
        return np.diff(self.indptr)

    def select(self, rows: NDArray[np.integer]) -> Lists:
        """Return some lists, in that order."""
        lengths = self.lengths[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Lists(
            indptr, self.member[np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])]
        )

    def then(self, others: Lists) -> Lists:
        """Return these lists, and others after them."""
        return Lists(
            np.concatenate([self.indptr, self.indptr[-1] + others.indptr[1:]]),
            np.concatenate([self.member, others.member]),
        )

    def where(self, kept: NDArray[np.bool_]) -> Lists:
        """Return the lists with the members that are kept."""
        return Lists(np.concatenate([[0], np.cumsum(kept)])[self.indptr].astype(np.int64), self.member[kept])

    def first(self, n: int) -> Lists:
        """Return the lists with their first n members."""
        place = np.arange(len(self.member)) - np.repeat(self.indptr[:-1], self.lengths)
        return self.where(place < n)

    def last(self, n: int) -> Lists:
        """Return the lists with their last n members."""
        place = np.repeat(self.indptr[1:], self.lengths) - np.arange(len(self.member))
        return self.where(place <= n)


@dataclass
class Batch:
    """Pairs of reader and article, as tensors; article 0 is the one without words."""

    words: Tensor
    """(distinct words) codes"""
    titles: list[Tensor]
    """groups (articles, longest) of places in `words`, padded with their number; articles are counted through from 1"""
    pasts: list[Tensor]
    """groups (readers, longest) of articles, padded with -1; readers are counted through, those without a history
    last"""
    users: Tensor
    """(readers) codes of people, 0: unknown"""
    reader: Tensor
    """(pairs) places of readers"""
    article: Tensor
    """(pairs) articles of the batch"""

    @property
    def strangers(self) -> int:
        """Readers without a history."""
        return len(self.users) - sum(len(one) for one in self.pasts)

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(
            self.words.to(device),
            [one.to(device) for one in self.titles],
            [one.to(device) for one in self.pasts],
            self.users.to(device),
            self.reader.to(device),
            self.article.to(device),
        )


def compose(
    titles: Lists,
    pasts: Lists,
    users: NDArray[np.integer],
    reader: NDArray[np.integer],
    article: NDArray[np.integer],
) -> Batch:
    """Return pairs as a batch.

    Args:
        titles: of all articles. pasts: the history of each reader; articles without words are left out of it.
        users: (readers) codes of people, 0: unknown.
        reader, article: (pairs) places of readers, and codes of articles, -1: one that is not known.

    """
    told = titles.lengths > 0
    pasts = pasts.where(told[pasts.member])
    article = np.where((article >= 0) & told[article], article, -1)
    slots = np.concatenate([pasts.member, article[article >= 0]])
    distinct, place = np.unique(slots, return_inverse=True)
    chosen = titles.select(distinct)
    title_order, title_groups = _groups(chosen.lengths)
    numbered = _numbers(title_order)[place]  # from 1, in the order of groups
    words, word_place = np.unique(chosen.member, return_inverse=True)

    past_groups, past_order = padded(Lists(pasts.indptr, numbered[: len(pasts.member)].astype(np.int32)))
    readers = np.empty(len(pasts), np.int64)
    readers[past_order] = np.arange(len(pasts))
    pair_article = np.zeros(len(article), np.int64)
    pair_article[article >= 0] = numbered[len(pasts.member) :]
    return Batch(
        words=torch.from_numpy(words.astype(np.int64)),
        titles=[
            _padded(Lists(chosen.indptr, word_place.astype(np.int32)), rows, len(words))
            for rows in title_groups
        ],
        pasts=past_groups,
        users=torch.from_numpy(users[past_order].astype(np.int64)),
        reader=torch.from_numpy(readers[reader]),
        article=torch.from_numpy(pair_article),
    )


def padded(pasts: Lists) -> tuple[list[Tensor], NDArray[np.int64]]:
    """Return histories in groups, padded with -1, and the order of readers there; those without one stand last."""
    order, groups = _groups(pasts.lengths)
    strangers = np.flatnonzero(pasts.lengths == 0)
    return [_padded(pasts, rows, -1) for rows in groups], np.concatenate([order, strangers])


def _groups(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Return lists that are not empty, longest first, and the same cut where they grow short."""
    order = np.argsort(-lengths, kind="stable")
    order = order[: int((lengths > 0).sum())]
    groups, start = [], 0
    while start < len(order):
        longest = lengths[order[start]]
        short = np.searchsorted(-lengths[order], -_WASTE * longest, side="right")
        stop = max(int(short), start + 1)
        groups.append(order[start:stop])
        start = stop
    return order, groups


def _numbers(order: NDArray[np.int64]) -> NDArray[np.int64]:
    numbers = np.zeros(len(order), np.int64)
    numbers[order] = np.arange(1, len(order) + 1)
    return numbers


def _padded(lists: Lists, rows: NDArray[np.int64], padding: int) -> Tensor:
    """Return (rows, longest) members as int64, padded on the right."""
    some = lists.select(rows)
    there = np.arange(int(some.lengths.max())) < some.lengths[:, None]
    table = np.full(there.shape, padding, np.int64)
    table[there] = some.member
    return torch.from_numpy(table)
