"""Accuracy of ranked lists: nDCG, MAP, precision, recall, MRR, hit rate, R-precision and AUC, for each user.

Relevance is binary. With `hit(i)` 1 where place i holds a relevant item, R the number of relevant items and
k the cut-off:

    ndcg@k       sum_i hit(i) / log2(i + 1)  /  sum_(i <= min(k, R)) 1 / log2(i + 1)
    map@k        sum_i hit(i) precision@i  /  min(k, R)
    map_all@k    sum_i hit(i) precision@i  /  R
    precision@k  hits / k
    recall@k     hits / R
    hit@k        1 if there is a hit, else 0
    mrr@k        1 / place of the first hit, 0 without one
    r_precision  hits among the first R places / R
    auc          share of pairs (relevant, other candidate) in the right order, ties half

Sums run over the first k places. nDCG: Jarvelin, Kekalainen 2002. Reciprocal rank: Voorhees 1999.

A list shorter than k counts as if nothing relevant followed. docs/metrics.md says how other libraries differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palate.errors import DataError
from palate.kernels import ranking as kernel
from palate.kernels.ranking import frozen

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Relevant:
    """Relevant items of each user, distinct: `items[indptr[u]:indptr[u + 1]]`, ascending."""

    indptr: NDArray[np.int64]
    """(users + 1)"""
    items: Codes
    """(pairs) codes that a list can hold"""
    n: NDArray[np.int64]
    """(users) how many are relevant, those without a code included; at least 1"""

    def __len__(self) -> int:
        return len(self.n)

    @classmethod
    def of_pairs(cls, user: NDArray[np.integer], item: NDArray[np.integer], n_users: int) -> Relevant:
        """Make it of distinct pairs; items of code -1 are relevant items that no list can hold."""
        n = np.bincount(user, minlength=n_users).astype(np.int64)
        if len(n) and n.min() == 0:
            raise DataError("a user without a relevant item cannot be scored: leave such users out.")
        known = item >= 0
        order = np.lexsort((item[known], user[known]))
        counts = np.bincount(user[known], minlength=n_users)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(indptr, item[known][order].astype(np.int32), n)

    def select(self, users: NDArray[np.integer]) -> Relevant:
        """Return the part of `users`, in that order."""
        lengths = np.diff(self.indptr)[users]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        at = np.repeat(self.indptr[users] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Relevant(indptr, self.items[at], self.n[users])

    def within(self, outside: NDArray[np.bool_]) -> Relevant:
        """Return the same with items `outside` (users, items) as relevant items that no list can hold."""
        user = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        kept = ~outside[user, self.items]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(user[kept], minlength=len(self)))])
        return Relevant(indptr.astype(np.int64), self.items[kept], self.n)


def list_values(top: Codes, relevant: Relevant, ks: tuple[int, ...]) -> Values:
    """Return every list metric of every user, by key (`ndcg@10`, ..., and `r_precision`).

    Args:
        top: (users, places) item codes, best first, distinct in a row, padded with -1. `r_precision` is exact
            where there are as many places as the user has relevant items, or the list ends before.
        relevant: the truth, of the same users.
        ks: cut-offs, ascending. Cost: users x places.
    """
    values, r_precision = np.empty((len(kernel.METRICS), len(ks), len(top))), np.empty(len(top))
    discount, ideal = kernel.discounts(max(ks, default=1))
    kernel.list_metrics(
        frozen(top, np.int32),
        frozen(relevant.indptr, np.int64),
        frozen(relevant.items, np.int32),
        frozen(relevant.n, np.int64),
        frozen(np.array(ks, np.int64), np.int64),
        discount,
        ideal,
        values,
        r_precision,
    )
    return named(values, r_precision, ks)


def hits(top: Codes, relevant: Relevant) -> NDArray[np.bool_]:
    """Return, for each place of each list, whether a relevant item stands there."""
    user = np.repeat(np.arange(len(top)), top.shape[1])
    found = kernel.members(
        frozen(relevant.indptr, np.int64),
        frozen(relevant.items, np.int32),
        frozen(user, np.int64),
        frozen(top.ravel(), np.int32),
    )
    return np.asarray(found).reshape(top.shape)


def named(values: NDArray[np.float64], r_precision: NDArray[np.float64], ks: tuple[int, ...]) -> Values:
    """Return the kernels' `values[metric, cut-off, user]` by key."""
    keyed = {f"{name}@{k}": values[m, c] for m, name in enumerate(kernel.METRICS) for c, k in enumerate(ks)}
    return keyed | {"r_precision": r_precision}


def auc_values(
    scores: NDArray[np.floating],
    relevant: Relevant,
    excluded: tuple[NDArray[np.int64], Codes] | None = None,
) -> NDArray[np.float64]:
    """Return each user's area under the ROC curve over all items that are not `excluded`.

    The share of pairs (relevant item, other candidate) in which the relevant item has the higher score; a tie
    counts half. A relevant item without a code stands below every candidate; a user without any pair gets
    0.5.

    Args:
        scores: (users, items), finite or -inf.
        relevant: the truth, of the same users.
        excluded: CSR (indptr, items) of each user's items that are no candidates, such as those seen in
            train; none of them relevant.
    """
    out = np.empty(len(scores))
    indptr, items = excluded if excluded is not None else (np.zeros(len(scores) + 1), np.empty(0))
    kernel.user_auc(
        frozen(scores, np.float64),
        frozen(indptr, np.int64),
        frozen(items, np.int32),
        frozen(relevant.indptr, np.int64),
        frozen(relevant.items, np.int32),
        frozen(relevant.n, np.int64),
        out,
    )
    return out
