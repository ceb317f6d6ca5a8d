"""Beyond being right: how much of the catalogue lists use, how new, varied and surprising they are.

With `list(u)` the first k items recommended to user u, `past(u)` the distinct items of the user's history,
`U(i)` the users of item i in train, and cos(i, j) = |U(i) & U(j)| / sqrt(|U(i)| |U(j)|):

    coverage@k         distinct recommended items / items of train
    user_coverage@k    share of users who got a list at all
    gini@k             Gini coefficient of the items' recommendation counts, never recommended ones included
    novelty@k          mean over the list of -log2(|U(i)| / users of train)
    diversity@k        1 - mean of cos(i, j) over the pairs of the list
    serendipity@k      mean over the list of hit(i) (1 - mean of cos(i, j) over j in past(u))
    popularity_lift@k  mean over users of (mean |U| of the list) / the same of (mean |U| of the past) - 1

Novelty: Castells, Vargas, Wang 2011 (item discovery). Diversity: Ziegler et al. 2005. Serendipity: Zhang et
al. 2012, with relevance. Popularity lift: Abdollahpouri et al. 2019, over all users as one group.

The mean over the list divides by the items there are (k at most); novelty leaves out items without a user.
Novelty and diversity have no value for users without a list (for diversity: without a pair), serendipity is 0
for them, popularity lift takes the users with both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from palate.evaluation.keys import Wanted
from palate.evaluation.significance import Statistic
from palate.kernels import beyond as kernel
from palate.kernels.order import group
from palate.kernels.ranking import frozen

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Distinct items of each user, ascending, as CSR: `items[indptr[u]:indptr[u + 1]]`."""

    indptr: NDArray[np.int64]
    items: Codes
    n_items: int
    """size of the catalogue that the codes run over"""

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def user(self) -> NDArray[np.int64]:
        """(pairs) the user of each pair."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    @cached_property
    def popularity(self) -> NDArray[np.int64]:
        """(items) distinct users."""
        return np.bincount(self.items, minlength=self.n_items)

    def select(self, users: NDArray[np.integer]) -> Pairs:
        """Return the pairs of `users`, in that order; -1 gives no items."""
        users = np.asarray(users, np.int64)
        lengths = (
            np.where(users < 0, 0, np.diff(self.indptr)[users]) if len(self) else np.zeros(len(users), int)
        )
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        at = np.repeat(self.indptr[users] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Pairs(indptr, self.items[at], self.n_items)


def coverage(top: Codes, n_items: int) -> float:
    """Return the share of the `n_items` items of train that stand in some list."""
    return len(np.unique(top[top >= 0])) / n_items


def user_coverage(top: Codes) -> Floats:
    """Return 1 for each user with a list, else 0."""
    listed: Floats = np.asarray((top >= 0).any(axis=1), np.float64)
    return listed


def gini(top: Codes, n_items: int) -> float:
    """Return the Gini coefficient of how often each of `n_items` items is recommended.

    0: all equally often; (n - 1) / n: one item takes everything; NaN without any recommendation.
    """
    counts = np.sort(np.bincount(top[top >= 0], minlength=n_items)).astype(np.float64)
    total = counts.sum()
    if total == 0:
        return float("nan")
    place = np.arange(1, n_items + 1)
    return float(2 * (place @ counts) / (n_items * total) - (n_items + 1) / n_items)


def novelty(top: Codes, popularity: NDArray[np.int64], n_users: int) -> Floats:
    """Return each list's mean of -log2(share of train's users with the item); NaN without a list.

    An item that nobody has (train holds negative events of it alone) has no surprise: the mean leaves it out.
    """
    surprise = np.full(len(popularity), np.nan)
    owned = popularity > 0
    surprise[owned] = -np.log2(popularity[owned] / n_users)
    return list_means(surprise, top)


def list_means(value: Floats, top: Codes) -> Floats:
    """Return the mean of `value[item]` over each list, without items of value NaN; NaN without any."""
    there = (top >= 0) & ~np.isnan(value)[top]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, value[top], 0.0).sum(axis=1) / there.sum(axis=1))


def diversity_and_serendipity(
    top: Codes, hit: NDArray[np.bool_], past: Pairs, train: Pairs, ks: tuple[int, ...]
) -> dict[str, Floats]:
    """Return `diversity@k` and `serendipity@k` of every user.

    Args:
        top: (users, places) recommended items, best first, padded with -1.
        hit: (users, places) whether the item is relevant.
        past: each user's history. A user without one is surprised by everything.
        train: all pairs of train, which say how alike two items are.
        ks: cut-offs. Cost: co-occurrence of the items that are recommended; memory of one row of it.
    """
    to_list, to_past = np.zeros(top.shape), np.zeros(top.shape)
    if top.size:
        item_indptr, rows = group(train.items, train.n_items)
        kernel.list_similarity(
            frozen(top, np.int32),
            frozen(past.indptr, np.int64),
            frozen(past.items, np.int32),
            frozen(item_indptr, np.int64),
            frozen(train.user[rows], np.int32),
            frozen(train.indptr, np.int64),
            frozen(train.items, np.int32),
            to_list,
            to_past,
        )
    surprise = hit * (1.0 - to_past / np.maximum(np.diff(past.indptr), 1)[:, None])
    values = {}
    for k in ks:
        length = (top[:, :k] >= 0).sum(axis=1)
        pairs = length * (length - 1) / 2
        with np.errstate(invalid="ignore"):
            values[f"diversity@{k}"] = np.where(pairs > 0, 1.0 - to_list[:, :k].sum(axis=1) / pairs, np.nan)
        values[f"serendipity@{k}"] = surprise[:, :k].sum(axis=1) / np.maximum(length, 1)
    return values


def popularity_pairs(top: Codes, past: Pairs, popularity: NDArray[np.int64]) -> Floats:
    """Return (users, 2): mean popularity of the list and of the past; both 0 where one of them is empty."""
    listed = list_means(popularity.astype(np.float64), top)
    with np.errstate(invalid="ignore"):
        before = np.bincount(past.user, popularity[past.items], len(past)) / np.diff(past.indptr)
    both = np.stack([listed, before], axis=1)
    both[np.isnan(both).any(axis=1)] = 0.0
    return both


@dataclass(frozen=True, eq=False)
class Measured:
    """The wanted metrics of this page, by key, in three kinds."""

    per_user: dict[str, Floats]
    """a value for each user, NaN where the user has none"""
    ratios: dict[str, Statistic]
    """functions of sums over users"""
    overall: dict[str, float]
    """one number for all lists together: neither users nor an interval"""


def measure(wanted: Wanted, top: Codes, hit: NDArray[np.bool_], past: Pairs, train: Pairs) -> Measured:
    """Compute the wanted metrics of lists.

    Args:
        wanted: the keys; those of other pages are passed over.
        top: (users, places) items recommended, best first, padded with -1; as many places as the largest
            cut-off.
        hit: (users, places) whether the item is relevant.
        past: each user's history, empty for new users.
        train: all pairs of train.
    """
    measured = Measured({}, {}, {})
    pairwise = wanted.cutoffs(("diversity", "serendipity"))
    if pairwise:
        deep = max(pairwise)
        found = diversity_and_serendipity(top[:, :deep], hit[:, :deep], past, train, pairwise)
        measured.per_user.update((key, found[key]) for key in wanted.keys if key in found)
    for key in wanted.keys:
        name, _, k = key.partition("@")
        first = top[:, : int(k)] if k else top
        if name == "novelty":
            measured.per_user[key] = novelty(first, train.popularity, len(train))
        elif name == "user_coverage":
            measured.per_user[key] = user_coverage(first)
        elif name == "coverage":
            measured.overall[key] = coverage(first, train.n_items)
        elif name == "gini":
            measured.overall[key] = gini(first, train.n_items)
        elif name == "popularity_lift":
            sums = popularity_pairs(first, past, train.popularity)
            measured.ratios[key] = Statistic(sums, _lift, int((sums[:, 1] > 0).sum()))
    return measured


def _lift(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1] - 1.0)
