"""News blend: several models of news as one, their scores with weights that the end of train gives.

    s(u, i) = sum over models of w_m z_m(u, i)

where z is a model's score less its mean over the candidates of the impression, by its standard deviation there; what a
model does not know has 0. `rank` and `score` do so over the items that they are given, `recommend` over all that it may
list: the scores of one call compare, those of two need not. The weights make the clicks of the last impressions of
train most likely among what was shown beside them (the conditional logit of McFadden 1974, a concave problem), for
which the models are fitted once more, to what came before. None is below zero. So the click rate so far, which reads
nothing, and the words, which count nothing, add up.

Cost: the models' own, twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from palate.errors import PlanError
from palate.models import logit, nested
from palate.models.algorithm import Floats
from palate.models.base import Recommender
from palate.models.blend import standard
from palate.models.contexts import Contexts
from palate.models.news.base import NewsModel
from palate.news import Impressions
from palate.vocabulary import Codes

_ASKED = 2**22  # scores of a model that weights are found on, at most


@dataclass(kw_only=True)
class NewsBlendState(nested.Nested):
    """What it learns: the states of its models, and their weights."""

    weights: NDArray[np.float64]
    """(models)"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many articles."""
        return self.weights.shape == (len(self.names),) and super().fits(n_items)


class NewsBlend(NewsModel):
    """Several models of news as one."""

    name: ClassVar[str] = "news_blend"
    needs_text: ClassVar[bool] = False
    learns_from_history: ClassVar[bool] = False
    state_type: ClassVar[type] = NewsBlendState

    models: list[dict[str, Any]] = Field([{"name": "ctr"}, {"name": "content"}], min_length=1)
    """each as in a plan: its name and its parameters, such as {name = "nrms", epochs = 5}"""
    holdout: float = Field(0.25, gt=0, lt=1)
    """share of train, the last in time, on which the weights are found"""

    @field_validator("models")
    @classmethod
    def _checked(cls, models: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for model in nested.check(models, cls.name):
            if not isinstance(nested.create(model), NewsModel):
                raise PlanError(
                    f"{cls.name}: {model['name']} learns from no impressions, and so has no place in it."
                )
        return models

    # --- fit ------------------------------------------------------------------------------------------------

    def _learn(self, train: Impressions, valid: Impressions | None) -> NewsBlendState:
        weights = np.ones(len(self.models))
        if len(self.models) > 1:
            early, late = train.before(1 - self.holdout)  # no times: says so
            # A checkpoint is of the models' own training, and not of this one beside it.
            aside = [model | ({"checkpoint": None} if "checkpoint" in model else {}) for model in self.models]
            weights = _weights([one.score_impressions(late) for one in self._fit_all(aside, early)], late)
        states = [one.fitted.state for one in self._fit_all(self.models, train)]
        return NewsBlendState.of([str(model["name"]) for model in self.models], states, weights=weights)

    def _fit_all(self, models: list[dict[str, Any]], train: Impressions) -> list[Recommender]:
        catalogue = self.fitted.catalogue
        return [nested.create(model).fit(train, catalogue=catalogue) for model in models]

    def _moved(self, state: NewsBlendState, code: Codes, n_items: int) -> NewsBlendState:
        moved = []
        for model, one in zip(self.models, state.states(), strict=True):
            member = nested.create(model)
            assert isinstance(member, NewsModel)
            member._fitted = replace(self.fitted, state=one)
            moved.append(member._moved(one, code, n_items))
        return NewsBlendState.of(state.names, moved, weights=state.weights)

    # --- answers --------------------------------------------------------------------------------------------

    def _members(self, state: NewsBlendState) -> list[Recommender]:
        """Return the fitted models; they share all with the blend but their states."""
        members = []
        for model, one in zip(self.models, state.states(), strict=True):
            member = nested.create(model)
            member._fitted = replace(self.fitted, state=one)
            members.append(member)
        return members

    def _score_shown(self, shown: Impressions) -> Floats:
        scores = np.zeros(shown.n_candidates)
        for member, weight in zip(self._once(self._members), self.fitted.state.weights, strict=True):
            if weight > 0:
                scores += weight * within(shown, member.score_impressions(shown))
        return scores

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        """Standardise over what is asked for, as an impression over what it shows."""
        scores = np.zeros((len(contexts), len(columns)))
        for member, weight in zip(self._once(self._members), self.fitted.state.weights, strict=True):
            if weight > 0:
                scores += weight * standard(member._scores(contexts, columns).astype(np.float64))
        return scores


def within(shown: Impressions, scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return scores less the mean of their impression, by its standard deviation; 0 for what has none."""
    known = np.isfinite(scores)
    told, row, n = np.where(known, scores, 0.0).astype(np.float64), shown.row_of, len(shown)
    count = np.maximum(np.bincount(row, known, n), 1)
    rest = np.where(known, told - (np.bincount(row, told, n) / count)[row], 0.0)
    spread = np.sqrt(np.bincount(row, rest**2, n) / count)
    large = np.maximum.reduceat(np.abs(told), shown.indptr[:-1])
    some = (spread > 1e-12 * large)[row]
    found: NDArray[np.float64] = np.divide(rest, spread[row], out=np.zeros(len(rest)), where=some)
    return found


def _weights(scores: list[NDArray[np.floating]], shown: Impressions) -> NDArray[np.float64]:
    """Return the weights under which the clicks of these impressions are most likely."""
    mixed = np.flatnonzero((shown.clicks_of > 0) & (shown.clicks_of < shown.sizes))
    if not len(mixed):
        return np.ones(len(scores))
    longest = int(shown.sizes[mixed].max())
    mixed = mixed[-max(1, _ASKED // longest) :]
    part = np.isin(shown.row_of, mixed)
    row = np.searchsorted(mixed, shown.row_of[part])
    place = (np.arange(shown.n_candidates) - shown.indptr[shown.row_of])[part]
    dense, free, chosen = (
        np.zeros((len(scores), len(mixed), longest)),
        np.zeros((len(mixed), longest), np.bool_),
        np.zeros((len(mixed), longest), np.bool_),
    )
    free[row, place], chosen[row, place] = True, shown.labels[part]
    for model, one in enumerate(scores):
        dense[model, row, place] = within(shown, one)[part]
    return logit.weights(dense, chosen, free)
