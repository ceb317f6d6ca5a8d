"""Whether instructions are told apart: ranking accuracy, with intervals by source or by chapter.

Texts of one source are alike, so the sources are resampled, whole. Where a set has fewer than `FEW` of them there is
nothing to resample: then the chapters are, with all pieces of each, and the measure says so. The books that ship with
Palate are of six sources, so of them intervals are always by chapter, and say nothing of other authors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from palate.errors import DataError
from palate.evaluation.significance import Estimate, Statistic, estimates, randomisation
from palate.text.rank import Trial
from palate.text.suri import SPECIFICITIES

FEW = 10
"""Sources below which chapters are resampled in their place."""
By = Literal["specificity", "kind", "overlap", "control", "blind"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Trials that belong together."""

    by: By
    """`blind`: the trials of a specificity, judged by the instructions alone"""
    name: str
    accuracy: Estimate
    margin: float
    """mean, in nats a text"""


@dataclass(frozen=True)
class Accuracy:
    """Ranking accuracy, in groups."""

    groups: tuple[Group, ...]
    clusters: Literal["sources", "chapters"]
    """what the intervals resample"""

    def of(self, name: str, by: str = "specificity") -> Group:
        """Return one group."""
        found = [one for one in self.groups if (one.by, one.name) == (by, name)]
        if not found:
            raise DataError(f"no trial was asked for the {by} {name}.")
        return found[0]


@dataclass(frozen=True)
class Difference:
    """What one model is more right than another on the same trials."""

    by: By
    name: str
    accuracy: Estimate
    """of the differences, with an interval that resamples whole clusters"""
    p: float
    """how likely so large a difference is by chance: the signs of whole clusters are flipped"""


def ranking_accuracy(trials: Sequence[Trial], *, resamples: int = 1_000, seed: int = 42) -> Accuracy:
    """Return the share of trials that are right: by specificity, and of 1,1 by kind, by overlap, and of the controls.

    A control is right where the order turns: the text is one of which the corrupted constraint is true.
    """
    by_source = _by_source(trials)
    found = []
    for by, name, mine in _groups(trials):
        right, margin = np.array([_judged(one, by) for one in mine], np.float64).T
        accuracy = clustered(right, _clusters(mine, by_source), resamples=resamples, seed=seed)
        found.append(Group(by, name, accuracy, float(margin.mean())))
    return Accuracy(tuple(found), "sources" if by_source else "chapters")


def paired(
    trials: Sequence[Trial], others: Sequence[Trial], *, resamples: int = 1_000, seed: int = 42
) -> tuple[Difference, ...]:
    """Return how much more often one model is right than another, in the same groups, on the same trials.

    Raises DataError where the two were not asked the same: other texts, another seed, another cut.
    """
    theirs = {_key(one): one for one in others}
    if {_key(one) for one in trials} != theirs.keys():
        shared = sum(_key(one) in theirs for one in trials)
        raise DataError(
            f"{shared:,} of {len(trials):,} and {len(others):,} trials are the same: rank both models on the same "
            "set, with the same --seed, --draws, --tokens and --controls."
        )
    by_source = _by_source(trials)
    found = []
    for by, name, mine in _groups(trials):
        if by == "blind":
            continue
        more = np.array([one.right - theirs[_key(one)].right for one in mine], np.float64)
        cluster = _clusters(mine, by_source)
        _, code = np.unique(cluster, return_inverse=True)
        p = float(randomisation(np.bincount(code, more).astype(np.float64), seed=seed)[0])
        found.append(Difference(by, name, clustered(more, cluster, resamples=resamples, seed=seed), p))
    return tuple(found)


def _judged(one: Trial, by: By) -> tuple[bool, float]:
    """Return whether a trial is right, a tie being wrong, and its margin."""
    return (one.blind > 0, one.blind) if by == "blind" else (one.right, one.margin)


def _key(one: Trial) -> tuple[str, bool, str]:
    return one.specificity, one.control, one.question


def _groups(trials: Sequence[Trial]) -> Iterator[tuple[By, str, list[Trial]]]:
    """Yield the groups that have a trial."""
    yield from (group for group in _all_groups(trials) if group[2])


def _all_groups(trials: Sequence[Trial]) -> Iterator[tuple[By, str, list[Trial]]]:
    plain = [one for one in trials if not one.control]
    single = [one for one in plain if one.specificity == "1,1"]
    for name in SPECIFICITIES:
        yield "specificity", name, [one for one in plain if one.specificity == name]
    for kind in sorted({kind for one in single for kind in one.kinds}):
        yield "kind", kind, [one for one in single if kind in one.kinds]
    for name, wanted in (("with", True), ("without", False)):
        yield "overlap", name, [one for one in single if one.overlap is wanted]
    yield "control", "turned", [one for one in trials if one.control]
    for name in SPECIFICITIES:
        yield "blind", name, [one for one in plain if one.specificity == name]


def _by_source(trials: Sequence[Trial]) -> bool:
    return len({one.source for one in trials}) >= FEW


def _clusters(trials: Sequence[Trial], by_source: bool) -> list[str]:
    return [one.source if by_source else one.chapter for one in trials]


def clustered(values: Floats, cluster: Sequence[str], *, resamples: int = 1_000, seed: int = 42) -> Estimate:
    """Return the mean of values with an interval that resamples whole clusters; of fewer than `FEW`, without."""
    names, code = np.unique(np.asarray(cluster, dtype=object).astype(str), return_inverse=True)
    columns = np.stack(
        [np.bincount(code, values, len(names)), np.bincount(code, minlength=len(names))], axis=1
    )
    statistic = Statistic(columns.astype(np.float64), _ratio, len(values))
    found = estimates({"mean": statistic}, resamples=resamples if len(names) >= FEW else 0, seed=seed)["mean"]
    return Estimate(found.mean, found.ci95, len(values))


def _ratio(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / sums[..., 1])
