"""How good a model's lists are for validation rows, while it learns: nDCG at 10, for models that stop early.

It judges by what is new to a user: lists leave out what stands in train, and a validation row that repeats it is left
out of what they should hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palate.interactions import Histories, Interactions
from palate.models.algorithm import Fitted
from palate.models.dense import best_unseen
from palate.vocabulary import Codes

K = 10


@dataclass(frozen=True)
class Validation:
    """Users of train with validation rows, and the items they chose there."""

    users: Codes
    """(users) train codes, ascending"""
    indptr: NDArray[np.int64]
    """(users + 1)"""
    items: Codes
    """the items of each user's rows in train codes, distinct; one that train lacks has a number of its own below 0: a
    miss"""
    seen: Histories
    """(users) their events in train"""
    n_items: int
    """of train"""

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def of(cls, valid: Interactions | None, fitted: Fitted, *, limit: int, seed: int) -> Validation | None:
        """Return what `valid` asks of a model that was fitted to train; None where it asks nothing.

        Args:
            valid: validation rows; those of users whom train lacks are left out.
            fitted: what the model knows of train.
            limit: judge so many users at most, drawn by `seed`.

        """
        if valid is None or not len(valid):
            return None
        user = fitted.users.encode(valid.users.ids)[valid.user]
        known = user >= 0
        item = fitted.items.encode(valid.items.ids)[valid.item]
        user, item = user[known], np.where(item >= 0, item, -1 - valid.item)[known]
        pairs = np.unique(np.stack([user, item]), axis=1)
        pairs = pairs[:, ~_stand_in(fitted.histories, pairs[0], pairs[1], len(fitted.items))]
        chosen = np.unique(pairs[0])
        if not len(chosen):
            return None
        if len(chosen) > limit:
            chosen = np.sort(np.random.default_rng(seed).choice(chosen, limit, replace=False))
        pairs = pairs[:, np.isin(pairs[0], chosen)]
        indptr = np.searchsorted(pairs[0], np.append(chosen, len(fitted.users))).astype(np.int64)
        seen = fitted.histories.select(chosen)
        return cls(chosen.astype(np.int32), indptr, pairs[1].astype(np.int32), seen, len(fitted.items))

    @classmethod
    def held_out(
        cls, events: Histories, n_items: int, *, share: float, limit: int, seed: int
    ) -> tuple[Validation | None, Histories]:
        """Return what the last events of a share of users ask, and the histories without these events.

        Of users, drawn by `seed` and at most `limit`, with two events before their last, which is of an item that is
        new to them.
        """
        last = events.indptr[1:] - 1
        able = np.flatnonzero(events.lengths >= 3)
        of = np.repeat(np.arange(len(events)), events.lengths)
        same = (
            events.item == np.repeat(events.item[np.maximum(last, 0)], events.lengths) if len(of) else of == 0
        )
        able = able[np.bincount(of, same, minlength=len(events))[able] == 1]
        n = min(round(share * len(able)), limit)
        if not n:
            return None, events
        chosen = np.sort(np.random.default_rng(seed).choice(able, n, replace=False))
        kept = np.ones(len(events.item), np.bool_)
        kept[last[chosen]] = False
        rest = events.where(kept)
        validation = cls(
            chosen.astype(np.int32), np.arange(n + 1), events.item[last[chosen]], rest.select(chosen), n_items
        )
        return validation, rest

    def measure(self, scores: Callable[[NDArray[np.int64]], NDArray[np.floating]]) -> dict[str, float]:
        """Return nDCG at 10 by its name, of the best unseen items by `scores`: places of users to (some, items)."""
        return {"valid_ndcg@10": self.ndcg(best_unseen(scores, self.seen, K, self.n_items))}

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


def _stand_in(events: Histories, user: Codes, item: Codes, n_items: int) -> NDArray[np.bool_]:
    """Return which pairs stand in the histories."""
    of = np.repeat(np.arange(len(events)), events.lengths)
    there = np.isin(user * np.int64(n_items) + item, of * np.int64(n_items) + events.item)
    found: NDArray[np.bool_] = there & (item >= 0)
    return found
