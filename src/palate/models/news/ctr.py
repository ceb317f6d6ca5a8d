"""CTR: the click rate of each article so far, what every model of news must beat.

Of the times an article was shown before this moment, the share in which it was clicked, drawn towards the rate of all
articles in train until then as if it had been shown `strength` times more. Each impression is scored by what had
happened before its second: in train, whose moments are kept, and among the impressions that are scored with it, as far
as they have labels and times. So no click is seen before it happens, and the last impressions of a test are scored by
more than the first ones. `running = false` counts train alone. What has no time is scored by all of train.

It reads neither text nor reader, so it answers anybody. Time: one pass over candidates, and a bisection for each that
was shown before train ended. Memory: 5 bytes a candidate of train, two numbers an article.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    """What was counted in train, and when it happened; without times only what was counted."""

    shows: NDArray[np.float64]
    """(articles) times shown"""
    clicks: NDArray[np.float64]
    """(articles) times clicked"""
    seconds: NDArray[np.int64]
    """(moments) the distinct seconds of train, ascending; none without times"""
    moment: NDArray[np.int32]
    """(candidates of train) place in `seconds`: those of article 0 first, the earliest first"""
    clicked: NDArray[np.bool_]
    """(candidates of train) in the order of `moment`"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many articles, and point into each other."""
        n = int(self.shows.sum()) if len(self.seconds) else 0
        return bool(
            self.shows.shape == self.clicks.shape == (n_items,)
            and self.moment.shape == self.clicked.shape == (n,)
            and (n == 0 or (self.moment.min() >= 0 and self.moment.max() < len(self.seconds)))
        )


@dataclass(frozen=True)
class _Past:
    """Train's shows in a form that can be bisected."""

    order: NDArray[np.int64]
    """(candidates of train) article x moments + moment, ascending"""
    clicks: NDArray[np.int64]
    """(candidates of train + 1) clicks of those before"""
    rate: NDArray[np.float64]
    """(moments + 1) the share of all candidates before each moment that was clicked; 0 before the first"""

    @classmethod
    def of(cls, state: CTRState) -> _Past:
        """Return the shows that a state holds."""
        article = np.repeat(np.arange(len(state.shows)), state.shows.astype(np.int64))
        shows = np.cumsum(np.bincount(state.moment))
        clicks = np.cumsum(np.bincount(state.moment, state.clicked))
        return cls(
            article * len(state.seconds) + state.moment,
            np.concatenate([[0], np.cumsum(state.clicked)]),
            np.concatenate([[0.0], clicks / shows]),
        )

    def until(
        self, article: NDArray[np.int64], moment: NDArray[np.int64], moments: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how often each article had been shown, and clicked, before a moment of train."""
        begin = np.searchsorted(self.order, article * moments)
        stop = np.searchsorted(self.order, article * moments + moment)
        return stop - begin, self.clicks[stop] - self.clicks[begin]


class CTR(NewsModel):
    """Smoothed click-through rate so far."""

    name: ClassVar[str] = "ctr"
    needs_text: ClassVar[bool] = False
    learns_from_history: ClassVar[bool] = False
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
        if train.time is None:
            nothing = np.empty(0, np.int64)
            return CTRState(shows, clicks, nothing, nothing.astype(np.int32), nothing.astype(np.bool_))
        seconds, place = np.unique(train.time, return_inverse=True)
        moment = place.astype(np.int32)[train.row_of]
        order = np.lexsort((moment, code))
        return CTRState(shows, clicks, seconds, moment[order], train.labels[order])

    def _moved(self, state: CTRState, code: Codes, n_items: int) -> CTRState:
        # Codes keep their order, as ids do: what happened stays sorted by article.
        shows, clicks = np.zeros(n_items), np.zeros(n_items)
        shows[code], clicks[code] = state.shows, state.clicks
        return replace(state, shows=shows, clicks=clicks)

    def _score_shown(self, shown: Impressions) -> NDArray[np.float64]:
        code = shown.codes_in(self.items)[shown.candidate]
        shows, clicks = self._of_train(shown, code)
        if self.running and shown.time is not None and shown.clicked is not None:
            order = np.argsort(shown.time, kind="stable")
            nothing = np.zeros(len(self.items))
            here = impressions.so_far(
                order, shown.time, shown.indptr, code, shown.clicked, nothing, nothing.copy()
            )
            shows, clicks = shows + here[0], clicks + here[1]
        return self._rate_of(shows, clicks, self._mean(shown)[shown.row_of])

    def _mean(self, shown: Impressions) -> NDArray[np.float64]:
        """Return the click rate of train before the second of each impression, (impressions)."""
        state: CTRState = self.fitted.state
        whole = state.clicks.sum() / state.shows.sum()
        if shown.time is None or not len(state.seconds):
            return np.full(len(shown), whole)
        return self._once(_Past.of).rate[np.searchsorted(state.seconds, shown.time)]

    def _of_train(self, shown: Impressions, code: Codes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how often each candidate was shown and clicked in train before its second, each (candidates)."""
        state: CTRState = self.fitted.state
        known = code >= 0
        shows, clicks = (np.where(known, of[code], 0.0) for of in (state.shows, state.clicks))
        if shown.time is None or not len(state.seconds):
            return shows, clicks
        early = known & (shown.time <= state.seconds[-1])[shown.row_of]
        if early.any():
            moment = np.searchsorted(state.seconds, shown.time)[shown.row_of[early]]
            past = self._once(_Past.of)
            shows[early], clicks[early] = past.until(code[early].astype(np.int64), moment, len(state.seconds))
        return shows, clicks

    def _rate_of(
        self,
        shows: NDArray[np.float64],
        clicks: NDArray[np.float64],
        mean: NDArray[np.float64] | float,
    ) -> NDArray[np.float64]:
        if self.of == "clicks":
            return clicks
        rate: NDArray[np.float64] = (clicks + self.strength * mean) / np.maximum(shows + self.strength, 1e-12)
        return rate

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        state: CTRState = self.fitted.state
        mean = float(state.clicks.sum() / state.shows.sum())
        scores = self._rate_of(state.shows[columns], state.clicks[columns], mean)
        return np.broadcast_to(scores, (len(contexts), len(columns)))
