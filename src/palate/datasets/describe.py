"""What a data set is like, and what about it will mislead.

Counts, density, concentration, curves of activity and popularity, times and values; and warnings, each with
what to do about it. Everything is small enough for JSON and a chart. Linear in rows, and one sort.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.catalogue import Catalogue
from palate.datasets.dataset import Dataset
from palate.datasets.warn import warnings_about
from palate.interactions import Interactions

_QUANTILES = {
    "min": 0.0,
    "p10": 0.1,
    "p25": 0.25,
    "median": 0.5,
    "p75": 0.75,
    "p90": 0.9,
    "p99": 0.99,
    "max": 1.0,
}
_MAX_BARS = 20
_MAX_POINTS = 60


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram: how many fall into [low, high]."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Counts:
    """How rows spread over users, or over items."""

    mean: float
    quantiles: dict[str, float]
    """min p10 p25 median p75 p90 p99 max of the rows of one"""
    gini: float
    """0: all have the same; near 1: a few have all (Gini 1912)"""
    top1_share: float
    """Share of the rows that the busiest 1 % hold (at least one)"""
    once: int
    """How many have a single row"""
    histogram: tuple[Bar, ...]
    """How many users (items) have so many rows, in bins that double"""
    curve: tuple[tuple[int, int], ...]
    """(rank, rows): the long tail, at most 60 ranks spaced by their logarithm"""


@dataclass(frozen=True)
class Times:
    """When the rows happened."""

    first: str
    """ISO date, UTC"""
    last: str
    days: float
    tied_share: float
    """Share of consecutive events of a user that carry the same time"""
    equal: bool
    """Every row has the same time"""
    median_span_hours: float
    """Half of the users with two events or more did all of them within this time"""


@dataclass(frozen=True)
class Values:
    """The value column: ratings, counts, weights."""

    min: float
    max: float
    mean: float
    distinct: int
    histogram: tuple[Bar, ...]
    """One bar for each value, or 20 of the same width where there are more"""


@dataclass(frozen=True)
class Description:
    """Everything `palate data describe` shows."""

    name: str
    licence: str
    source: str
    fingerprint: str
    rows: int
    users: int
    items: int
    pairs: int
    """Distinct user-item pairs"""
    density: float
    """pairs / (users x items)"""
    repeated_share: float
    """Share of the rows that repeat an earlier pair"""
    doubled: int
    """Rows that are another one again: same user, item and time"""
    negative: int
    """Rows that say "not this" """
    dropped: int
    baskets: int | None
    events: dict[str, int] | None
    """Rows of each event type, the 20 most frequent"""
    by_user: Counts
    by_item: Counts
    times: Times | None
    values: Values | None
    catalogue_items: int | None
    """Items of the data that the catalogue knows"""
    catalogue_columns: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and texts, ready for JSON."""
        return asdict(self)


def describe(dataset: Dataset | Interactions | object, *, catalogue: Catalogue | None = None) -> Description:
    """Return what a data set is like; interactions or a table will do. A second or so for 20 million rows."""
    if not isinstance(dataset, (Dataset, Interactions)):
        dataset = Interactions.from_table(dataset)
    if isinstance(dataset, Interactions):
        dataset = Dataset("table", dataset, catalogue)
    data = dataset.interactions
    catalogue = dataset.catalogue if catalogue is None else catalogue
    pairs = int(data.pairs()[0][-1])
    by_user = count(np.bincount(data.user, minlength=data.n_users))
    by_item = count(np.bincount(data.item, minlength=data.n_items))
    known = None
    if catalogue is not None:
        known = int((np.asarray(data.items.encode(catalogue.table["item"])) >= 0).sum())
    facts = Description(
        name=dataset.name,
        licence=dataset.licence,
        source=dataset.source,
        fingerprint=dataset.fingerprint,
        rows=len(data),
        users=data.n_users,
        items=data.n_items,
        pairs=pairs,
        density=pairs / (data.n_users * data.n_items),
        repeated_share=1 - pairs / len(data),
        doubled=data.doubled(),
        negative=0 if data.negative is None else int(data.negative.sum()),
        dropped=data.dropped,
        baskets=None if data.basket is None else len(np.unique(data.basket.codes)),
        events=_events(data),
        by_user=by_user,
        by_item=by_item,
        times=_times(data),
        values=_values(data),
        catalogue_items=known,
        catalogue_columns=() if catalogue is None else tuple(catalogue.table.columns[1:]),
        notes=dataset.notes,
        warnings=(),
    )
    return Description(**{**vars(facts), "warnings": tuple(warnings_about(facts))})


def count(rows: NDArray[np.integer[Any]]) -> Counts:
    """Return how rows spread, from the number of rows of each user (or item)."""
    ordered = np.sort(rows)[::-1].astype(np.int64)
    n, total = len(ordered), int(ordered.sum())
    top = max(1, n // 100)
    edges = 2 ** np.arange(int(ordered[0]).bit_length() + 1)
    bins = np.bincount(np.searchsorted(edges, ordered, side="right") - 1, minlength=len(edges))
    ranks = np.unique(np.geomspace(1, n, min(n, _MAX_POINTS)).round().astype(np.int64))
    return Counts(
        mean=total / n,
        quantiles={name: float(np.quantile(ordered, q)) for name, q in _QUANTILES.items()},
        gini=gini(ordered),
        top1_share=float(ordered[:top].sum() / total),
        once=int((ordered == 1).sum()),
        histogram=tuple(
            Bar(int(low), int(2 * low - 1), int(bar)) for low, bar in zip(edges, bins, strict=True) if bar
        ),
        curve=tuple((int(rank), int(ordered[rank - 1])) for rank in ranks),
    )


def gini(counts: NDArray[np.integer[Any]]) -> float:
    """Return the Gini coefficient: mean absolute difference of two draws over twice the mean. O(n log n).

    >>> gini(np.array([5, 5, 5, 5])), gini(np.array([0, 0, 0, 1]))
    (0.0, 0.75)
    """
    ordered = np.sort(counts).astype(np.float64)
    n = len(ordered)
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float(weights @ ordered / (n * ordered.sum()))


def _events(data: Interactions) -> dict[str, int] | None:
    if data.event is None:
        return None
    rows = np.bincount(data.event.codes, minlength=len(data.event.names))
    busiest = np.argsort(-rows, kind="stable")[:20]
    names = data.event.names.decode(busiest).to_list()
    return {str(name): int(rows[code]) for name, code in zip(names, busiest, strict=True) if rows[code]}


def _times(data: Interactions) -> Times | None:
    if data.time is None:
        return None
    histories = data.histories()
    time, indptr = histories.time, histories.indptr
    assert time is not None
    gaps = np.diff(time)
    same_user = np.ones(len(gaps), dtype=np.bool_)
    same_user[indptr[1:-1] - 1] = False  # between the last event of one user and the first of the next
    inside = gaps[same_user]
    several = np.flatnonzero(histories.lengths > 1)
    spans = time[indptr[several + 1] - 1] - time[indptr[several]]
    first, last = int(time.min()), int(time.max())
    return Times(
        first=_date(first),
        last=_date(last),
        days=(last - first) / 86_400,
        tied_share=float((inside == 0).mean()) if len(inside) else 0.0,
        equal=first == last,
        median_span_hours=float(np.median(spans) / 3_600) if len(spans) else 0.0,
    )


def _values(data: Interactions) -> Values | None:
    if not data.has_values:
        return None
    found, rows = np.unique(data.value, return_counts=True)
    if len(found) <= _MAX_BARS:
        bars = tuple(Bar(float(one), float(one), int(n)) for one, n in zip(found, rows, strict=True))
    else:
        heights, edges = np.histogram(found.astype(np.float64), bins=_MAX_BARS, weights=rows)
        bars = tuple(Bar(float(edges[at]), float(edges[at + 1]), int(heights[at])) for at in range(_MAX_BARS))
    return Values(
        min=float(found[0]),
        max=float(found[-1]),
        mean=float(data.value.mean(dtype=np.float64)),
        distinct=len(found),
        histogram=bars,
    )


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).date().isoformat()
