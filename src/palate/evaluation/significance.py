"""Whether a difference is more than luck: bootstrap intervals by user, paired tests, Holm's correction.

The user is the unit everywhere: one user's rows are not independent of each other. Resampling keeps whole
users, so a metric that is no mean of users (RMSE, popularity lift) is resampled through its sums by user.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError, PlanError, did_you_mean

Floats = NDArray[np.float64]
Method = Literal["randomisation", "t"]

NORMAL_FROM = 20_000
"""Users from which a mean's interval is the normal one: they differ by less than the bootstrap's noise."""
_BLOCK = 4_000_000  # resampled users held at a time


@dataclass(frozen=True)
class Estimate:
    """A metric: its `mean`, its 95 % interval `ci95` (None where it has none), and the `n` users it is taken over."""

    mean: float
    ci95: tuple[float, float] | None
    n: int


@dataclass(frozen=True)
class Comparison:
    """Model `a` minus model `b` on one `metric`, paired by user."""

    a: str
    b: str
    metric: str
    difference: float
    """of the means, a minus b"""
    ci95: tuple[float, float] | None
    """95 % interval of the difference"""
    p: float
    """how likely so large a difference is by chance alone"""
    p_holm: float
    """the same, corrected for all pairs that were compared (Holm 1979)"""
    method: str
    """the test behind `p`"""
    n: int
    """users that both have"""


@dataclass(frozen=True, eq=False)
class Statistic:
    """A metric as a function of sums over users: `of(columns.sum(axis=0))`, vectorised over leading axes."""

    columns: Floats
    """(users, sums)"""
    of: Callable[[Floats], Floats]
    n: int
    """users it is taken over"""

    @classmethod
    def mean(cls, values: Floats) -> Statistic:
        """Make the mean of `values` (users), NaN meaning that the user has none."""
        there = ~np.isnan(values)
        n = int(there.sum())
        if n == len(values):
            return cls(values[:, None], lambda sums: sums[..., 0] / n, n)
        columns = np.stack([np.where(there, values, 0.0), there.astype(np.float64)], axis=1)
        return cls(columns, _ratio, n)


class PerUser(Protocol):
    """What `compare` needs of an evaluation."""

    @property
    def label(self) -> str:
        """The model's name on the board."""

    @property
    def users(self) -> pl.Series:
        """(users) ids."""

    @property
    def per_user(self) -> dict[str, Floats]:
        """Metric key to the value of each user."""

    @property
    def sums(self) -> dict[str, Statistic]:
        """Metric key to the statistic, for metrics of ratings: functions of sums by user."""


def estimate_mean(values: Floats) -> Estimate:
    """Return the mean of many users' values with the normal interval, mean -+ 1.96 standard errors."""
    mean, n = float(values.mean()), len(values)
    margin = 1.959963984540054 * float(values.std(ddof=1)) / n**0.5
    return Estimate(mean, (mean - margin, mean + margin), n)


def estimates(statistics: dict[str, Statistic], *, resamples: int, seed: int) -> dict[str, Estimate]:
    """Return each statistic with its percentile bootstrap interval (Efron 1979), all from the same resamples.

    Args:
        statistics: by metric key; those over equally many users are resampled together.
        resamples: 0 gives no intervals.
        seed: of the resampling; the same seed resamples the same users for every model.

    From `NORMAL_FROM` users on a plain mean gets the normal interval instead. Cost: resamples x users x
    columns.
    """
    found: dict[str, Estimate] = {}
    resampled: dict[int, dict[str, Statistic]] = {}  # lists and ratings may be judged over different users
    for key, statistic in statistics.items():
        columns = statistic.columns
        if resamples and columns.shape[1] == 1 and len(columns) >= NORMAL_FROM:
            found[key] = estimate_mean(columns[:, 0])
            continue
        found[key] = Estimate(
            float(statistic.of(columns.sum(axis=0))) if len(columns) else np.nan, None, statistic.n
        )
        if resamples and statistic.n > 1:
            resampled.setdefault(len(columns), {})[key] = statistic
    for together in resampled.values():
        columns = np.concatenate([statistic.columns for statistic in together.values()], axis=1)
        sums, at = resampled_sums(columns, resamples=resamples, seed=seed), 0
        for key, statistic in together.items():
            width = statistic.columns.shape[1]
            interval = _percentiles(statistic.of(sums[:, at : at + width]))
            found[key] = Estimate(found[key].mean, interval, statistic.n)
            at += width
    return {key: found[key] for key in statistics}


def resampled_sums(columns: Floats, *, resamples: int, seed: int) -> Floats:
    """Return (resamples, columns): sums over users drawn with replacement, as many as there are.

    In blocks, so memory does not grow with the number of resamples.
    """
    n = len(columns)
    random = np.random.default_rng(seed)
    sums = np.empty((resamples, columns.shape[1]))
    for start, stop in _blocks(resamples, n):
        drawn = random.integers(0, n, (stop - start, n), dtype=np.int64)
        drawn += np.arange(stop - start)[:, None] * n
        weights = np.bincount(drawn.ravel(), minlength=(stop - start) * n).reshape(stop - start, n)
        sums[start:stop] = weights.astype(np.float64) @ columns
    return sums


def compare(
    evaluations: Sequence[PerUser],
    metrics: Sequence[str],
    *,
    method: Method = "randomisation",
    seed: int = 42,
    flips: int = 10_000,
    bootstrap: int = 1_000,
) -> list[Comparison]:
    """Compare every pair of models on every metric that is made of users: means of their values, or of their sums.

    Args:
        evaluations: of the same users, in the same order (the same split gives that).
        metrics: keys such as `ndcg@10`, `rmse`; those of all lists together (`coverage@10`) are passed over.
        method: `randomisation`, the two-sided sign-flip test (exact where all flips are few enough), or the
            paired `t` test. Metrics of ratings are tested by swapping the models' sums of a user in any case.
        seed: of flips and resamples.
        flips: random sign flips; the smallest p-value is 1 / (flips + 1).
        bootstrap: resamples of the difference's percentile interval.

    Returns: one comparison a metric and pair, the first model minus the second; p_holm corrects the
        p-values of one metric for all its pairs (Holm 1979).

    Raises: DataError for evaluations of different users, PlanError for a metric that no evaluation has.
    """
    if method not in ("randomisation", "t"):
        raise PlanError(f"method = {method!r}: give 'randomisation' or 't'.")
    for other in evaluations[1:]:
        if not evaluations[0].users.equals(other.users):
            raise DataError(
                f"{evaluations[0].label} and {other.label} were evaluated on different users: "
                "compare evaluations of the same split."
            )
    pairs = list(itertools.combinations(evaluations, 2))
    by_mean = [metric for metric in metrics if _has_values(metric, evaluations)]
    if not pairs:
        return []
    by_sums = [metric for metric in metrics if all(metric in one.sums for one in evaluations)]
    found = _compare_means(pairs, by_mean, method=method, seed=seed, flips=flips, bootstrap=bootstrap)
    for metric in by_sums:
        found[metric] = _compare_sums(pairs, metric, seed=seed, flips=flips, bootstrap=bootstrap)
    return [one for metric in metrics for one in found.get(metric, ())]


def _compare_means(
    pairs: Sequence[tuple[PerUser, PerUser]],
    metrics: Sequence[str],
    *,
    method: Method,
    seed: int,
    flips: int,
    bootstrap: int,
) -> dict[str, list[Comparison]]:
    """Compare metrics that are means of users' values; all pairs of all metrics share their flips and resamples."""
    if not metrics:
        return {}
    differences = np.stack(
        [a.per_user[metric] - b.per_user[metric] for metric in metrics for a, b in pairs], axis=1
    )
    names = [str(n) for n in range(differences.shape[1])]
    statistics = {name: Statistic.mean(differences[:, int(name)]) for name in names}
    found = list(estimates(statistics, resamples=bootstrap, seed=seed).values())
    p = paired_t(differences) if method == "t" else randomisation(differences, flips=flips, seed=seed)
    p = p.reshape(len(metrics), len(pairs))
    return {
        metric: _comparisons(pairs, metric, found[n * len(pairs) :], p[n], method)
        for n, metric in enumerate(metrics)
    }


def _compare_sums(
    pairs: Sequence[tuple[PerUser, PerUser]], metric: str, *, seed: int, flips: int, bootstrap: int
) -> list[Comparison]:
    """Compare a metric that is a function of sums over users: under the null, a user's sums may be swapped."""
    sums = [(a.sums[metric], b.sums[metric]) for a, b in pairs]
    both = {
        str(n): Statistic(np.hstack([one.columns, other.columns]), _between(one.of), one.n)
        for n, (one, other) in enumerate(sums)
    }
    found = list(estimates(both, resamples=bootstrap, seed=seed).values())
    return _comparisons(pairs, metric, found, swapped(sums, flips=flips, seed=seed), "randomisation")


def _comparisons(
    pairs: Sequence[tuple[PerUser, PerUser]],
    metric: str,
    found: Sequence[Estimate],
    p: Floats,
    method: Method,
) -> list[Comparison]:
    return [
        Comparison(
            a.label, b.label, metric, one.mean, one.ci95, float(chance), float(corrected), method, one.n
        )
        for (a, b), one, chance, corrected in zip(pairs, found, p, holm(p), strict=False)
    ]


def _between(of: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """Return the difference of a statistic of the first half of the sums and of the second."""

    def difference(sums: Floats) -> Floats:
        half = sums.shape[-1] // 2
        return np.asarray(of(sums[..., :half]) - of(sums[..., half:]))

    return difference


def swapped(pairs: Sequence[tuple[Statistic, Statistic]], *, flips: int = 10_000, seed: int = 42) -> Floats:
    """Return the two-sided p-value of the paired randomisation test of each pair, for functions of sums such as RMSE.

    Under the null hypothesis the two models' sums of a user may as well be the other way round. `flips` random
    patterns, the same for all pairs; p is (1 + as extreme) / (1 + flips).
    """
    totals = [(one.columns.sum(axis=0), other.columns.sum(axis=0)) for one, other in pairs]
    found = np.array([one.of(a) - one.of(b) for (one, _), (a, b) in zip(pairs, totals, strict=True)])
    observed = np.abs(found) * (1 - 1e-12)
    apart = np.hstack([one.columns - other.columns for one, other in pairs])
    apart = apart[(apart != 0).any(axis=1)]
    ends = np.cumsum([one.columns.shape[1] for one, _ in pairs])[:-1]
    random, extreme = np.random.default_rng(seed), np.zeros(len(pairs), np.int64)
    for start, stop in _blocks(flips, len(apart)):
        packed = random.integers(0, 256, (stop - start, -(-len(apart) // 8)), dtype=np.uint8)
        moved = np.unpackbits(packed, axis=1, count=len(apart)).astype(np.float64) @ apart
        for n, part in enumerate(np.split(moved, ends, axis=1)):
            a, b = totals[n]
            of = pairs[n][0].of
            extreme[n] += (np.abs(of(a - part) - of(b + part)) >= observed[n]).sum()
    return np.asarray(np.where(np.isfinite(found), (1 + extreme) / (1 + flips), 1.0))


def randomisation(differences: Floats, *, flips: int = 10_000, seed: int = 42) -> Floats:
    """Return the two-sided p-value of the paired randomisation test (Fisher 1935) of each column.

    Under the null hypothesis each user's difference may as well have the other sign. A column whose sign
    patterns number at most `flips` is enumerated, and p is exact; else `flips` random ones are drawn and p
    is (1 + as extreme) / (1 + flips), which never is 0 (Phipson, Smyth 2010). NaN differences are left out.

    Args:
        differences: (users, columns), or (users).
        flips: random patterns, where all are too many.
        seed: of the random patterns.
    """
    table = np.nan_to_num(np.atleast_2d(differences.T).T, nan=0.0)
    observed = np.abs(table.sum(axis=0))
    # Sums of the same numbers in another order differ in the last bits: those are ties, not lesser values.
    observed -= 1e-12 * np.abs(table).sum(axis=0)
    p = np.ones(table.shape[1])
    sampled = []
    for column in range(table.shape[1]):
        nonzero = table[table[:, column] != 0, column]
        if 2 ** len(nonzero) > flips:
            sampled.append(column)
            continue
        patterns = np.arange(2 ** len(nonzero))[:, None] >> np.arange(len(nonzero)) & 1
        sums = (1 - 2 * patterns) @ nonzero
        p[column] = np.mean(np.abs(sums) >= observed[column])
    if sampled:
        part = table[:, sampled]
        part = part[(part != 0).any(axis=1)]
        total, extreme = part.sum(axis=0), np.zeros(len(sampled), np.int64)
        random = np.random.default_rng(seed)
        for start, stop in _blocks(flips, len(part)):
            packed = random.integers(0, 256, (stop - start, -(-len(part) // 8)), dtype=np.uint8)
            kept = np.unpackbits(packed, axis=1, count=len(part)).astype(np.float64)
            extreme += (np.abs(2 * (kept @ part) - total) >= observed[sampled]).sum(axis=0)
        p[sampled] = (1 + extreme) / (1 + flips)
    return p


def paired_t(differences: Floats) -> Floats:
    """Return the two-sided p-value of the paired t test (Student 1908) of each column; NaN is left out."""
    from scipy.special import stdtr

    table = np.atleast_2d(differences.T).T
    p = np.ones(table.shape[1])
    for column in range(table.shape[1]):
        values = table[~np.isnan(table[:, column]), column]
        if len(values) < 2:
            continue
        error = values.std(ddof=1) / len(values) ** 0.5
        if error > 0:
            p[column] = 2 * stdtr(len(values) - 1, -abs(values.mean() / error))
        elif values[0] != 0:
            p[column] = 0.0
    return p


def holm(p: Floats) -> Floats:
    """Return p-values corrected along the last axis by Holm's step-down method (1979).

    Below a level, they bound the chance of any false alarm among all of them by that level.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, axis=-1, kind="stable")
    m = p.shape[-1]
    stepped = np.maximum.accumulate(np.take_along_axis(p, order, -1) * np.arange(m, 0, -1), axis=-1)
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.minimum(stepped, 1.0), -1)
    return corrected


def _has_values(metric: str, evaluations: Sequence[PerUser]) -> bool:
    from palate.evaluation.keys import IMPRESSION, NAMES

    if metric.partition("@")[0] not in (*NAMES, *IMPRESSION):
        raise PlanError(f"no metric {metric!r}.{did_you_mean(metric, evaluations[0].per_user)}")
    return all(metric in evaluation.per_user for evaluation in evaluations)


def _ratio(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def _percentiles(values: Floats) -> tuple[float, float] | None:
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _blocks(total: int, width: int) -> Iterator[tuple[int, int]]:
    step = max(1, _BLOCK // max(width, 1))
    for start in range(0, total, step):
        yield start, min(start + step, total)
