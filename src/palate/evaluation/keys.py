"""Metric keys: `ndcg@10` names a metric and its cut-off; a plan gives names and cut-offs apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

from palate.errors import PlanError, did_you_mean

AT_K = ("ndcg", "map", "map_all", "precision", "recall", "mrr", "hit")
"""Accuracy of the first k places."""
WHOLE = ("r_precision", "auc")
"""Accuracy with no cut-off of the caller's."""
RATING = ("rmse", "mae", "r2", "explained_variance")
"""Accuracy of predicted values."""
BEYOND = ("coverage", "user_coverage", "gini", "novelty", "diversity", "serendipity", "popularity_lift")
"""Properties of the first k places other than accuracy."""
IMPRESSION = (
    "impression_auc",
    "impression_mrr",
    "impression_ndcg",
    "impression_mrr_tied",
    "impression_ndcg_tied",
)
"""How the candidates of an impression are ordered; of nDCG at a cut-off."""
NAMES = (*AT_K, *WHOLE, *RATING, *BEYOND)


@dataclass(frozen=True)
class Wanted:
    """The keys that a caller asks for, in order, and what must be computed for them."""

    keys: tuple[str, ...]

    def cutoffs(self, names: Iterable[str] = (*AT_K, *BEYOND)) -> tuple[int, ...]:
        """Return the cut-offs of the keys whose metric is among `names`, ascending."""
        names = set(names)
        found = (key.partition("@") for key in self.keys)
        return tuple(sorted({int(k) for name, at, k in found if at and name in names}))

    def any_of(self, names: Iterable[str]) -> bool:
        """Whether a key's metric is among `names`."""
        names = set(names)
        return any(key.partition("@")[0] in names for key in self.keys)


def wanted(metrics: Iterable[str] | str, k: Iterable[int] | int) -> Wanted:
    """Return the keys of `metrics` at every cut-off in `k`; a name may bring its own cut-off (`"ndcg@5"`).

    Raises PlanError for an unknown metric, a cut-off below 1, a cut-off where none belongs, or nothing at
    all.

    >>> wanted(["ndcg", "rmse", "hit@1"], k=[5, 10]).keys
    ('ndcg@5', 'ndcg@10', 'rmse', 'hit@1')
    """
    cutoffs = list(k) if isinstance(k, Iterable) else [k]
    keys: dict[str, None] = {}
    for metric in [metrics] if isinstance(metrics, str) else metrics:
        name, at, own = metric.partition("@")
        if name not in NAMES:
            raise PlanError(f"no metric {name!r}.{did_you_mean(name, NAMES)} There are: {', '.join(NAMES)}.")
        if name in WHOLE or name in RATING:
            if at:
                raise PlanError(f"metric {metric!r}: {name} takes no cut-off; write {name!r}.")
            keys[name] = None
            continue
        if at and not own.isdecimal():
            raise PlanError(f"metric {metric!r}: a cut-off is a whole number, as in '{name}@10'.")
        for cutoff in [int(own)] if at else cutoffs:
            if isinstance(cutoff, bool) or not isinstance(cutoff, Integral) or cutoff < 1:
                raise PlanError(f"k = {cutoff!r}: a cut-off is a whole number from 1.")
            keys[f"{name}@{cutoff}"] = None
    if not keys:
        raise PlanError("no metric to compute: give metrics, and k for those that have a cut-off.")
    return Wanted(tuple(keys))


def impression_keys(metrics: Iterable[str] | str, k: Iterable[int] | int) -> list[str]:
    """Return the keys of impression metrics, nDCG at every cut-off in `k`; a name may bring its own cut-off.

    Raises PlanError for an unknown metric, a cut-off where none belongs, or nothing at all.

    >>> impression_keys(["impression_auc", "impression_ndcg"], k=[5, 10])
    ['impression_auc', 'impression_ndcg@5', 'impression_ndcg@10']
    """
    keys: dict[str, None] = {}
    for metric in [metrics] if isinstance(metrics, str) else metrics:
        name, at, _ = metric.partition("@")
        if name not in IMPRESSION:
            hint = did_you_mean(name, IMPRESSION)
            raise PlanError(f"no metric of impressions {name!r}.{hint} There are: {', '.join(IMPRESSION)}.")
        if "ndcg" not in name:
            if at:
                raise PlanError(f"metric {metric!r}: {name} takes no cut-off; write {name!r}.")
            keys[name] = None
            continue
        # the arithmetic of cut-offs is that of `wanted`
        stem = wanted([f"ndcg{metric.removeprefix(name)}"], k)
        keys |= {f"{name}{key.removeprefix('ndcg')}": None for key in stem.keys}
    if not keys:
        raise PlanError(f"no metric to compute: give some of {', '.join(IMPRESSION)}.")
    return list(keys)
