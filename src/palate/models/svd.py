"""SVD: biases and a few hidden tastes, with the doubt about each of them taken into account.

    r(u, i) = mu + b_u + b_i + p_u . q_i + noise

The biased factor model of Funk (2006) and Koren, Bell, Volinsky ("Matrix Factorization Techniques for Recommender
Systems", IEEE Computer 2009), fitted by variational Bayes (Lim, Teh, "Variational Bayesian Approach to Movie Rating
Prediction", KDD Cup 2007; Raiko, Ilin, Karhunen 2007). x_u = (b_u, p_u) and x_i = (b_i, q_i) are normal, with a
precision of each part before any rating, and after its ratings, with w_i = (1, q_i):

    A_u = prior + E[sum w_i w_i'] / noise,    x_u = A_u^-1 E[sum w_i (r - mu - b_i)] / noise

where the expectation is over what is not known of the items; and the same for items. Priors and noise are learned too
(each at its most likely value), so there is no penalty to tune: who rated little stays near the mean by as much as
train says. Doubt about a user and about an item is taken as independent, which understates it the more the more ratings
they have, so those count as noisier by (1 + ratings / 50)^doubt. A user is a function of the items and the user's
ratings: a new one needs no fit.

Cost: (factors + 2)^2 / 2 additions a rating, side and iteration: 4 CPU s for a million ratings, 16 factors, 20
iterations. Memory: 8 (factors + 2)^2 / 2 bytes a user and item.
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
from palate.models.dense import nearest_by_cosine
from palate.models.ratings import Ratings
from palate.models.search import Span
from palate.progress import progress
from palate.vocabulary import Codes

_CHUNK = 2**18  # pairs rated at a time
_START = 0.1  # standard deviation of the items' factors at the start
_FIRST = 10  # precision of the users' factors at the start, in parts of the ratings'
_MANY = 50  # ratings


@dataclass
class SVDState:
    """What it learns."""

    mean: float
    """of all ratings"""
    low: float
    """the least rating of train"""
    high: float
    """and the highest"""
    noise: float
    """variance of a rating about what is predicted"""
    prior: NDArray[np.float64]
    """(1 + factors) precision of a user's bias and factors before any rating"""
    items: NDArray[np.float64]
    """(items, width) of each item: the means of bias and factors, then their second moments"""

    @property
    def means(self) -> NDArray[np.float64]:
        """(items, 1 + factors) bias and factors."""
        return self.items[:, : len(self.prior)]

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        size = len(self.prior)
        return self.items.shape == (n_items, size + size * (size + 1) // 2)


class SVD(Recommender):
    """Biases and hidden tastes, by variational Bayes."""

    name: ClassVar[str] = "svd"
    verbs: ClassVar[frozenset[str]] = frozenset({"rate", "similar", "explain"})
    needs_values: ClassVar[bool] = True
    state_type: ClassVar[type] = SVDState

    factors: Annotated[int, Span(2, 40, log=True)] = Field(16, ge=0, le=512)
    """hidden tastes; more of them rarely hurt, since what train does not speak for is held near zero"""
    iterations: Annotated[int, Span(10, 60, log=True)] = Field(20, ge=1)
    """rounds over users and items"""
    doubt: Annotated[float, Span(0, 0.3)] = Field(0.1, ge=0, le=1)
    """how much noisier the ratings of those count who have many; 0: as the formulas have it"""
    clip: bool = True
    """keep ratings (not scores, which order lists) on train's scale"""
    seed: int = Field(42, ge=0)
    """of the start"""

    def can(self, verb: str) -> bool:
        """Return whether it has a verb; without factors, nothing tells what is similar."""
        return super().can(verb) and (verb != "similar" or self.factors > 0)

    def _fit(self, train: Interactions, pairs: Pairs) -> SVDState:
        from palate.kernels.posterior import update, width

        ratings = Ratings.of_interactions(train)
        mean, low, high = (
            float(part) for part in (ratings.value.mean(), ratings.value.min(), ratings.value.max())
        )
        by_user = _centred(ratings, mean)
        by_item = by_user.transposed
        noise = spread = max(float(by_user.value.var()), 1e-6)
        size = 1 + self.factors
        users, items = np.zeros((len(by_user), width(size))), np.zeros((len(by_item), width(size)))
        start = np.random.default_rng(self.seed).standard_normal((len(items), self.factors))
        items[:, 1:size] = _START * start
        items[:, size:] = _moments(items[:, :size])
        # Biases and users' factors are in units of ratings, items' factors in none: the scale of ratings is no matter.
        prior_u = np.r_[1, np.full(self.factors, _FIRST)] / spread
        prior_i = np.r_[1 / spread, np.ones(self.factors)]
        doubt_u, doubt_i = self._doubt(by_user), self._doubt(by_item)
        error_u, error_i = np.empty(len(users)), np.empty(len(items))
        with progress("Fitting svd", total=self.iterations, unit="rounds") as advance:
            for iteration in range(1, self.iterations + 1):
                noisy = noise * doubt_u
                update(by_user.indptr, by_user.column, by_user.value, items, prior_u, noisy, users, error_u)
                prior_u = _prior(users, size, spread)
                noisy = noise * doubt_i
                update(by_item.indptr, by_item.column, by_item.value, users, prior_i, noisy, items, error_i)
                prior_i = _prior(items, size, spread)
                noise = float((error_i.sum() + spread) / (len(by_user.value) + 1))
                state = SVDState(mean, low, high, noise, prior_u, items)
                self._note(iteration, state, users[:, :size], float(1 / prior_i[0]))
                advance(1)
        return state

    def _note(self, iteration: int, state: SVDState, users: NDArray[np.float64], spread_i: float) -> None:
        """Tell how far training is; with validation rows their RMSE too, which changes nothing."""
        told = {"iteration": iteration, "noise": state.noise, "item_bias_variance": spread_i}
        if self._valid is not None:
            user = self.users.encode(self._valid.users.ids)[self._valid.user]
            item = self.items.encode(self._valid.items.ids)[self._valid.item]
            known = (user >= 0) & (item >= 0)
            if known.any():
                error = self._predicted(state, users, user[known], item[known]) - self._valid.value[known]
                told["valid_rmse"] = float(np.sqrt(np.mean(error**2)))
        self._trace(**told)

    def _doubt(self, ratings: Ratings) -> NDArray[np.float64]:
        """(rows) how many times noisier than one rating alone each rating of a row counts."""
        return np.asarray((1 + ratings.counts / _MANY) ** self.doubt)

    def _users(self, contexts: Contexts) -> NDArray[np.float64]:
        """(contexts, 1 + factors) bias and factors: the last step of the fit, which needs the items only."""
        from palate.kernels.posterior import means

        state: SVDState = self.fitted.state
        told = _centred(Ratings.of_histories(contexts.events, len(self.items)), state.mean)
        users = np.empty((len(told), len(state.prior)))
        noisy = state.noise * self._doubt(told)
        means(told.indptr, told.column, told.value, state.items, state.prior, noisy, users)
        return users

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        state: SVDState = self.fitted.state
        users, items = self._users(contexts), state.means[columns]
        scores: NDArray[np.float64] = users[:, 1:] @ items[:, 1:].T
        scores += state.mean + users[:, :1] + items[:, 0]
        return scores

    def _rate(self, contexts: Contexts, place: Codes, items: Codes) -> NDArray[np.float64]:
        return self._predicted(self.fitted.state, self._users(contexts), place, items)

    def _predicted(
        self, state: SVDState, users: NDArray[np.float64], place: Codes, items: Codes
    ) -> NDArray[np.float64]:
        rating = np.empty(len(place))
        for start in range(0, len(place), _CHUNK):
            some = slice(start, start + _CHUNK)
            user, item = users[place[some]], state.means[items[some]]
            rating[some] = state.mean + user[:, 0] + item[:, 0] + (user[:, 1:] * item[:, 1:]).sum(axis=1)
        return rating.clip(state.low, state.high) if self.clip else rating

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        return nearest_by_cosine(self.fitted.state.means[:, 1:], items, k)

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        """Return each rating's term of w_i . x_u, which is linear in them; the item's own level is the baseline."""
        state: SVDState = self.fitted.state
        told = _centred(Ratings.of_histories(contexts.events, len(self.items)), state.mean)
        rated, size = state.items[told.column], len(state.prior)
        mean, second = rated[:, :size], _unpacked(rated[:, size:], size)
        weight = np.c_[np.ones(len(rated)), mean[:, 1:]]
        of_bias = np.c_[mean[:, 0], second[:, 1:, 0]]
        second[:, 0], second[:, :, 0] = weight, weight
        noise = state.noise * self._doubt(told)[0]
        precision = np.diag(state.prior) + second.sum(axis=0) / noise
        terms = (told.value[:, None] * weight - of_bias) / noise
        wanted = np.r_[1.0, state.means[item, 1:]]
        effects = terms @ np.linalg.solve(precision, wanted)
        return told.column, effects, float(state.mean + state.means[item, 0])


def _centred(ratings: Ratings, mean: float) -> Ratings:
    return Ratings(ratings.indptr, ratings.column, ratings.value - mean, ratings.n_columns)


def _lower(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.tril_indices(size)


def _moments(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lower halves of x x', (rows, parts), of x without doubt."""
    a, b = _lower(means.shape[1])
    return means[:, a] * means[:, b]


def _unpacked(lower: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return whole matrices, (rows, size, size), of lower halves."""
    a, b = _lower(size)
    whole = np.empty((len(lower), size, size))
    whole[:, a, b], whole[:, b, a] = lower, lower
    return whole


def _prior(moments: NDArray[np.float64], size: int, spread: float) -> NDArray[np.float64]:
    """Return the precision of each part of x that is most likely: 1 / the mean of its square, kept finite."""
    diagonal = size + np.cumsum(np.arange(1, size + 1)) - 1
    square = moments[:, diagonal].mean(axis=0)
    return np.asarray(1 / np.maximum(square, 1e-9 * spread))
