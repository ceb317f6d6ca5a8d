"""For whom a model works and what it recommends: by user activity, by item popularity, along the long tail.

Item codes are those of train; -1 is an item that train lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palate.evaluation.result import Interval, LongTail, Measured, Slice
from palate.evaluation.significance import estimate_mean

TAKEN = "chosen in test"
"""The label of what users took themselves, beside the models' recommendations."""

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]


@dataclass(frozen=True)
class Truth:
    """What the test users took: pairs of a place among the test users and a train item code (-1: unknown)."""

    user: Ints
    item: Ints


def by_activity(values: Mapping[str, Floats], rows: Ints) -> list[Slice]:
    """Return a metric in quarters of the test users by activity; users whom train lacks stand apart.

    `values` has each model's value per test user, `rows` (users) how many rows each has in train.
    """
    return [
        Slice(
            kind="activity",
            label=name,
            users=int(part.sum()),
            metrics={label: _mean(of_model[part]) for label, of_model in values.items()},
        )
        for name, part in quarters(rows)
    ]


def quarters(counts: Ints) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return quarters by count, each named from-to, with what is in it; counts of 0 stand apart as `new`."""
    known = counts[counts > 0] if counts.any() else np.ones(1, np.int64)
    cuts = [int(cut) for cut in np.quantile(known, [0, 0.25, 0.5, 0.75, 1], method="inverted_cdf")]
    last = cuts[-1]
    ends = sorted({*cuts[1:-1], last})
    starts = [cuts[0], *(end + 1 for end in ends[:-1])]
    parts = [("new", counts == 0)]
    for low, high in zip(starts, ends, strict=True):
        name = f"{low:,}" if low == high else f"{low:,}+" if high == last else f"{low:,}-{high:,}"
        parts.append((name, (counts >= low) & (counts <= high)))
    return [(name, part) for name, part in parts if part.any()]


def by_popularity(tops: Mapping[str, Ints], truth: Truth, popularity: Ints) -> list[Slice]:
    """Return recall on head, middle and tail of the catalogue, each of which holds a third of train's rows.

    `tops` has each model's recommendations (users, k); a user counts where the truth has an item of the part.
    """
    order = np.argsort(-popularity, kind="stable")
    running = np.cumsum(popularity[order]) - popularity[order]
    third = np.empty(len(order), np.int64)
    third[order] = np.minimum(3 * running // max(int(popularity.sum()), 1), 2)
    known = truth.item >= 0
    user, item = truth.user[known].astype(np.int64), truth.item[known].astype(np.int64)
    n_users = max((len(top) for top in tops.values()), default=0)
    found = {label: _found(user, item, top, len(popularity)) for label, top in tops.items()}
    slices = []
    for place, name in enumerate(("head", "middle", "tail")):
        inside = third[item] == place
        relevant = np.bincount(user[inside], minlength=n_users)
        there = relevant > 0
        if not there.any():
            continue
        metrics = {}
        for label, hit in found.items():
            hits = np.bincount(user[inside & hit], minlength=n_users)
            metrics[label] = _mean(hits[there] / relevant[there])
        n_items = int((third == place).sum())
        slices.append(
            Slice(kind="popularity", label=name, users=int(there.sum()), items=n_items, metrics=metrics)
        )
    return slices


def long_tail(
    tops: Mapping[str, Ints], truth: Truth, popularity: Ints, *, points: int = 60
) -> list[LongTail]:
    """Return the cumulative share of recommendations along the catalogue, most popular item first.

    The last curve, `TAKEN`, is what the test users took themselves.
    """
    n = len(popularity)
    order = np.argsort(-popularity, kind="stable")
    places = np.unique(np.concatenate([[0, 1], np.linspace(0, 1, points) ** 2 * n, [n]]).astype(np.int64))
    curves = []
    for label, items in [*tops.items(), (TAKEN, truth.item)]:
        counts = np.bincount(items[items >= 0].ravel(), minlength=n)[order]
        if not counts.any():
            continue
        shares = np.concatenate([[0.0], np.cumsum(counts)])[places] / counts.sum()
        along = [(round(float(x), 5), round(float(y), 5)) for x, y in zip(places / n, shares, strict=True)]
        curves.append(LongTail(label=label, points=along))
    return curves


def timeline(times: Mapping[str, NDArray[np.int64]], *, intervals: int = 52) -> list[Interval]:
    """Return the rows of each part (`train`, `valid`, `test`) in equal intervals of time, at most so many."""
    everything = [part for part in times.values() if len(part)]
    if not everything:
        return []
    low, high = min(int(part.min()) for part in everything), max(int(part.max()) for part in everything) + 1
    edges = np.unique(np.linspace(low, high, intervals + 1).astype(np.int64))
    counts = {name: np.histogram(part, edges)[0] for name, part in times.items()}
    return [
        Interval(
            low=int(edges[n]),
            high=int(edges[n + 1]),
            **{name: int(counts[name][n]) if name in counts else 0 for name in ("train", "valid", "test")},
        )
        for n in range(len(edges) - 1)
    ]


def _found(user: Ints, item: Ints, top: Ints, n_items: int) -> NDArray[np.bool_]:
    """Say for each pair of the truth whether the user's recommendations have the item."""
    places = np.arange(len(top), dtype=np.int64)[:, None] * n_items + top
    return np.isin(user * n_items + item, places[top >= 0])


def _mean(values: Floats) -> Measured:
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return Measured(mean=float(values[0]) if len(values) else None, n=len(values))
    found = estimate_mean(values)
    return Measured(mean=found.mean, ci95=found.ci95, n=found.n)
