"""Impressions in the codes of a fitted model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from palate.models.news.reading import Lists
from palate.news import Impressions
from palate.vocabulary import Codes, Vocabulary


@dataclass(frozen=True, eq=False)
class Shown:
    """Impressions as a model sees them: readers are people at a moment, each with a history."""

    user: Codes
    """(readers) codes of people, -1: unknown"""
    pasts: Lists
    """(readers) the last articles of each history, those that the model knows"""
    reader: Codes
    """(impressions)"""
    indptr: NDArray[np.int64]
    """(impressions + 1)"""
    candidate: Codes
    """(candidates) codes of articles, -1: unknown"""
    clicked: NDArray[np.bool_]
    """(candidates); all false without labels"""

    @classmethod
    def of(cls, shown: Impressions, users: Vocabulary, articles: Vocabulary, history: int) -> Shown:
        """Return impressions in the codes of a model that knows `users` and `articles`, with so long histories."""
        code = shown.codes_in(articles)
        pairs = shown.user.astype(np.int64) * len(shown.histories) + shown.history_of
        distinct, reader = np.unique(pairs, return_inverse=True)
        events = shown.histories
        pasts = Lists(events.indptr, code[events.item])
        pasts = pasts.where(pasts.member >= 0).last(history)
        user = users.encode(shown.users.ids)[distinct // len(shown.histories)]
        return cls(
            user=user,
            pasts=pasts.select(distinct % len(shown.histories)),
            reader=reader.astype(np.int32),
            indptr=shown.indptr,
            candidate=code[shown.candidate],
            clicked=np.zeros(len(shown.candidate), np.bool_) if shown.clicked is None else shown.clicked,
        )

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Candidates of each impression, (impressions)."""
        return np.diff(self.indptr)

    @cached_property
    def row_of(self) -> Codes:
        """The impression of each candidate, (candidates)."""
        return np.repeat(np.arange(len(self.reader), dtype=np.int32), self.sizes)

    @cached_property
    def clicks_of(self) -> NDArray[np.int64]:
        """Clicks of each impression, (impressions)."""
        total = np.concatenate([[0], np.cumsum(self.clicked)])
        clicks: NDArray[np.int64] = total[self.indptr[1:]] - total[self.indptr[:-1]]
        return clicks

    @property
    def mixed(self) -> NDArray[np.bool_]:
        """Whether some of its candidates were clicked and some were not, (impressions)."""
        return (self.clicks_of > 0) & (self.clicks_of < self.sizes)

    def by_reader(self, readers: int) -> Iterator[NDArray[np.int64]]:
        """Yield impressions, those of `readers` readers of like length of history at a time."""
        length = np.argsort(self.pasts.lengths, kind="stable")
        place = np.empty(len(length), np.int64)
        place[length] = np.arange(len(length))
        order = np.argsort(place[self.reader], kind="stable")
        cuts = np.searchsorted(place[self.reader][order], np.arange(readers, len(length), readers))
        yield from (rows for rows in np.split(order, cuts) if len(rows))
