"""Session kNN: what stood next in the histories most like this one.

Vector session kNN (Jannach and Ludewig, "When recurrent neural networks meet the neighborhood", RecSys 2017; Ludewig
and Jannach, "Evaluation of session-based recommendation algorithms", UMUAI 2018), which beat the neural models of its
day. Every history of train is a session. A history is compared by its last items: each counts `fade` times as much as
the one after it, and more where few have it. Of the `neighbours` likest sessions each votes for its items, with its
likeness, by how near they stand to the latest item that both have (as in STAN; Garg and others, SIGIR 2019):

    likeness(s) = |s|^-length x sum over the last items i that s has  fade^(steps back) x log(1 + n / n_i)^rarity
    score(j)    = sum over neighbours s  likeness(s) x sum over the places of j in s  decay^(distance - 1)

and `backward` times as much where j stands before that item. What nobody near has follows by popularity, which adds a
millionth, or half of the least vote that there can be where that is less. No training; strangers are scored by their
history alone; an update is exact. A history that is in train votes too, for its own items only.

Cost of a list: who has the last items (items' popularity), and 2 x `window` steps for each neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palate.interactions import Histories
from palate.models.algorithm import Floats
from palate.models.contexts import Contexts
from palate.models.counted import Counted
from palate.models.dense import nearest_by_score, of_columns
from palate.models.recent import recent
from palate.models.search import Options, Span
from palate.vocabulary import Codes

Reals = NDArray[np.float64]

_POPULAR = 1e-6  # score of the most popular item where nobody votes, or half of the least vote


@dataclass
class SessionKNNState:
    """What it keeps: the sessions, and who has each item where."""

    indptr: NDArray[np.int64]
    """(users + 1) the likes of each user, oldest first"""
    item: NDArray[np.int32]
    """(likes)"""
    rows: NDArray[np.int64]
    """(items + 1) who has each item"""
    user: NDArray[np.int32]
    """(pairs) users, ascending in each row"""
    place: NDArray[np.int64]
    """(pairs) the last place in `item` where the user has it"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        sizes = self.item.shape == (self.indptr[-1],) and self.user.shape == self.place.shape
        return bool(sizes) and self.rows.shape == (n_items + 1,) and self.user.shape == (self.rows[-1],)


class SessionKNN(Counted):
    """Nearest histories, compared by their last items."""

    name: ClassVar[str] = "session_knn"
    verbs: ClassVar[frozenset[str]] = frozenset({"similar", "explain", "update", "forget"})
    reads_order: ClassVar[bool] = True
    state_type: ClassVar[type] = SessionKNNState

    neighbours: Annotated[int, Span(30, 1_000, log=True)] = Field(200, ge=1)
    """how many histories vote"""
    last: Annotated[int, Options((3, 5, 10, 20))] = Field(10, ge=1, le=1_000)
    """how many of a history's last items it is compared by"""
    fade: Annotated[float, Span(0.3, 1.0)] = Field(0.8, gt=0, le=1)
    """each of them counts so many times as much as the one after it"""
    rarity: Annotated[float, Span(0.0, 2.0)] = Field(1.0, ge=0, le=10)
    """power of the logarithm by which an item counts more that few have; 0: all items alike"""
    length: Annotated[float, Span(0.0, 1.0)] = Field(0.25, ge=0, le=2)
    """power of its length by which a long history counts less; 0: not at all"""
    window: Annotated[int, Options((5, 10, 20))] = Field(20, ge=1, le=1_000)
    """how far from the latest item in common a neighbour's items may stand"""
    decay: Annotated[float, Span(0.4, 1.0)] = Field(0.75, gt=0, le=1)
    """each place further from it counts so many times as much"""
    backward: Annotated[float, Span(0.0, 0.6)] = Field(0.2, ge=0, le=1)
    """how much an item counts that a neighbour had before it, against one that came after"""

    def _count(self, events: Histories, n_items: int) -> SessionKNNState:
        from palate.kernels.sessions import last_places

        liked = recent(events)
        return SessionKNNState(liked.indptr, liked.item, *last_places(liked.indptr, liked.item, n_items))

    def _asked(self, contexts: Contexts) -> tuple[NDArray[np.int64], Codes, Reals]:
        """Return the distinct last likes of each context as CSR, the latest last, and what each counts."""
        past = recent(contexts.events, self.last)
        context = np.repeat(np.arange(len(past)), past.lengths)
        pair = context * np.int64(len(self.items)) + past.item
        kept = np.sort(
            len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]
        )  # the last of a repeated one
        item, context = past.item[kept], context[kept]
        back = past.indptr[context + 1] - 1 - kept
        return np.searchsorted(context, np.arange(len(past) + 1)), item, self._weight(item, back)

    def _weight(self, item: Codes, back: NDArray[np.int64]) -> Reals:
        having = np.maximum(np.diff(self.fitted.state.rows)[item], 1)
        return np.asarray(self.fade**back * np.log1p(len(self.users) / having) ** self.rarity)

    def _sessions(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], Reals]:
        """Return who has each item and where, and what likeness each user has for one item of weight 1."""
        state: SessionKNNState = self.fitted.state
        strength = self._once(lambda state: np.maximum(np.diff(state.indptr), 1) ** -self.length)
        return state.rows, state.user, state.place, strength

    def _around(self) -> tuple[Reals, Reals]:
        ahead = np.float64(self.decay) ** np.arange(self.window)
        return ahead, self.backward * ahead

    def _votes(self, indptr: NDArray[np.int64], past: Codes, weight: Reals) -> Reals:
        """Return the scores of all items for each past, (pasts, items)."""
        from palate.kernels.sessions import add_neighbours

        state: SessionKNNState = self.fitted.state
        scores = np.zeros((len(indptr) - 1, len(self.items)))
        k = min(self.neighbours, len(self.users))
        add_neighbours(
            indptr, past, weight, *self._sessions(), state.indptr, state.item, *self._around(), k, scores
        )
        return scores

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        scores = self._votes(*self._asked(contexts))
        scores += self._popular() * self.popularity
        return of_columns(scores.T, columns).T

    def _popular(self) -> float:
        """Return what an item gains for each who chose it: for the most popular, less than any vote."""
        rows, *_, strength = self._sessions()
        rarest = np.log1p(len(self.users) / max(np.diff(rows).max(initial=1), 1)) ** self.rarity
        nearness = min(self.backward or 1.0, 1.0) * self.decay ** (self.window - 1)
        least = strength.min(initial=1.0) * self.fade ** (self.last - 1) * rarest * nearness
        return float(max(min(_POPULAR, least / 2), np.finfo(np.float64).tiny) / self.popularity.max())

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        """Return what a history of that item alone would be recommended."""

        def votes(some: Codes) -> Reals:
            one = np.arange(len(some) + 1)
            return self._votes(one, some, self._weight(some, np.zeros(len(some), np.int64)))

        return nearest_by_score(votes, items, k, len(self.items))

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        """Return what each last item gives the score: its part of the likeness of those who vote for the item."""
        from palate.kernels.sessions import neighbours

        state: SessionKNNState = self.fitted.state
        _, past, weight = self._asked(contexts)
        rows, user, place, strength = self._sessions()
        near, anchor = neighbours(
            past, weight, rows, user, place, strength, min(self.neighbours, len(self.users))
        )
        ahead, behind = self._around()
        vote = np.zeros(len(self.users))
        for u, at in zip(near, anchor, strict=True):
            there = state.indptr[u] + np.flatnonzero(
                state.item[state.indptr[u] : state.indptr[u + 1]] == item
            )
            distance = there - at
            distance = distance[(distance != 0) & (np.abs(distance) <= self.window)]
            near_by = np.where(distance > 0, ahead[np.abs(distance) - 1], behind[np.abs(distance) - 1])
            vote[u] = strength[u] * near_by.sum()
        effects = [
            share * vote[user[rows[a] : rows[a + 1]]].sum() for a, share in zip(past, weight, strict=True)
        ]
        baseline = self._popular() * self.popularity[item]
        return past, np.array(effects, np.float64), float(baseline)
