"""Impressions scored by any recommender: a block of impressions at a time, over the articles that they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.interactions import Histories
from palate.models.contexts import Contexts
from palate.news import Impressions

if TYPE_CHECKING:
    from palate.models.base import Recommender

BLOCK = 256
"""impressions at a time"""


def scores(model: Recommender, shown: Impressions) -> NDArray[np.float64]:
    """Return the score of each candidate, (candidates); -inf for what the model does not know."""
    found = np.full(len(shown.candidate), -np.inf)
    code = shown.codes_in(model.items)
    candidate, item = code[shown.candidate], code[shown.histories.item]
    known = item >= 0
    past = Histories(
        np.concatenate([[0], np.cumsum(known)])[shown.histories.indptr].astype(np.int64),
        item[known],
        np.ones(int(known.sum()), np.float32),
        None,
    )
    user = model.users.encode(shown.users.ids)
    # Readers who come back stand together, and so do what they are shown.
    order = np.argsort(shown.history_of, kind="stable")
    for start in range(0, len(order), BLOCK):
        rows = order[start : start + BLOCK]
        events = past.select(shown.history_of[rows])
        contexts = Contexts(pl.Series(rows), user[shown.user[rows]], events, rated=False)
        able = model._known(contexts) if model.folds_in else contexts.users >= 0
        rows, contexts = rows[able], contexts.select(able)
        if not len(rows):
            continue
        places = np.concatenate([np.arange(shown.indptr[row], shown.indptr[row + 1]) for row in rows])
        place = np.repeat(np.arange(len(rows)), shown.sizes[rows])
        found[places] = model._of_pairs(contexts, place, candidate[places])
    return found
