"""Markov: what comes after what, item by item; the simplest model that knows of order.

A first-order Markov chain over items (Rendle, Freudenthaler, Schmidt-Thieme, "Factorizing personalized Markov chains",
WWW 2010, take its unfactorised form as their baseline) with three things that sparse histories ask for: an item counts
as following others further back too, `decay`^(distance - 1) each; an item that came just before counts `backward` times
as much as one that came after; and the successors of rarely seen items are mixed with what is popular, as a language
model mixes bigrams with unigrams (Dirichlet smoothing; Zhai and Lafferty, SIGIR 2001):

    P(b | a) = (c_ab + smoothing x p_b) / (c_a + smoothing),    c_a = sum_b c_ab,  p_b the share of b in train's events

A history is scored by its last items, each `fade` times as much as the one after it: the mean of their P(b | a). Scores
are thus probabilities of the next item. Fast to fit, hard to beat where order matters and data is sparse: a sequence
model that does not beat it has learnt little. Strangers are scored by their history alone; an update is exact.

Cost: 4 x `window` steps an event; 8 bytes for each pair of items that occurs within the window.
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
from palate.models.dense import nearest_by_score
from palate.models.recent import recent
from palate.models.search import Options, Span
from palate.vocabulary import Codes

Reals = NDArray[np.float64]


@dataclass
class MarkovState:
    """What it learns: a row of successors for each item, as CSR, and what the rows are mixed with."""

    indptr: NDArray[np.int64]
    """(items + 1)"""
    item: NDArray[np.int32]
    """(pairs) successors of each item, in no order"""
    chance: NDArray[np.float32]
    """(pairs) c_ab / (c_a + smoothing)"""
    prior: NDArray[np.float64]
    """(items) share of train's events"""
    rest: NDArray[np.float64]
    """(items) smoothing / (c_a + smoothing): what the prior counts in each row"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        rows = self.indptr.shape == (n_items + 1,) and self.item.shape == self.chance.shape == (
            self.indptr[-1],
        )
        return bool(rows) and self.prior.shape == self.rest.shape == (n_items,)


class Markov(Counted):
    """A Markov chain over items, smoothed by popularity."""

    name: ClassVar[str] = "markov"
    verbs: ClassVar[frozenset[str]] = frozenset({"similar", "explain", "update", "forget"})
    reads_order: ClassVar[bool] = True
    state_type: ClassVar[type] = MarkovState

    window: Annotated[int, Options((1, 3, 5, 10, 20))] = Field(10, ge=1, le=1_000)
    """how many places apart two items of a history may stand, for one to count as following the other"""
    decay: Annotated[float, Span(0.4, 1.0)] = Field(0.8, gt=0, le=1)
    """each place further apart counts so many times as much"""
    backward: Annotated[float, Span(0.0, 0.6)] = Field(0.1, ge=0, le=1)
    """how much an item counts that came before, against one that came after; 1: order does not matter"""
    last: Annotated[int, Options((1, 3, 5, 10, 20))] = Field(10, ge=1)
    """how many of a history's last items are asked for their successors"""
    fade: Annotated[float, Span(0.2, 0.9)] = Field(0.6, gt=0, le=1)
    """each of them counts so many times as much as the one after it"""
    smoothing: Annotated[float, Span(1.0, 300.0, log=True)] = Field(50.0, ge=0, allow_inf_nan=False)
    """how many pairs' worth of popularity are mixed into the successors of each item"""

    def _count(self, events: Histories, n_items: int) -> MarkovState:
        from palate.kernels.transitions import transitions

        liked = recent(events)
        ahead = np.float64(self.decay) ** np.arange(self.window)
        indptr, item, count = transitions(liked.indptr, liked.item, n_items, ahead, self.backward * ahead)
        row = np.repeat(np.arange(n_items), np.diff(indptr))
        total = np.bincount(row, count, minlength=n_items)
        mass = total + self.smoothing
        rest = np.divide(self.smoothing, mass, out=np.ones(n_items), where=total > 0)
        chance = (count / mass[row]).astype(np.float32)
        prior = np.bincount(liked.item, minlength=n_items) / len(liked.item)
        return MarkovState(indptr, item, chance, prior, rest)

    def _asked(self, contexts: Contexts) -> tuple[Histories, Reals]:
        """Return the last likes of each context and their weights (events), which add up to 1 in each."""
        past = recent(contexts.events, self.last)
        place = np.arange(len(past.item)) - np.repeat(past.indptr[1:] - 1, past.lengths)  # 0 for the last one
        weight = self.fade ** (-place)
        context = np.repeat(np.arange(len(past)), past.lengths)
        return past, weight / np.bincount(context, weight, minlength=len(past))[context]

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        state: MarkovState = self.fitted.state
        past, weight = self._asked(contexts)
        context = np.repeat(np.arange(len(past)), past.lengths)
        rest = np.bincount(context, weight * state.rest[past.item], minlength=len(past))
        scores = np.multiply.outer(rest, state.prior)
        self._add(past.indptr, past.item, weight, scores)
        every = len(columns) == scores.shape[1] and (columns[:-1] < columns[1:]).all()
        return scores if every else scores[:, columns]

    def _add(self, indptr: NDArray[np.int64], past: Codes, weight: Reals, scores: Reals) -> None:
        """Add the successors of each context's past items, times their weights, to `scores` (contexts, items)."""
        from palate.kernels.transitions import add_rows

        state: MarkovState = self.fitted.state
        add_rows(indptr, past, weight, state.indptr, state.item, state.chance, scores)

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        """Return what follows each item most often."""

        def successors(some: Codes) -> Reals:
            scores = np.zeros((len(some), len(self.items)))
            self._add(np.arange(len(some) + 1), some, np.ones(len(some)), scores)
            return scores

        return nearest_by_score(successors, items, k, len(self.items))

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        """Return what each of the last items gives the score through its successors; the rest is popularity."""
        state: MarkovState = self.fitted.state
        past, weight = self._asked(contexts)
        effects = np.zeros(len(past.item))
        for n, (a, share) in enumerate(zip(past.item, weight, strict=True)):
            row = slice(state.indptr[a], state.indptr[a + 1])
            effects[n] = share * state.chance[row][state.item[row] == item].sum()
        items, place = np.unique(past.item, return_inverse=True)
        baseline = float((weight * state.rest[past.item]).sum() * state.prior[item])
        return items, np.bincount(place, effects, minlength=len(items)).astype(np.float64), baseline
