"""Models whose state is counted from the histories alone: a change counts anew, exactly, at the price of a fit."""

from __future__ import annotations

from typing import Any

from palate.interactions import Histories, Interactions
from palate.models import incremental
from palate.models.algorithm import Fitted, Pairs
from palate.models.base import Recommender


class Counted(Recommender):
    """What such a model writes is `_count`."""

    def _count(self, events: Histories, n_items: int) -> Any:
        """Return the learned state; negative events have a value below zero."""
        raise NotImplementedError

    def _fit(self, train: Interactions, pairs: Pairs) -> Any:
        return self._count(train.histories(), train.n_items)

    def _update(self, events: Interactions) -> None:
        self._recount(incremental.extend(self.fitted, events).fitted)

    def _forget(self, user: int) -> None:
        self._recount(incremental.remove(self.fitted, user).fitted)

    def _recount(self, fitted: Fitted) -> None:
        fitted.state = self._count(fitted.histories, len(fitted.items))
        self._fitted = fitted
