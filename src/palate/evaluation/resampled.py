"""Whether a model is ahead over several splits of the same data: the corrected resampled t test."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def resampled_t(differences: Sequence[float], ratio: float) -> float:
    """Return the two-sided p-value of a mean difference over splits that were drawn at random.

    The training parts of such splits overlap, so their differences are not independent, and the plain paired t test
    calls far too much significant. Nadeau and Bengio ("Inference for the generalization error", Machine Learning 52,
    2003) take `1 / J + ratio` for `1 / J` in the variance of the mean of J differences; `ratio` is the rows of test
    over those of train. Cost: O(J).

    Raises: ValueError for fewer than two differences.

    >>> round(resampled_t([0.02, 0.01, 0.03, 0.02, 0.02], ratio=1 / 3), 4)
    0.0179
    >>> resampled_t([0.0, 0.0], ratio=1 / 3), resampled_t([0.1, 0.1], ratio=1 / 3)
    (1.0, 0.0)
    """
    from scipy.special import stdtr

    n = len(differences)
    if n < 2:
        raise ValueError(f"{n} differences: expected two or more.")
    mean = statistics.fmean(differences)
    error = math.sqrt((1 / n + ratio) * statistics.variance(differences))
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(n - 1, -abs(mean) / error))
