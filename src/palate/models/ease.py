"""EASE: a linear model of items by items, in closed form.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019. Of all item-item matrices B with a zero
diagonal it takes the one that best rebuilds every user's set of items from itself, ||X - X B||^2 + l2 ||B||^2:

    P = (X'X + l2 I)^-1,    B = I - P / diag(P)    (columns divided)

One parameter, no iterations, and on data of up to some ten thousand items often the best of the simple models. New
users are scored from their history alone. Cost: items^3 multiply-adds once (1 s at 4,000 items on one
core, float64), 12 x items^2 bytes while it fits, 4 x items^2 afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palate.errors import PlanError
from palate.interactions import Histories, Interactions
from palate.models.algorithm import Floats, Pairs
from palate.models.itemitem import Affinity, ItemItem
from palate.models.memory import check_memory
from palate.models.search import Span
from palate.vocabulary import Codes


@dataclass
class EASEState:
    """What EASE learns."""

    weights: NDArray[np.float32]
    """(items, items) B: row = past item, column = scored item; zero diagonal"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        return self.weights.shape == (n_items, n_items)


class EASE(ItemItem):
    """Embarrassingly shallow autoencoder: linear, closed form, strong."""

    name: ClassVar[str] = "ease"
    state_type: ClassVar[type] = EASEState

    l2: Annotated[float, Span(20.0, 5_000.0, log=True)] = Field(500.0, gt=0, allow_inf_nan=False)
    """strength of the penalty; try 100 to 2,000 on validation data, more for larger sets"""

    def _fit(self, train: Interactions, pairs: Pairs) -> EASEState:
        from scipy.linalg.lapack import dpotrf, dpotri

        from palate.kernels.cooccurrence import count_pairs
        from palate.kernels.ridge import item_weights

        check_memory("ease", train.n_items, 12, "set min_item higher, or use sar with neighbours = 200")
        gram = count_pairs(pairs.indptr, pairs.items, train.n_items).astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.l2
        # The inverse of a positive definite matrix by its Cholesky factor, in place: half the work of a general one.
        factor, info = dpotrf(gram.T, lower=False, overwrite_a=True)
        if info == 0:
            inverse, info = dpotri(factor, lower=False, overwrite_c=True)
        if info != 0:
            raise PlanError(
                f"ease: l2 = {self.l2} leaves the problem singular: raise it (try {max(self.l2 * 10, 1.0):g})."
            )
        weights = np.empty(inverse.shape, np.float32)
        item_weights(inverse.T, weights)  # LAPACK filled one half; in C order that is the lower one
        return EASEState(weights)

    def _weights(self, events: Histories) -> NDArray[np.float64]:
        return (events.value >= 0).astype(np.float64)

    def _affinity(self, events: Histories, weights: NDArray[np.float64] | None = None) -> Affinity:
        affinity = super()._affinity(events, weights)
        return replace(affinity, weight=np.minimum(affinity.weight, 1))  # a set: chosen twice is chosen

    def _block(self, rows: Codes, columns: Codes) -> Floats:
        weights: NDArray[np.float32] = self.fitted.state.weights
        return weights[rows[:, None], columns]
