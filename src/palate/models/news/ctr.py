"""CTR: the click rate of each article so far, what every model of news must beat.

Of the times an article was shown before this moment, the share in which it was clicked, drawn towards the rate of all
articles as if it had been shown `strength` times more. While impressions with labels and times are scored, it counts
on: each is scored by what had happened before its second, then it counts for those after it. So no click is seen
before it happens, and the last impressions of a test are scored by more than the first ones; `running = false` stops
at train's end.

It reads neither text nor reader. Time and memory: one pass over candidates; two numbers an article.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palate.kernels import impressions
from palate.models.algorithm import Floats
from palate.models.contexts import Contexts
from palate.models.news.base import NewsModel
from palate.news import Impressions
from palate.vocabulary import Codes


@dataclass
class CTRState:
    """What was counted in train."""

    shows: NDArray[np.float64]
    """(articles) times shown"""
    clicks: NDArray[np.float64]
    """(articles) times clicked"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many articles."""
        return self.shows.shape == self.clicks.shape == (n_items,)


class CTR(NewsModel):
    """Smoothed click-through rate so far."""

    name: ClassVar[str] = "ctr"
    needs_text: ClassVar[bool] = False
    state_type: ClassVar[type] = CTRState

    of: Literal["rate", "clicks"] = "rate"
    """what counts: clicks a show, or clicks alone"""
    strength: float = Field(50.0, ge=0, allow_inf_nan=False)
    """shows at the mean rate that are added to those of each article (of = rate)"""
    running: bool = True
    """count on while impressions with labels and times are scored"""

    def _learn(self, train: Impressions, valid: Impressions | None) -> CTRState:
        code = train.codes_in(self.items)[train.candidate]
        shows = np.bincount(code, minlength=len(self.items)).astype(np.float64)
        clicks = np.bincount(code, train.labels, minlength=len(self.items)).astype(np.float64)
        return CTRState(shows, clicks)

    def _moved(self, state: CTRState, code: Codes, n_items: int) -> CTRState:
        moved = CTRState(np.zeros(n_items), np.zeros(n_items))
        moved.shows[code], moved.clicks[code] = state.shows, state.clicks
        return moved

    def _score_shown(self, shown: Impressions) -> NDArray[np.float64]:
        state: CTRState = self.fitted.state
        code = shown.codes_in(self.items)[shown.candidate]
        if self.running and shown.time is not None and shown.clicked is not None:
            order = np.argsort(shown.time, kind="stable")
            shows, clicks = impressions.so_far(
                order, shown.time, shown.indptr, code, shown.clicked, state.shows.copy(), state.clicks.copy()
            )
        else:
            known = code >= 0
            shows, clicks = (np.where(known, of[code], 0.0) for of in (state.shows, state.clicks))
        return self._rate_of(shows, clicks)

    def _rate_of(self, shows: NDArray[np.float64], clicks: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.of == "clicks":
            return clicks
        state: CTRState = self.fitted.state
        mean = state.clicks.sum() / state.shows.sum()
        rate: NDArray[np.float64] = (clicks + self.strength * mean) / np.maximum(shows + self.strength, 1e-12)
        return rate

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        state: CTRState = self.fitted.state
        scores = self._rate_of(state.shows[columns], state.clicks[columns])
        return np.broadcast_to(scores, (len(contexts), len(columns)))
