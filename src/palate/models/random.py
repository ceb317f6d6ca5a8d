"""Random: every item is as good as any other. What a metric gives to chance.

The score depends on the seed, the user and the item alone, so lists are repeatable and a user's do not change with who
else is asked for. Cost: one hash a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from zlib import crc32

import numpy as np
from pydantic import Field

from palate.interactions import Interactions
from palate.models.algorithm import Floats, Pairs
from palate.models.base import Recommender
from palate.models.contexts import Contexts
from palate.news import Impressions
from palate.vocabulary import Codes


@dataclass
class RandomState:
    """Random learns nothing."""

    def fits(self, n_items: int) -> bool:
        """Return True: it knows no items."""
        return True


class Random(Recommender):
    """Uniform scores in [0, 1)."""

    name: ClassVar[str] = "random"
    learns_from_history: ClassVar[bool] = False
    state_type: ClassVar[type] = RandomState

    seed: int = Field(42, ge=0, lt=2**63)
    """another seed, another order"""

    def _fit(self, train: Interactions, pairs: Pairs) -> RandomState:
        return RandomState()

    def _score_shown(self, shown: Impressions) -> Floats:
        """Also articles that train lacks are as good as any other: by their id, as readers are."""
        article, reader = (
            np.array([crc32(str(one).encode()) for one in ids], np.int64)
            for ids in (shown.articles.ids, shown.users.ids)
        )
        from palate.kernels import scores as kernel

        return kernel.uniform_pairs(self.seed, reader[shown.user][shown.row_of], article[shown.candidate])

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        from palate.kernels import scores as kernel

        keys = contexts.users.astype(np.int64)
        for row in np.flatnonzero(keys < 0):  # a history without a user is its own key
            start, stop = contexts.events.indptr[row : row + 2]
            keys[row] = -1 - int(np.dot(contexts.events.item[start:stop], np.arange(1, stop - start + 1)))
        scores = np.empty((len(contexts), len(columns)))
        kernel.uniform(self.seed, keys, columns, scores)
        return scores
