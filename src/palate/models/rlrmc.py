"""RLRMC, Riemannian low-rank matrix completion: ratings are biases plus a matrix of low rank, found on its manifold.

    r(u, i) = mean + b_u + b_i + L_u . R_i

Factors that differ by an invertible matrix are the same model, so the search runs over classes of them, a manifold,
with a metric that fits the problem: few iterations of conjugate gradient, each one exact step for one pass over
the ratings. Mishra, Meyer, Bonnabel and Sepulchre (2012-2014); Jawanpuria and Mishra, "A unified framework for
structured low-rank matrix learning" (ICML 2018). The objective is in `completion.problem`, the ways down in
`completion.quotient` (default), `completion.stiefel` (the geometry of the best-known implementation) and
`completion.als` (alternating least squares on the same objective, to see what a geometry is worth).

Learned is the items' side alone: a user's bias and factors follow from the ratings in closed form, for users of
train and for newcomers alike; `fold_in` does the same for new items. Cost: an iteration is about 25 ns x ratings at
rank 10 on one core; memory about 40 bytes a rating while it fits. For lists, a model of choices is the better one.
"""

from __future__ import annotations

import copy
import time
import warnings
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from palate.errors import DataError, PalateWarning
from palate.interactions import Interactions
from palate.models import incremental
from palate.models.algorithm import Floats, Pairs
from palate.models.base import Recommender
from palate.models.bias import item_biases
from palate.models.completion import als, quotient, stiefel
from palate.models.completion.problem import Matrix, Penalty, Problem, Solver, Step
from palate.models.contexts import Contexts
from palate.models.dense import nearest_by_cosine
from palate.models.mean import damped_means
from palate.models.ratings import Ratings
from palate.models.search import Span
from palate.progress import progress
from palate.vocabulary import Codes

_SOLVERS: dict[str, Solver] = {"quotient": quotient.descend, "ubv": stiefel.descend, "als": als.descend}
_PAIRS = 2**18  # pairs rated at a time


@dataclass
class RLRMCState:
    """What RLRMC learns: the items' side, and the scale."""

    mean: float
    item_bias: NDArray[np.float64]
    """(items)"""
    item_factors: NDArray[np.float64]
    """(items, factors) R"""
    lowest: float
    """smallest and ..."""
    highest: float
    """... largest rating of train"""
    spread: float
    """standard deviation of train's ratings"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        return self.item_bias.shape == (n_items,) and self.item_factors.shape[:1] == (n_items,)


@dataclass(frozen=True)
class Watched:
    """Validation rows, and what is known of their users."""

    told: Ratings
    """by user: ratings of train"""
    place: NDArray[np.integer]
    """(rows) which of these users"""
    items: Codes
    """(rows)"""
    values: NDArray[np.float64]
    """(rows)"""


class RLRMC(Recommender):
    """Riemannian low-rank matrix completion: ratings by a matrix of low rank."""

    name: ClassVar[str] = "rlrmc"
    verbs: ClassVar[frozenset[str]] = frozenset({"similar", "rate"})
    needs_values: ClassVar[bool] = True
    state_type: ClassVar[type] = RLRMCState

    factors: Annotated[int, Span(4, 40, log=True)] = Field(16, ge=1)
    """rank of the matrix; where it is above the matrix's smaller side, that side"""
    regularisation: Annotated[float, Span(0.3, 10, log=True)] = Field(1.1, ge=0, allow_inf_nan=False)
    """strength of the penalty; 0 completes exactly. With `counts` in standard deviations of the ratings, so that it
    means the same on 1 to 5 and on 1 to 10"""
    penalty: Literal["counts", "product"] = "counts"
    """what is punished: counts, the factors of users and items by a power of how many ratings they have; product, the
    squares of the completed matrix (the papers' penalty; needs about ten times the strength)"""
    count_power: float = Field(0.5, ge=0, le=1)
    """with `counts`: 0 punishes all rows alike, 1 by the rating"""
    geometry: Literal["quotient", "ubv", "als"] = "quotient"
    """quotient: L R' in its own metric; ubv: U B V' (product penalty only); als: no manifold, each side in turn"""
    biases: Literal["both", "mean", "none"] = "both"
    """what stands beside the factors: the mean and biases of users and items, the mean alone, or nothing"""
    user_damping: Annotated[float, Span(1, 30, log=True)] = Field(5.0, gt=0, allow_inf_nan=False)
    """penalty on a user's bias"""
    item_damping: Annotated[float, Span(1, 30, log=True)] = Field(3.0, gt=0, allow_inf_nan=False)
    """penalty on an item's bias"""
    start: Literal["svd", "random"] = "svd"
    """first factors: of the ratings' singular vectors (a missing one counts as 0), or drawn"""
    iterations: int = Field(100, ge=1)
    """at most; fewer where the objective falls no more"""
    tolerance: float = Field(1e-5, ge=0, allow_inf_nan=False)
    """stop when an iteration lowers the objective by less than this share of it"""
    patience: int = Field(6, ge=1)
    """with validation rows: stop after so many iterations without a gain, and take the best"""
    time_limit: float | None = Field(None, gt=0, allow_inf_nan=False)
    """seconds; the last state before it counts. None: no limit"""
    clip: bool = True
    """keep predicted ratings on the scale of train"""
    seed: int = Field(42, ge=0)
    """of the start"""

    @model_validator(mode="after")
    def _geometry_has_the_penalty(self) -> Self:
        if self.geometry == "ubv" and self.penalty != "product":
            raise ValueError(
                "geometry = 'ubv' knows penalty = 'product' only: give both, or another geometry"
            )
        return self

    # --- learning -------------------------------------------------------------------------------------------

    def _fit(self, train: Interactions, pairs: Pairs) -> RLRMCState:
        ratings = Ratings.of_interactions(train)
        rank = min(self.factors, train.n_users, train.n_items)
        if rank < self.factors and "factors" in self.model_fields_set:
            warnings.warn(
                f"rlrmc: factors = {self.factors} is above the smaller side of {train.n_users:,} users x "
                f"{train.n_items:,} items; {rank} are used.",
                PalateWarning,
                stacklevel=3,
            )
        mean = 0.0 if self.biases == "none" else float(ratings.value.mean())
        scale = float(ratings.value.min()), float(ratings.value.max()), float(ratings.value.std())
        state = RLRMCState(mean, np.zeros(train.n_items), np.zeros((train.n_items, rank)), *scale)
        problem = Problem(replace(ratings, value=ratings.value - mean), rank, self._penalty(state))
        right = self._descend(problem, state)
        state.item_factors, state.item_bias = problem.item_side(right)
        if self.penalty == "product":
            # Any invertible change of the factors is the same model; similar items need one that stands for all.
            _, middle, frame, *_ = stiefel.from_pair(problem.best_left(right), right, rank)
            state.item_factors = frame * np.sqrt(np.diag(middle))
        return state

    def _penalty(self, state: RLRMCState) -> Penalty:
        strength, power = self.regularisation, None
        if self.penalty == "counts":
            strength, power = strength * state.spread, self.count_power
        return Penalty(strength, power, self.user_damping, self.item_damping, self.biases == "both")

    def _descend(self, problem: Problem, state: RLRMCState) -> Matrix:
        """Return the items' side where the objective, or on validation rows the error, is least."""
        began = time.perf_counter()
        watched = self._watched()
        left, best = self._first(problem)
        before, least, since = np.inf, np.inf, 0
        # An overflow is told by the objective, in words.
        quiet = np.errstate(over="ignore", invalid="ignore")
        with quiet, progress("Completing", total=self.iterations, unit="iterations") as advance:
            for n, step in enumerate(_SOLVERS[self.geometry](problem, left, best), start=1):
                if not np.isfinite(step.cost):
                    warnings.warn(
                        f"rlrmc: the objective is {step.cost} at iteration {n}; the state before it is kept. Ratings "
                        "of a smaller size, or a larger regularisation, will do.",
                        PalateWarning,
                        stacklevel=4,
                    )
                    break
                seconds = time.perf_counter() - began
                error = None if watched is None else self._error(watched, problem, step, state)
                self._note(n, step, problem, seconds, error)
                since = 0 if error is None or error < least else since + 1
                if since == 0:
                    best, least = step.right, np.inf if error is None else error
                small = before - step.cost <= self.tolerance * step.cost
                late = self.time_limit is not None and seconds >= self.time_limit
                if n == self.iterations or small or late or since >= self.patience:
                    break
                before = step.cost
                advance(1)
        return best

    def _first(self, problem: Problem) -> tuple[Matrix, Matrix]:
        """Return the first pair of matrices: biases as if there were no factors, then factors for what they leave."""
        r, rank = problem.ratings, problem.rank
        rng = np.random.default_rng(self.seed)
        of_users, of_items = np.zeros(len(r)), np.zeros(r.n_columns)
        if self.biases == "both":
            of_items = item_biases(r, 0.0, self.user_damping, self.item_damping)
            rest = r.value - of_items[r.column]
            of_users = damped_means(r.row, rest, len(r), self.user_damping)
        rest = r.value - of_users[r.row] - of_items[r.column]
        shape = (len(r), r.n_columns)
        if self.start == "svd" and rank < min(shape) and rest.any():
            from scipy.sparse import csr_matrix
            from scipy.sparse.linalg import svds

            matrix = csr_matrix((rest, r.column, r.indptr), shape=shape)
            u, values, vt = svds(matrix, rank, v0=rng.standard_normal(min(shape)))
            order = np.argsort(-values, kind="stable")
            root = np.sqrt(values[order])
            factors = u[:, order] * root, vt[order].T * root
        else:
            size = np.sqrt(max(float(np.sqrt(np.mean(rest**2))), 1e-3) / np.sqrt(rank))
            factors = (
                size * rng.standard_normal((shape[0], rank)),
                size * rng.standard_normal((shape[1], rank)),
            )
        return problem.pair(factors, (of_users, of_items))

    def _note(
        self, iteration: int, step: Step, problem: Problem, seconds: float, error: float | None
    ) -> None:
        row = {
            "iteration": iteration,
            "objective": step.cost,
            "gradient_norm": step.gradient_norm,
            "train_rmse": float(np.sqrt(step.squares / len(problem.ratings.value))),
            "seconds": seconds,
        }
        self._trace(**(row if error is None else row | {"valid_rmse": error}))

    def _watched(self) -> Watched | None:
        """Return the validation rows that train knows the users and items of; None without any."""
        if self._valid is None:
            return None
        user = self.users.encode(self._valid.users.ids)[self._valid.user]
        item = self.items.encode(self._valid.items.ids)[self._valid.item]
        known = (user >= 0) & (item >= 0)
        if not known.any():
            return None
        users, place = np.unique(user[known], return_inverse=True)
        told = Ratings.of_histories(self.fitted.histories.select(users), len(self.items))
        return Watched(told, place, item[known], self._valid.value[known].astype(np.float64))

    def _error(self, watched: Watched, problem: Problem, step: Step, state: RLRMCState) -> float:
        """Return the RMSE on validation rows, of the users' side that follows from the items' side of a step."""
        factors, bias = problem.item_side(step.right)
        tried = replace(state, item_factors=factors, item_bias=bias)
        found = self._predicted(tried, watched.told, watched.place, watched.items)
        return float(np.sqrt(np.mean((found - watched.values) ** 2)))

    # --- answers --------------------------------------------------------------------------------------------

    def _user_side(self, state: RLRMCState, ratings: Ratings) -> tuple[Matrix, NDArray[np.float64]]:
        """Return factors (rows, rank) and biases (rows) of users, from their ratings."""
        other = state.item_factors if self.biases != "both" else np.c_[state.item_factors, state.item_bias]
        centred = replace(ratings, value=ratings.value - state.mean)
        return self._penalty(state).best_rows(centred, other, self.user_damping)

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        state: RLRMCState = self.fitted.state
        factors, usual = self._user_side(state, Ratings.of_histories(contexts.events, len(self.items)))
        scores: Floats = factors @ state.item_factors[columns].T
        scores += state.item_bias[columns]
        scores += (state.mean + usual)[:, None]
        return scores

    def _rate(self, contexts: Contexts, place: Codes, items: Codes) -> NDArray[np.float64]:
        told = Ratings.of_histories(contexts.events, len(self.items))
        return self._predicted(self.fitted.state, told, place, items)

    def _predicted(
        self, state: RLRMCState, told: Ratings, place: NDArray[np.integer], items: Codes
    ) -> NDArray[np.float64]:
        """Return the ratings of pairs: row `place[n]` of `told` rates `items[n]`."""
        factors, usual = self._user_side(state, told)
        ratings: Matrix = state.mean + usual[place] + state.item_bias[items]
        for start in range(0, len(place), _PAIRS):
            some = slice(start, start + _PAIRS)
            ratings[some] += np.einsum("nf,nf->n", factors[place[some]], state.item_factors[items[some]])
        return np.clip(ratings, state.lowest, state.highest) if self.clip else ratings

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        """Rank items by the cosine of their factors."""
        return nearest_by_cosine(self.fitted.state.item_factors, items, k)

    # --- new items ------------------------------------------------------------------------------------------

    def fold_in(self, ratings: Interactions | object) -> RLRMC:
        """Return a model that also knows the users and items of more ratings; the items of before keep their factors.

        Each new item gets the bias and the factors that fit best to its ratings, in closed form, given those of
        the users who rated it. No refit: fit again when much is new.
        """
        events = ratings
        if not isinstance(events, Interactions):
            hidden = self.fitted.negative_events
            events = Interactions.from_table(ratings, source="ratings", negative_events=hidden)
        if not events.has_values:
            raise DataError("rlrmc: fold_in needs ratings, and these have no value column.")
        before: RLRMCState = self.fitted.state
        change = incremental.extend(self.fitted, events)
        n_items, old = len(change.fitted.items), change.items
        known = np.zeros(n_items, bool)
        known[old] = True
        state = replace(
            before,
            item_bias=np.zeros(n_items),
            item_factors=np.zeros((n_items, before.item_factors.shape[1])),
        )
        state.item_bias[old], state.item_factors[old] = before.item_bias, before.item_factors
        told = Ratings.of_histories(change.fitted.histories, n_items)
        of_known = known[told.column]
        mine = Ratings.of(
            told.row[of_known], told.column[of_known], told.value[of_known], (len(told), n_items)
        )
        factors, usual = self._user_side(state, mine)
        by_item = replace(told, value=told.value - state.mean).transposed
        other = factors if self.biases != "both" else np.c_[factors, usual]
        found, bias = self._penalty(state).best_rows(by_item, other, self.item_damping)
        state.item_factors[~known], state.item_bias[~known] = found[~known], bias[~known]
        change.fitted.state = state
        wider = copy.copy(self)
        wider._fitted = change.fitted
        return wider
