"""iALS: factors of users and items by alternating least squares, with every unchosen item counted a little.

Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, in the form of Rendle,
Krichene, Zhang, Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", RecSys 2022. With the
score of an item s_ui = x_u . h_i, S what was chosen, and a = unobserved_weight, the least is sought of

    sum over S of (1 - s_ui)^2 + a sum over all u, i of s_ui^2 + sum_u l_u |x_u|^2 + sum_i l_i |h_i|^2
    l_u = regularisation (items of u + a n_items)^frequency_scaling,   l_i likewise

by turns: for fixed items every user is a ridge problem of its own, and the other way round. The sum over all pairs
is a Gram matrix, so it costs nothing. A user is a function of the items and of what the user chose, so none is kept:
a stranger's history is as good as a train user's, and why an item was listed is an exact sum over it.

A pair counts once, however often it occurs; values are not read. Cost of an iteration: choices x factors^2 and
(users + items) x factors^3 / 6 multiply-adds (`cholesky`), or choices x factors x 16 (`cg`): MovieLens-1M, 64 factors:
0.23 CPU s or 0.17. Memory: 4 x factors bytes a user and item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palate.errors import PlanError
from palate.interactions import Histories, Interactions
from palate.models.algorithm import Floats, Pairs
from palate.models.base import Recommender
from palate.models.contexts import Contexts
from palate.models.dense import nearest_by_cosine, of_columns
from palate.models.incremental import liked_pairs
from palate.models.search import Span
from palate.progress import progress
from palate.vocabulary import Codes

_START = 0.1  # expected length of an item's factors at the start
_ROWS = 2**14  # rows of factors that are squared together, in float64


@dataclass
class IALSState:
    """What iALS learns."""

    items: NDArray[np.float32]
    """(items, factors)"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        return self.items.ndim == 2 and len(self.items) == n_items


class IALS(Recommender):
    """Implicit alternating least squares."""

    name: ClassVar[str] = "ials"
    verbs: ClassVar[frozenset[str]] = frozenset({"similar", "explain"})
    state_type: ClassVar[type] = IALSState

    factors: Annotated[int, Span(16, 256, log=True)] = Field(64, ge=1, le=2048)
    """size of a user's and an item's vector; more is better, with the other parameters tuned for it"""
    iterations: Annotated[int, Span(4, 24, log=True)] = Field(12, ge=1)
    """rounds over users and items"""
    regularisation: Annotated[float, Span(0.0005, 0.1, log=True)] = Field(0.005, gt=0, allow_inf_nan=False)
    """strength of the penalty on each choice"""
    unobserved_weight: Annotated[float, Span(0.02, 2.0, log=True)] = Field(0.2, gt=0, allow_inf_nan=False)
    """how much an unchosen pair counts beside a chosen one; the larger, the nearer to popularity"""
    frequency_scaling: float = Field(1.0, ge=0, le=1)
    """1: the penalty of a user or item grows with its choices; 0: it is the same for all, as in the paper of 2008"""
    solver: Literal["cholesky", "cg"] = "cholesky"
    """how a row is solved: exactly, or by `cg_steps` conjugate gradients from where it was; histories exactly"""
    cg_steps: int = Field(3, ge=1)
    """of the solver `cg`"""
    seed: int = Field(42, ge=0)
    """of the start"""

    def _fit(self, train: Interactions, pairs: Pairs) -> IALSState:
        from palate.kernels.implicit import exact_rows, near_rows, padded
        from palate.kernels.order import group

        n_users, n_items, size = train.n_users, train.n_items, padded(self.factors)
        item_indptr, order = group(pairs.items, n_items)
        user_of_item = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(pairs.indptr))[order]
        strength_u = self._strength(np.diff(pairs.indptr), n_items)
        strength_i = self._strength(np.diff(item_indptr), n_users)
        users, items = np.zeros((n_users, size), np.float32), np.zeros((n_items, size), np.float32)
        start = np.random.default_rng(self.seed).standard_normal((n_items, self.factors))
        items[:, : self.factors] = _START / np.sqrt(self.factors) * start
        unread = np.empty((0, size))
        loss_u, loss_i = np.empty(n_users), np.empty(n_items)
        with progress("Fitting ials", total=self.iterations, unit="rounds") as advance:
            for iteration in range(1, self.iterations + 1):
                for side, other, indptr, column, strength, loss in (
                    (users, items, pairs.indptr, pairs.items, strength_u, loss_u),
                    (items, users, item_indptr, user_of_item, strength_i, loss_i),
                ):
                    everywhere = self._everywhere(other)
                    if self.solver == "cg":
                        near_rows(self.cg_steps, indptr, column, other, everywhere, strength, side, loss)
                    else:
                        exact_rows(indptr, column, other, everywhere, strength, side, loss, unread)
                    _check(side, self.regularisation)
                penalty = strength_u @ (users.astype(np.float64) ** 2).sum(axis=1)
                self._trace(iteration=iteration, loss=float(loss_i.sum() + penalty))
                advance(1)
        return IALSState(np.ascontiguousarray(items[:, : self.factors]))

    def _strength(self, chosen: NDArray[np.int64], n_others: int) -> NDArray[np.float64]:
        """(rows) the penalty of each row."""
        count = chosen + self.unobserved_weight * n_others
        return np.asarray(self.regularisation * count**self.frequency_scaling)

    def _everywhere(self, factors: NDArray[np.floating]) -> NDArray[np.float64]:
        """(size, size) what the unchosen add to the matrix of every row: a weighted Gram matrix."""
        gram = np.zeros((factors.shape[1],) * 2)
        for first in range(0, len(factors), _ROWS):
            some = factors[first : first + _ROWS].astype(np.float64)
            gram += some.T @ some
        return self.unobserved_weight * gram

    def _users(self, events: Histories) -> NDArray[np.float64]:
        """(contexts, factors) the best vector for each history: the step of the fit that needs the items only."""
        from palate.kernels.implicit import exact_rows

        indptr, chosen = liked_pairs(events, len(self.items))
        factors = self.fitted.state.items.shape[1]
        items, everywhere = self._items_and_gram()
        users = np.empty((len(events), items.shape[1]))
        strength = self._strength(np.diff(indptr), len(items))
        narrow, loss = np.empty(users.shape, np.float32), np.empty(len(users))
        exact_rows(indptr, chosen, items, everywhere, strength, narrow, loss, users)
        return users[:, :factors]

    def _items_and_gram(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the items' vectors as wide as the kernel wants them, and what the unchosen add to every matrix."""
        from palate.kernels.implicit import padded

        def made(state: IALSState) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
            factors = state.items.shape[1]
            wide = np.pad(state.items, ((0, 0), (0, padded(factors) - factors)))
            return wide, self._everywhere(wide)

        return self._once(made)

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        # In the precision of the items: the product is half of what lists cost.
        return (
            self._users(contexts.events).astype(np.float32) @ of_columns(self.fitted.state.items, columns).T
        )

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        return nearest_by_cosine(self.fitted.state.items.astype(np.float64), items, k)

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        """Return h_item . A^-1 h_i for each chosen i: their sum is the score, since A x = sum h_i."""
        items = self.fitted.state.items.astype(np.float64)
        _, chosen = liked_pairs(contexts.events, len(items))
        everywhere = self._items_and_gram()[1][: items.shape[1], : items.shape[1]]
        matrix = everywhere + items[chosen].T @ items[chosen]
        matrix[np.diag_indices_from(matrix)] += self._strength(np.array([len(chosen)]), len(items))
        return chosen, items[chosen] @ np.linalg.solve(matrix, items[item]), 0.0


def _check(factors: NDArray[np.float32], regularisation: float) -> None:
    if not np.isfinite(factors).all():
        raise PlanError(
            f"ials: regularisation = {regularisation:g} leaves the problem singular in float32: raise it "
            f"(try {max(regularisation * 10, 0.001):g})."
        )
