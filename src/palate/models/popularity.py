"""Popularity: the same list for everybody, less what each has seen. The baseline that a model must beat.

All of time, or recent: an item's score is the number of distinct users who chose it, each counted 0.5^(age / half_life)
where age is that of the user's latest choice of it. Cost: linear in rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palate.errors import DataError
from palate.interactions import Histories
from palate.models.algorithm import Floats
from palate.models.contexts import Contexts
from palate.models.counted import Counted
from palate.models.search import Options
from palate.vocabulary import Codes

DAY = 86_400


@dataclass
class PopularityState:
    """What popularity learns."""

    score: NDArray[np.float64]
    """(items)"""
    time_now: int
    """seconds: age is counted from here"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        return self.score.shape == (n_items,)


class Popularity(Counted):
    """Most chosen items, of all time or recently."""

    name: ClassVar[str] = "popularity"
    verbs: ClassVar[frozenset[str]] = frozenset({"update", "forget"})
    learns_from_history: ClassVar[bool] = False
    state_type: ClassVar[type] = PopularityState

    half_life_days: Annotated[float | None, Options((None, 7.0, 30.0, 90.0, 365.0))] = Field(
        None, gt=0, allow_inf_nan=False
    )
    """after so many days a choice counts half; None: all of time counts alike"""

    def _count(self, events: Histories, n_items: int) -> PopularityState:
        if self.half_life_days is not None and events.time is None:
            raise DataError(
                "popularity: half_life_days needs a time of each interaction: name the time column, or leave it out."
            )
        liked = events.value >= 0
        now = 0 if events.time is None or not liked.any() else int(events.time[liked].max())
        user = np.repeat(np.arange(len(events)), events.lengths)[liked]
        pair = user * np.int64(n_items) + events.item[liked]
        # Events of a user are in time order, so the last of a pair is its latest.
        _, first_from_end = np.unique(pair[::-1], return_index=True)
        latest = len(pair) - 1 - first_from_end
        weight = np.ones(len(latest))
        if self.half_life_days is not None and events.time is not None:
            age = now - events.time[liked][latest]
            weight = 0.5 ** (age / (self.half_life_days * DAY))
        score = np.bincount(events.item[liked][latest], weight, minlength=n_items)
        return PopularityState(score.astype(np.float64), now)

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        score: NDArray[np.float64] = self.fitted.state.score[columns]
        return np.broadcast_to(score, (len(contexts), len(columns))).copy()
