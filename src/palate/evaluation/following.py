"""Whether instructions are told apart: ranking accuracy, with intervals by source.

Texts of one source are alike, so the sources are resampled, whole. Where a set has fewer than `FEW` of them there is
nothing to resample: then the texts are, and the measure says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from palate.errors import DataError
from palate.evaluation.significance import Estimate, Statistic, estimates
from palate.text.rank import Trial
from palate.text.suri import SPECIFICITIES

FEW = 10
"""Sources below which texts are resampled in their place."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Trials that belong together."""

    by: Literal["specificity", "kind", "overlap", "control"]
    name: str
    accuracy: Estimate
    margin: float
    """mean, in nats a text"""


@dataclass(frozen=True)
class Accuracy:
    """Ranking accuracy, in groups."""

    groups: tuple[Group, ...]
    clusters: Literal["sources", "texts"]
    """what the intervals resample"""

    def of(self, name: str, by: str = "specificity") -> Group:
        """Return one group."""
        found = [one for one in self.groups if (one.by, one.name) == (by, name)]
        if not found:
            raise DataError(f"no trial was asked for the {by} {name}.")
        return found[0]


def ranking_accuracy(trials: Sequence[Trial], *, resamples: int = 1_000, seed: int = 42) -> Accuracy:
    """Return the share of trials that are right: by specificity, and of 1,1 by kind, by overlap, and of the controls.

    A control is right where the order turns: the text is one of which the corrupted constraint is true.
    """
    clusters: Literal["sources", "texts"] = (
        "sources" if len({one.source for one in trials}) >= FEW else "texts"
    )

    def group(
        by: Literal["specificity", "kind", "overlap", "control"], name: str, mine: Sequence[Trial]
    ) -> Group:
        cluster = [one.source if clusters == "sources" else one.example for one in mine]
        right = np.array([one.right for one in mine], np.float64)
        return Group(
            by,
            name,
            clustered(right, cluster, resamples=resamples, seed=seed),
            _mean(one.margin for one in mine),
        )

    plain = [one for one in trials if not one.control]
    found = []
    for name in SPECIFICITIES:
        if mine := [one for one in plain if one.specificity == name]:
            found.append(group("specificity", name, mine))
    single = [one for one in plain if one.specificity == "1,1"]
    for kind in sorted({kind for one in single for kind in one.kinds}):
        found.append(group("kind", kind, [one for one in single if kind in one.kinds]))
    for name, wanted in (("with", True), ("without", False)):
        if mine := [one for one in single if one.overlap is wanted]:
            found.append(group("overlap", name, mine))
    if mine := [one for one in trials if one.control]:
        found.append(group("control", "turned", mine))
    return Accuracy(tuple(found), clusters)


def clustered(values: Floats, cluster: Sequence[str], *, resamples: int = 1_000, seed: int = 42) -> Estimate:
    """Return the mean of values with an interval that resamples whole clusters; of fewer than `FEW`, without."""
    names, code = np.unique(np.asarray(cluster, dtype=object).astype(str), return_inverse=True)
    columns = np.stack(
        [np.bincount(code, values, len(names)), np.bincount(code, minlength=len(names))], axis=1
    )
    statistic = Statistic(columns.astype(np.float64), _ratio, len(values))
    found = estimates({"mean": statistic}, resamples=resamples if len(names) >= FEW else 0, seed=seed)["mean"]
    return Estimate(found.mean, found.ci95, len(values))


def _mean(values: Iterable[float]) -> float:
    told = list(values)
    return float(np.mean(told)) if told else float("nan")


def _ratio(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / sums[..., 1])
