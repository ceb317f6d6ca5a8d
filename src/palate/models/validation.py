"""How good a model's lists are for validation rows, while it learns: nDCG at 10, for models that stop early."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palate.interactions import Interactions
from palate.vocabulary import Codes, Vocabulary

K = 10


@dataclass(frozen=True)
class Validation:
    """Users of train with validation rows, and the items they chose there."""

    users: Codes
    """(users) train codes, ascending"""
    indptr: NDArray[np.int64]
    """(users + 1)"""
    items: Codes
    """the items of each user's rows in train codes, distinct; -1: one that train lacks, a miss"""

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def of(
        cls, valid: Interactions | None, users: Vocabulary, items: Vocabulary, *, limit: int, seed: int
    ) -> Validation | None:
        """Return what `valid` asks of a model with these vocabularies; None where it asks nothing.

        Args:
            valid: validation rows; their users may lack in train, and are then left out.
            users, items: of train.
            limit: judge so many users at most, drawn by `seed`.

        """
        if valid is None or not len(valid):
            return None
        user = users.encode(valid.users.ids)[valid.user]
        known = user >= 0
        user, item = user[known], items.encode(valid.items.ids)[valid.item[known]]
        pairs = np.unique(np.stack([user, item]), axis=1)
        chosen = np.unique(pairs[0])
        if not len(chosen):
            return None
        if len(chosen) > limit:
            chosen = np.sort(np.random.default_rng(seed).choice(chosen, limit, replace=False))
        pairs = pairs[:, np.isin(pairs[0], chosen)]
        indptr = np.searchsorted(pairs[0], np.append(chosen, len(users))).astype(np.int64)
        return cls(chosen.astype(np.int32), indptr, pairs[1].astype(np.int32))

    def ndcg(self, lists: Codes) -> float:
        """Return the mean over users of nDCG at 10 of `lists` (users, 10 or more), item codes, -1 where they end."""
        gain = 1 / np.log2(np.arange(K) + 2)
        values = np.empty(len(self))
        for place in range(len(self)):
            wanted = self.items[self.indptr[place] : self.indptr[place + 1]]
            top = lists[place, :K]
            hit = np.isin(top, wanted[wanted >= 0])
            values[place] = gain[: len(top)][hit].sum() / gain[: min(K, len(wanted))].sum()
        return float(values.mean())
