"""The law of a planted world of news: which articles are shown when, and which of them are clicked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

START = 1_573_171_200  # 2019-11-08, when MIND's train begins
HOUR = 3_600
FAME = 1.55
"""deviation of the logarithm of how likely an article is shown and read, like MIND's"""
_OLD = 0.75  # share of the articles that came in the weeks before, like MIND's


@dataclass
class Law:
    """Draws what is shown and what is clicked, in pieces that fit into memory."""

    rng: np.random.Generator
    topic: NDArray[np.int64]
    likes: NDArray[np.int64]
    liking: NDArray[np.float64]
    fame: NDArray[np.float64]
    """(articles) how likely each is shown, where that hangs on what it is (like_mind)"""
    sharpness: float
    like_mind: bool

    def impressions(
        self,
        user: NDArray[np.int64],
        time: NDArray[np.int64],
        sizes: NDArray[np.int64],
        weights: NDArray[np.float64],
        birth: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return candidates and clicks, each (sum of sizes)."""
        found, hits = [], []
        clicks = np.ones(len(user), np.int64)
        if self.like_mind:
            # 72.5 % with one click, 1.5 on average: a geometric number alone has too few of the many.
            several = self.rng.random(len(user)) < 0.61
            clicks = np.minimum(np.where(several, self.rng.geometric(0.55, len(user)), 1), sizes - 1)
        order = np.argsort(sizes, kind="stable")
        for piece in _pieces(sizes[order]):
            rows = order[piece]
            widest = int(sizes[rows].max())
            shown = self._shown(time[rows], widest, birth)
            there = np.arange(widest) < sizes[rows][:, None]
            utility = self._utility(user[rows][:, None], shown, weights[user[rows]][:, None, :])
            # The n largest of utility + Gumbel noise are n draws of the softmax without replacement.
            noisy = np.where(there, utility + self.rng.gumbel(size=utility.shape), -np.inf)
            rank = np.argsort(np.argsort(-noisy, axis=1), axis=1)
            found.append(shown[there])
            hits.append((rank < clicks[rows][:, None])[there])
        starts = np.empty(len(sizes), np.int64)
        starts[order] = np.cumsum(sizes[order]) - sizes[order]
        back = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))
        return np.concatenate(found)[back], np.concatenate(hits)[back]

    def histories(self, user: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return one click for each row: of 25 articles, by a law that weighs all facets alike.

        like_mind: of the articles of the weeks before, since MIND's histories stand still while the week goes on.
        """
        old, found = int(len(self.liking) * _OLD), []
        for rows in _pieces(np.full(len(user), 25)):
            if self.like_mind:
                shown = self._famous(np.zeros((len(rows), 25), np.int64), old)
            else:
                shown = self.rng.integers(0, len(self.liking), (len(rows), 25))
            utility = self._utility(user[rows][:, None], shown, 1 / self.topic.shape[1])
            best = np.argmax(utility + self.rng.gumbel(size=utility.shape), axis=1)
            found.append(shown[np.arange(len(rows)), best])
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def _utility(
        self, user: NDArray[np.int64], shown: NDArray[np.int64], weights: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        same = self.topic[shown] == self.likes[user]  # (rows, candidates, facets)
        found: NDArray[np.float64] = self.sharpness * (weights * same).sum(axis=2) + self.liking[shown]
        return found

    def _shown(self, time: NDArray[np.int64], widest: int, birth: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return distinct articles for each moment, (moments, widest)."""
        n, moments = len(self.liking), len(time)
        if not self.like_mind:
            return _distinct(self.rng, self.rng.integers(0, n, (moments, widest)), n)
        # Median age of a click 6.5 hours, 87 % within a day; of an hour's articles the famous ones are shown.
        age = np.exp(self.rng.normal(np.log(7.3), 1.25, (moments, widest))) * HOUR
        born = np.searchsorted(birth, time, side="right")[:, None]
        place = np.searchsorted(birth, time[:, None] - age)
        nearby = max(int(n * (1 - _OLD)) // (9 * 24), 4)  # articles of an hour
        found = self._famous((place - nearby).clip(0, born - 1), (place + nearby).clip(1, born))
        return _distinct(self.rng, found, born, older=True)

    def _famous(self, start: NDArray[np.int64], stop: int | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return an article of each range, in the shape of `start`, the likelier the more famous it is."""
        until = np.concatenate([[0], np.cumsum(self.fame)])
        drawn = until[start] + self.rng.random(start.shape) * (until[stop] - until[start])
        found: NDArray[np.int64] = (np.searchsorted(until, drawn, side="right") - 1).clip(start, stop - 1)
        return found


def births(rng: np.random.Generator, articles: int, *, like_mind: bool) -> NDArray[np.int64]:
    """Return when articles come, ascending: from two days before the week on, or most of them in the weeks before."""
    birth = rng.integers(START - 48 * HOUR, START + 7 * 24 * HOUR, articles)
    if like_mind:
        old = int(articles * _OLD)
        birth[:old] = rng.integers(START - 28 * 24 * HOUR, START - 48 * HOUR, old)
    return np.sort(birth)


def _distinct(
    rng: np.random.Generator,
    drawn: NDArray[np.int64],
    bound: int | NDArray[np.int64],
    *,
    older: bool = False,
) -> NDArray[np.int64]:
    """Return rows of distinct numbers: what repeats in a row is drawn again, ever further away, until nothing does.

    bound: numbers are below it, for all or (rows, 1). older: what repeats gives way to a smaller number.
    """
    reach, bounds = 4, np.broadcast_to(bound, drawn.shape)
    while True:
        reach = min(2 * reach, int(np.max(bound)))
        order = np.argsort(drawn, axis=1, kind="stable")
        ordered = np.take_along_axis(drawn, order, 1)
        again = np.zeros(drawn.shape, np.bool_)
        np.put_along_axis(again[:, :], order[:, 1:], ordered[:, 1:] == ordered[:, :-1], 1)
        count = int(again.sum())
        if not count:
            return drawn
        away = rng.integers(-reach, 0 if older else reach + 1, count)
        drawn[again] = (drawn[again] + away) % bounds[again]


def _pieces(sizes: NDArray[np.int64], cells: int = 2**21) -> Iterator[NDArray[np.int64]]:
    """Yield places of rows, some at a time, and none beside one of twice its size where they are sorted."""
    piece, octave = (np.cumsum(sizes) - 1) // cells, np.log2(sizes).astype(np.int64)
    cuts = np.flatnonzero((np.diff(piece) != 0) | (np.diff(octave) != 0)) + 1
    yield from (rows for rows in np.split(np.arange(len(sizes)), cuts) if len(rows))
