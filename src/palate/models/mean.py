"""Mean: an item's mean rating (or a user's, or the one of all), drawn towards the overall mean.

    r(u, i) = mu + sum of (r - mu) over the item's ratings / (their number + damping)

The floor of every board of ratings: a model that does not beat it has learnt nothing of the single user. Damped, since
the mean of two ratings is mostly luck. Cost: linear in ratings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palate.interactions import Interactions
from palate.models.algorithm import Floats, Pairs
from palate.models.base import Recommender
from palate.models.contexts import Contexts
from palate.models.ratings import Ratings
from palate.models.search import Options, Span
from palate.vocabulary import Codes


@dataclass
class MeanState:
    """What it learns."""

    mean: float
    """of all ratings"""
    item: NDArray[np.float64]
    """(items) what an item's rating differs from `mean` by; zeros where `level` is another"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        return self.item.shape == (n_items,)


class Mean(Recommender):
    """The mean rating of the item, of the user, or of everything."""

    name: ClassVar[str] = "mean"
    verbs: ClassVar[frozenset[str]] = frozenset({"rate"})
    learns_from_history: ClassVar[bool] = False
    needs_values: ClassVar[bool] = True
    state_type: ClassVar[type] = MeanState

    level: Annotated[Literal["item", "user", "global"], Options(("item", "user"))] = "item"
    """whose mean; the user's and the global one put no item above another, so their lists are in order of id"""
    damping: Annotated[float, Span(0.5, 50, log=True)] = Field(5.0, ge=0, allow_inf_nan=False)
    """ratings at the overall mean that each item or user is given on top of their own"""

    def _fit(self, train: Interactions, pairs: Pairs) -> MeanState:
        ratings = Ratings.of_interactions(train)
        mean = float(ratings.value.mean())
        item = np.zeros(train.n_items)
        if self.level == "item":
            item = damped_means(ratings.column, ratings.value - mean, train.n_items, self.damping)
        return MeanState(mean, item)

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        state: MeanState = self.fitted.state
        return state.mean + self._user(contexts)[:, None] + state.item[columns]

    def _rate(self, contexts: Contexts, place: Codes, items: Codes) -> NDArray[np.float64]:
        state: MeanState = self.fitted.state
        rating: NDArray[np.float64] = state.mean + self._user(contexts)[place] + state.item[items]
        return rating

    def _user(self, contexts: Contexts) -> NDArray[np.float64]:
        """(contexts) what a user's ratings differ from the mean by; zeros where `level` is another."""
        if self.level != "user":
            return np.zeros(len(contexts))
        told = Ratings.of_histories(contexts.events, len(self.items))
        return damped_means(told.row, told.value - self.fitted.state.mean, len(contexts), self.damping)


def damped_means(
    group: Codes, value: NDArray[np.float64], n_groups: int, damping: float
) -> NDArray[np.float64]:
    """Return (n_groups) sum of values / (number of values + damping); 0 for a group without any."""
    total, n = np.bincount(group, value, n_groups), np.bincount(group, minlength=n_groups)
    means: NDArray[np.float64] = np.divide(total, n + damping, out=np.zeros(n_groups), where=n > 0)
    return means
