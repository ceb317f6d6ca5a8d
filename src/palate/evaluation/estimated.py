"""What every evaluation can be asked: one metric, and all of it in words."""

from __future__ import annotations

from palate.errors import PlanError, did_you_mean
from palate.evaluation.significance import Estimate


class Estimated:
    """An evaluation: metrics with intervals, under a label, with notes."""

    label: str
    estimates: dict[str, Estimate]
    seconds: dict[str, float]
    cpu_seconds: dict[str, float]
    notes: list[str]

    def estimate(self, key: str) -> Estimate:
        """Return one metric. Raises PlanError for a key that was not asked for."""
        if key not in self.estimates:
            raise PlanError(f"{self.label} has no {key!r}.{did_you_mean(key, self.estimates)}")
        return self.estimates[key]

    def in_words(self, title: str) -> str:
        """Return the title, a line for each metric with its interval, and the notes."""
        rows = [
            f"  {key:<22}{one.mean:9.4f}" + (f"   {one.ci95[0]:.4f} to {one.ci95[1]:.4f}" if one.ci95 else "")
            for key, one in self.estimates.items()
        ]
        return "\n".join([title, *rows, *self.notes])
