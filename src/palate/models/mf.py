"""MF: the dot product of a user and an item, learned on choices and drawn non-choices.

    s_ui = level + b_u + b_i + p_u . q_i,    least: sum of log(1 + exp(-+ s_ui)) over choices (-) and drawn items (+)

The model that neural ones must beat: Rendle, Krichene, Zhang, Anderson, "Neural Collaborative Filtering vs. Matrix
Factorization Revisited", RecSys 2020, by plain stochastic gradient descent, with L2 on what each step touches. For
every choice some items are drawn that its user did not choose, anew in every epoch, all of them equally likely.

It knows the users of train by name and has no answer to a history alone: `ials` is the dot product that has. A
pair counts once; values are not read. Cost of an epoch: choices x (1 + negatives) x (8 x factors multiply-adds and 60
ns): MovieLens-1M, 64 factors, 8 negatives: 1.2 to 2 CPU s. One thread, so that a seed gives one model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palate.errors import PlanError
from palate.interactions import Interactions
from palate.models.algorithm import Floats, Pairs
from palate.models.base import Recommender
from palate.models.contexts import Contexts
from palate.models.dense import nearest_by_cosine
from palate.models.search import Span
from palate.progress import progress
from palate.vocabulary import Codes

Floats32 = NDArray[np.float32]


@dataclass
class MFState:
    """What it learns."""

    users: Floats32
    """(users, factors)"""
    items: Floats32
    """(items, factors)"""
    user_bias: Floats32
    """(users)"""
    item_bias: Floats32
    """(items)"""
    level: Floats32
    """(1) of all scores"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        return (
            self.items.shape == (n_items, self.users.shape[1])
            and self.item_bias.shape == (n_items,)
            and self.user_bias.shape == (len(self.users),)
            and self.level.shape == (1,)
        )


class MF(Recommender):
    """Matrix factorisation with biases, by sampled log loss."""

    name: ClassVar[str] = "mf"
    verbs: ClassVar[frozenset[str]] = frozenset({"similar"})
    state_type: ClassVar[type] = MFState

    factors: Annotated[int, Span(16, 192, log=True)] = Field(64, ge=1, le=2048)
    """size of a user's and an item's vector"""
    epochs: Annotated[int, Span(10, 60, log=True)] = Field(20, ge=1)
    """passes over the choices; the more, the lower the learning rate that is best"""
    learning_rate: Annotated[float, Span(0.005, 0.1, log=True)] = Field(0.04, gt=0, allow_inf_nan=False)
    """of the first epoch"""
    schedule: Literal["constant", "linear"] = "linear"
    """whether the learning rate stays, or falls to nothing in equal steps from epoch to epoch"""
    regularisation: Annotated[float, Span(0.0005, 0.05, log=True)] = Field(0.005, ge=0, allow_inf_nan=False)
    """L2 penalty of a step on the parts it touches"""
    negatives: Annotated[int, Span(2, 16, log=True)] = Field(8, ge=1)
    """items drawn for each choice"""
    start: float = Field(0.1, gt=0, allow_inf_nan=False)
    """standard deviation of the factors at the start"""
    seed: int = Field(42, ge=0)
    """of start, order and draws"""

    @property
    def folds_in(self) -> bool:
        """Whether it scores a history alone: no, it learns each user by name."""
        return False

    def _fit(self, train: Interactions, pairs: Pairs) -> MFState:
        from palate.kernels.logistic import epoch

        rng = np.random.default_rng(self.seed)
        users, items = (
            (self.start * rng.standard_normal((n, self.factors))).astype(np.float32)
            for n in (train.n_users, train.n_items)
        )
        state = MFState(users, items, *(np.zeros(n, np.float32) for n in (len(users), len(items), 1)))
        user = np.repeat(np.arange(train.n_users, dtype=np.int32), np.diff(pairs.indptr))
        with progress("Fitting mf", total=self.epochs, unit="epochs") as advance:
            for n in range(self.epochs):
                rate = self.learning_rate * (1 - n / self.epochs if self.schedule == "linear" else 1)
                order, seed = rng.permutation(len(user)), int(rng.integers(2**62))
                loss = epoch(
                    order, user, pairs.indptr, pairs.items, self.negatives, seed, rate, self.regularisation,
                    state.users, state.items, state.user_bias, state.item_bias, state.level,
                )  # fmt: skip
                if not np.isfinite(loss):
                    raise PlanError(
                        f"mf: the loss is no number in epoch {n + 1}: lower learning_rate = {self.learning_rate:g}."
                    )
                self._trace(epoch=n + 1, loss=loss)
                advance(1)
        return state

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        state: MFState = self.fitted.state
        users, items = state.users[contexts.users], state.items[columns]
        scores: NDArray[np.float64] = users.astype(np.float64) @ items.astype(np.float64).T
        bias = state.user_bias[contexts.users].astype(np.float64) + state.level
        scores += bias[:, None] + state.item_bias[columns]
        return scores

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        return nearest_by_cosine(self.fitted.state.items.astype(np.float64), items, k)
