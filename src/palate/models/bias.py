"""Bias: what is usual, what the user usually gives, and what the item usually gets.

    r(u, i) = mu + b_u + b_i,    least sum of (r - mu - b_u - b_i)^2 + user_damping b_u^2 + item_damping b_i^2

Koren, "Factorization Meets the Neighborhood", KDD 2008, section 2.1. The problem is a ridge regression, so there is one
answer. A strong baseline for ratings, and no personal one for lists: everybody gets the same order. Users are known by
their ratings alone, so a new one needs no fit. Cost: linear in ratings, some tens of passes over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palate.interactions import Interactions
from palate.models.algorithm import Floats, Pairs
from palate.models.base import Recommender
from palate.models.contexts import Contexts
from palate.models.mean import damped_means
from palate.models.ratings import Ratings
from palate.models.search import Span
from palate.vocabulary import Codes

_STEPS = 1_000
_CLOSE = 1e-12  # what may be left of the gradient


@dataclass
class BiasState:
    """What it learns."""

    mean: float
    """of all ratings"""
    item: NDArray[np.float64]
    """(items) b_i"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        return self.item.shape == (n_items,)


class Bias(Recommender):
    """Mean, user's bias and item's bias."""

    name: ClassVar[str] = "bias"
    verbs: ClassVar[frozenset[str]] = frozenset({"rate"})
    learns_from_history: ClassVar[bool] = False
    needs_values: ClassVar[bool] = True
    state_type: ClassVar[type] = BiasState

    user_damping: Annotated[float, Span(1, 30, log=True)] = Field(5.0, gt=0, allow_inf_nan=False)
    """penalty on a user's bias: so many ratings without a bias on top of the user's own"""
    item_damping: Annotated[float, Span(1, 30, log=True)] = Field(3.0, gt=0, allow_inf_nan=False)
    """penalty on an item's bias"""

    def _fit(self, train: Interactions, pairs: Pairs) -> BiasState:
        ratings = Ratings.of_interactions(train)
        mean = float(ratings.value.mean())
        return BiasState(mean, item_biases(ratings, mean, self.user_damping, self.item_damping))

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        state: BiasState = self.fitted.state
        return state.mean + self._user(contexts)[:, None] + state.item[columns]

    def _rate(self, contexts: Contexts, place: Codes, items: Codes) -> NDArray[np.float64]:
        state: BiasState = self.fitted.state
        rating: NDArray[np.float64] = state.mean + self._user(contexts)[place] + state.item[items]
        return rating

    def _user(self, contexts: Contexts) -> NDArray[np.float64]:
        """(contexts) b_u: the last step of the fit, which needs the items' biases only."""
        state: BiasState = self.fitted.state
        told = Ratings.of_histories(contexts.events, len(self.items))
        rest = told.value - state.mean - state.item[told.column]
        return damped_means(told.row, rest, len(contexts), self.user_damping)


def item_biases(
    ratings: Ratings, mean: float, user_damping: float, item_damping: float
) -> NDArray[np.float64]:
    """Return the items' biases, (items), at the least of the penalised sum of squares.

    With the users' put in, (n_i + item_damping) b_i - sum over the item's ratings of b_u(b) = sum of (r - mu): a
    system of the size of the catalogue, solved by conjugate gradients (Hestenes, Stiefel 1952), preconditioned by its
    diagonal.
    """
    from scipy.sparse import csr_matrix

    shape = (len(ratings), ratings.n_columns)
    rated = csr_matrix((np.ones(len(ratings.value)), ratings.column, ratings.indptr), shape=shape)
    by_item = rated.T.tocsr()
    rest = csr_matrix((ratings.value - mean, ratings.column, ratings.indptr), shape=shape)
    user_weight = 1 / (ratings.counts + user_damping)
    diagonal = np.bincount(ratings.column, minlength=ratings.n_columns) + item_damping

    def times(item: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(diagonal * item - by_item @ (user_weight * (rated @ item)))

    found = np.zeros(ratings.n_columns)
    left = np.asarray(rest.sum(axis=0)).ravel() - by_item @ (
        user_weight * np.asarray(rest.sum(axis=1)).ravel()
    )
    step = left / diagonal
    size = first = left @ step
    for _ in range(_STEPS):
        if size <= _CLOSE**2 * first:
            break
        ahead = times(step)
        length = size / (step @ ahead)
        found += length * step
        left -= length * ahead
        former, size = size, left @ (left / diagonal)
        step = left / diagonal + size / former * step
    return found
