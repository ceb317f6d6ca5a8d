"""Codes and scores to tables with the caller's ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.interactions import Histories
from palate.models.algorithm import Floats
from palate.vocabulary import Codes, Id, Vocabulary


@dataclass(frozen=True)
class Explanation:
    """Why an item has its score: `baseline` and the contributions of past items add up to it."""

    item: Id
    """what was explained"""
    score: float
    """as `score` gives it"""
    baseline: float
    baseline_is: str
    """what the baseline is, in words"""
    contributions: pl.DataFrame
    """item, value, time (where known), contribution; largest effect first"""


def lists(
    labels: pl.Series, vocabulary: Vocabulary, found: Codes, scores: Floats, names: tuple[str, str]
) -> pl.DataFrame:
    """Return one row for each thing found: a label, its id, score, rank (from 1).

    Args:
        labels: (n) whose lists these are. vocabulary: of what was found.
        found, scores: (n, k) codes, -1 where a list is shorter. names: of the first two columns.
    """
    listed = found >= 0
    rank = np.broadcast_to(np.arange(1, found.shape[1] + 1, dtype=np.int32), found.shape)
    return pl.DataFrame(
        {
            names[0]: labels.gather(np.repeat(np.arange(len(labels)), listed.sum(axis=1))),
            names[1]: vocabulary.decode(found[listed]),
            "score": scores[listed],
            "rank": rank[listed],
        }
    )


def contributions(
    events: Histories, items: Codes, effects: NDArray[np.float64], vocabulary: Vocabulary
) -> pl.DataFrame:
    """Return what each of the past `items` adds, largest effect first, with the sum of its values and its last time.

    Args:
        events: of one context. items: (n) its distinct items. effects: (n) what each adds to the score.
        vocabulary: of the items.
    """
    value = np.bincount(events.item, events.value, minlength=len(vocabulary))[items]
    columns = {"item": vocabulary.decode(items), "value": pl.Series(value)}
    if events.time is not None:
        latest = np.full(len(vocabulary), np.iinfo(np.int64).min)
        np.maximum.at(latest, events.item, events.time)
        columns["time"] = pl.Series(latest[items])
    columns["contribution"] = pl.Series(effects)
    return pl.DataFrame(columns)[np.lexsort((items, -np.abs(effects)))]
