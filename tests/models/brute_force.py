"""SAR as its formulas say it, one sum at a time, from rows with ids. Slow, and easy to check against the paper."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2, sqrt
from typing import Any

import numpy as np
import polars as pl

from tests.worlds import DAY


@dataclass
class BruteSAR:
    """Affinity, similarity and scores, (users, items) and (items, items), in the order of sorted ids."""

    users: list[Any]
    items: list[Any]
    chosen: np.ndarray
    """(users, items) whether the user likes the item"""
    affinity: np.ndarray
    unity: np.ndarray
    """the affinity if every value were 1"""
    similarity: np.ndarray
    scores: np.ndarray


def similarity_of(kind: str, c_ij: int, c_i: int, c_j: int, users: int) -> float:
    """Return one similarity from counts over users; 0 for a pair that never met."""
    if c_ij == 0:
        return 0.0
    information = log2(users * c_ij / (c_i * c_j))
    return {
        "cooccurrence": c_ij,
        "jaccard": c_ij / (c_i + c_j - c_ij),
        "lift": c_ij / (c_i * c_j),
        "cosine": c_ij / sqrt(c_i * c_j),
        "inclusion_index": c_ij / min(c_i, c_j),
        "mutual_information": information,
        "lexicographers_mutual_information": c_ij * information,
    }[kind]


def sar(
    table: pl.DataFrame,
    *,
    similarity: str = "jaccard",
    half_life_days: float | None = None,
    time_now: int | None = None,
    threshold: int = 1,
    normalise: bool = False,
    neighbours: int | None = None,
    **_: Any,
) -> BruteSAR:
    """Fit and score all users on all items."""
    users, items = sorted(set(table["user"])), sorted(set(table["item"]))
    liked = table.filter(pl.col("value") >= 0)
    now = time_now if time_now is not None else liked["time"].max()
    shape = len(users), len(items)
    chosen, affinity, unity = np.zeros(shape, bool), np.zeros(shape), np.zeros(shape)
    for row in liked.iter_rows(named=True):
        u, i = users.index(row["user"]), items.index(row["item"])
        left = 1.0
        if half_life_days is not None:
            left = min(1.0, 0.5 ** ((now - row["time"]) / (half_life_days * DAY)))
        chosen[u, i] = True
        affinity[u, i] += left * row["value"]
        unity[u, i] += left

    near = np.zeros((len(items), len(items)))
    for i in range(len(items)):
        for j in range(len(items)):
            both = int((chosen[:, i] & chosen[:, j]).sum())
            if both >= threshold or i == j:
                c_i, c_j = int(chosen[:, i].sum()), int(chosen[:, j].sum())
                near[i, j] = similarity_of(similarity, both, c_i, c_j, len(users))
    if neighbours is not None:
        for i in range(len(items)):
            met = [j for j in range(len(items)) if j != i and near[i, j] != 0]
            kept = sorted(met, key=lambda j: (-near[i, j], j))[:neighbours]
            near[i, [j for j in range(len(items)) if j not in kept and j != i]] = 0

    scores = affinity @ near
    low, high = liked["value"].min(), liked["value"].max()
    if normalise and low < high:
        counts = unity @ near
        for u in range(len(users)):
            least, most = counts[u].min() * low, counts[u].max() * high
            scores[u] = low + (scores[u] - least) / (most - least if most > least else 1) * (high - low)
    return BruteSAR(users, items, chosen, affinity, unity, near, scores)


def rating(
    brute: BruteSAR, table: pl.DataFrame, user: Any, item: Any, *, half_life_days: float | None
) -> float:
    """Return the mean of a user's values, each weighted by what is left of it times |similarity| to the item."""
    mine = table.filter((pl.col("user") == user) & (pl.col("value") >= 0))
    if mine.is_empty():
        liked = table.filter(pl.col("value") >= 0)["value"]
        return (liked.min() + liked.max()) / 2
    now = table.filter(pl.col("value") >= 0)["time"].max()
    total = weights = 0.0
    j = brute.items.index(item)
    for row in mine.iter_rows(named=True):
        left = 1.0 if half_life_days is None else 0.5 ** ((now - row["time"]) / (half_life_days * DAY))
        weight = left * abs(brute.similarity[brute.items.index(row["item"]), j])
        total, weights = total + weight * row["value"], weights + weight
    return total / weights if weights > 0 else mine["value"].mean()
