"""Blend: one list, or one rating, out of several models'.

Lists. `ranks`: reciprocal rank fusion (Cormack, Clarke, Buettcher, SIGIR 2009), with no weight to learn:

    s(u, i) = sum over models of 1 / (60 + place of i in the model's order)

`weights`: s(u, i) = sum of w_m z_m(u, i), where z is the model's score less its mean over the catalogue, by its
standard deviation. The weights make what users did choose most likely among the first hundred of any model (the
conditional logit of McFadden 1974: a concave problem; over the whole catalogue the many items that nobody would list
outvote the few that lists are made of). Ratings: the plain mean of the models' ratings, or c + sum of w_m r_m by least
squares.

Weights are found on validation rows: those given to `fit`, or else a tenth of each user's train rows, for which the
models are fitted once more without them. None is below zero. Cost: the models' own, twice without validation rows; and
all scores of all models for a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from palate.errors import SplitError
from palate.interactions import Interactions
from palate.models import logit, nested
from palate.models.algorithm import Floats, Pairs
from palate.models.base import Recommender
from palate.models.contexts import Contexts
from palate.models.search import Options
from palate.split import stratified
from palate.vocabulary import Codes

_FIRST = 60  # of reciprocal rank fusion: how little the first place counts above the second
_SHARE = 0.9  # of train that the models see while weights are found
_CELLS = 2**22  # scores of a model held at a time
_ASKED = 2**24  # scores of a model that weights are found on, at most
_USERS = 2_000  # and users, at most
_LISTED = 100  # first places of each model, among which the choices are made likely


@dataclass(kw_only=True)
class BlendState(nested.Nested):
    """What it learns: the states of its models, and their weights."""

    weights: NDArray[np.float64]
    """(models) in lists"""
    shares: NDArray[np.float64]
    """(1 + models) in ratings: the constant, then each model's; zeros where a model rates nothing"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        n = len(self.names)
        return self.weights.shape == (n,) and self.shares.shape == (1 + n,) and super().fits(n_items)


class Blend(Recommender):
    """Several models as one."""

    name: ClassVar[str] = "blend"
    verbs: ClassVar[frozenset[str]] = frozenset({"rate"})
    state_type: ClassVar[type] = BlendState

    models: list[dict[str, Any]] = Field([{"name": "sar"}, {"name": "ease"}], min_length=1)
    """each as in a plan: its name and its parameters, such as {name = "ease", l2 = 200}"""
    fusion: Annotated[Literal["ranks", "weights"], Options(("ranks", "weights"))] = "ranks"
    """how lists are made one: by places alone, or by scores with weights that validation rows give"""
    seed: int = Field(42, ge=0)
    """of the validation rows that are taken out of train"""

    @field_validator("models")
    @classmethod
    def _checked(cls, models: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return nested.check(models, cls.name)

    def can(self, verb: str) -> bool:
        """Return whether it has a verb; it rates where one of its models does."""
        return super().can(verb) and any(nested.create(model).can(verb) for model in self.models)

    @property
    def folds_in(self) -> bool:
        """Whether it scores a history alone: where all of its models do."""
        return all(nested.create(model).folds_in for model in self.models)

    # --- fit ------------------------------------------------------------------------------------------------

    def _fit(self, train: Interactions, pairs: Pairs) -> BlendState:
        members = self._fit_all(train, self._valid)
        rates = np.array([member.can("rate") for member in members])
        weights, shares = np.ones(len(members)), np.r_[0.0, rates / max(rates.sum(), 1)]
        if self.fusion == "weights":
            weights, shares = self._found(train, members, weights, shares)
        states = [member.fitted.state for member in members]
        return BlendState.of([member.name for member in members], states, weights=weights, shares=shares)

    def _fit_all(self, train: Interactions, valid: Interactions | None) -> list[Recommender]:
        return [nested.create(model).fit(train, valid=valid) for model in self.models]

    def _found(
        self,
        train: Interactions,
        members: list[Recommender],
        weights: NDArray[np.float64],
        shares: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return weights in lists and in ratings that suit validation rows; those given where none can be had."""
        held = self._valid
        if held is None:
            try:
                parts = stratified(train, ratio=_SHARE, seed=self.seed)
            except SplitError:  # too few rows to take some out
                return weights, shares
            held, members = parts.test, self._fit_all(parts.train, None)
        user, item = members[0].users.encode(held.users.ids), members[0].items.encode(held.items.ids)
        user, item = user[held.user], item[held.item]
        known = (user >= 0) & (item >= 0) & (held.signed_value() >= 0)
        if not known.any():
            return weights, shares
        user, item, value = user[known], item[known], held.value[known].astype(np.float64)
        if held.has_values and value.min() < value.max() and any(shares):
            shares = _shares(members, user, item, value)
        return self._list_weights(members, user, item), shares

    def _list_weights(self, members: list[Recommender], user: Codes, item: Codes) -> NDArray[np.float64]:
        n_items = len(members[0].items)
        asked = np.unique(user)
        most = max(1, min(_USERS, _ASKED // n_items))
        if len(asked) > most:
            asked = np.sort(np.random.default_rng(self.seed).choice(asked, most, replace=False))
        events = members[0].fitted.histories.select(asked)
        contexts = Contexts(members[0].users.ids.gather(asked), asked, events)
        scores = np.stack([standard(_scores(member, contexts)).astype(np.float32) for member in members])
        place = np.searchsorted(asked, user).clip(max=len(asked) - 1)
        there = asked[place] == user
        chosen = np.zeros((len(asked), n_items), np.bool_)
        chosen[place[there], item[there]] = True
        free = np.ones(chosen.shape, np.bool_)
        free[np.repeat(np.arange(len(asked)), events.lengths), events.item] = False
        free &= _listed(scores, free)
        chosen &= free
        return logit.weights(scores, chosen, free) if chosen.any() else np.ones(len(members))

    # --- answers --------------------------------------------------------------------------------------------

    def _members(self) -> list[Recommender]:
        """Return the fitted models; they share all with the blend but their states."""
        members = []
        for model, state in zip(self.models, self.fitted.state.states(), strict=True):
            member = nested.create(model)
            member._fitted = replace(self.fitted, state=state)
            members.append(member)
        return members

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        members, weights = self._members(), self.fitted.state.weights
        scores = np.zeros((len(contexts), len(columns)))
        step = max(1, _CELLS // len(self.items))
        for start in range(0, len(contexts), step):
            some = slice(start, min(start + step, len(contexts)))
            batch = contexts.select(np.arange(some.start, some.stop))
            for member, weight in zip(members, weights, strict=True):
                if weight > 0:
                    one = _scores(member, batch)
                    one = standard(one) if self.fusion == "weights" else 1 / (_FIRST + _places(one))
                    scores[some] += weight * one[:, columns]
        return scores

    def _rate(self, contexts: Contexts, place: Codes, items: Codes) -> NDArray[np.float64]:
        constant, *shares = self.fitted.state.shares
        rating = np.full(len(place), float(constant))
        for member, share in zip(self._members(), shares, strict=True):
            if share > 0:
                rating += share * member._rate(_told(member, contexts), place, items)
        return rating


def _told(member: Recommender, contexts: Contexts) -> Contexts:
    """Return contexts as the model takes them: with ratings where it learns from ratings."""
    return member._with_values(contexts) if member.rated and not contexts.rated else contexts


def _scores(member: Recommender, contexts: Contexts) -> Floats:
    """Return a model's scores of all items, (contexts, items)."""
    every = np.arange(len(member.items), dtype=np.int32)
    return member._scores(_told(member, contexts), every).astype(np.float64)


def standard(scores: Floats) -> Floats:
    """Return scores less their row's mean, by its standard deviation; zeros in a row without any."""
    rest = scores - scores.mean(axis=1, keepdims=True)
    spread = np.sqrt((rest**2).mean(axis=1, keepdims=True))
    some = spread > 1e-12 * np.abs(scores).max(axis=1, keepdims=True, initial=0)
    standard: Floats = np.divide(rest, spread, out=np.zeros(rest.shape), where=some)
    return standard


def _listed(scores: NDArray[np.float32], free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (users, items) whether an item is among the first of those free by some model."""
    listed = np.zeros(free.shape, np.bool_)
    if free.shape[1] <= _LISTED:
        return ~listed
    for one in scores:
        first = np.argpartition(np.where(free, -one, np.inf), _LISTED, axis=1)[:, :_LISTED]
        np.put_along_axis(listed, first, True, axis=1)
    return listed


def _places(scores: Floats) -> Floats:
    """Return each score's place in its row, from 1; equal ones share the mean of theirs."""
    from scipy.stats import rankdata

    places: Floats = rankdata(-scores, axis=1)
    return places


def _shares(
    members: Sequence[Recommender], user: Codes, item: Codes, value: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the constant and the weights, none below zero, with the least squared error of ratings."""
    from scipy.optimize import nnls

    asked, place = np.unique(user, return_inverse=True)
    events = members[0].fitted.histories.select(asked)
    contexts = Contexts(members[0].users.ids.gather(asked), asked, events)
    ratings = np.zeros((len(value), len(members)))
    for n, member in enumerate(members):
        if member.can("rate"):
            ratings[:, n] = member._rate(contexts, place.astype(np.int32), item)
    middle = ratings.mean(axis=0)
    found, _ = nnls(ratings - middle, value - value.mean())
    return np.asarray(np.r_[value.mean() - middle @ found, found])
