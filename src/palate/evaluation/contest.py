"""The typed outcome of `palate compare`: models tuned alike, their test, its spread, and what each costs."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from palate.evaluation.resampled import resampled_t
from palate.evaluation.result import Difference, ModelFacts, Number, Result
from palate.evaluation.significance import holm
from palate.evaluation.study import Study, deviation, read_part

LEAST = 0.01
"""CPU seconds below which clocks say nothing."""
LEVEL = 0.05
"""Of the tests that say who is within the noise."""
SPLITS = 5
"""Splits from which the test over splits decides; fewer tell too little of their spread."""
WORTH = 1.5
"""Times cheaper from which a difference of cost is worth a word; below it, clocks differ as much."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Spread(_Part):
    """The metric of one tuned model on the test parts of several splits; the run's own first."""

    label: str
    values: list[Number]

    @property
    def known(self) -> list[float]:
        """The values that there are."""
        return [value for value in self.values if value is not None]

    @property
    def mean(self) -> float:
        """Their mean; NaN where there is none."""
        return statistics.fmean(self.known) if self.known else float("nan")

    @property
    def deviation(self) -> float:
        """Their standard deviation; NaN for fewer than two."""
        return deviation(self.known)


class Contest(_Part):
    """What comparing tuned models found."""

    palate: str
    study: Study
    """how the parameters were chosen, on the validation part"""
    result: Result
    """the tuned models on the test part: the run's whole result"""
    spread: list[Spread]
    """the same models on other splits"""
    varied: str
    """what is another in each split, in words"""
    redrawn: bool = False
    """whether the splits were drawn anew; else they are one, and the models' seeds alone vary"""
    seconds: float
    """wall seconds of it all"""
    notes: list[str] = []
    """models that were left out, and why; budgets that ran out"""
    advice: list[str] = []
    """which model to take, and what else there is to say, in sentences"""

    @property
    def metric(self) -> str:
        """The key that ranks the board."""
        return self.result.primary

    def ranking(self) -> list[ModelFacts]:
        """Return the models by the metric on the test part, best first."""
        return self.result.ranking()

    @property
    def chosen(self) -> str:
        """The label that is best on the validation part: what one would take who never saw the test part."""
        tested = {model.label for model in self.result.models}
        return next((best.model for best in self.study.ranking() if best.model in tested), "")

    def regret(self) -> Difference | None:
        """Return the test's best model minus the chosen one; None where they are the same, or were not tested."""
        best = self.ranking()[0].label
        return None if best == self.chosen else self.result.comparison(best, self.chosen)

    def values(self, label: str) -> Spread:
        """Return a model's spread; an empty one where it has none."""
        return next((one for one in self.spread if one.label == label), Spread(label=label, values=[]))

    def ahead(self, a: str, b: str) -> tuple[int, int]:
        """Return in how many splits `a` is better than `b`, of how many that both have."""
        leads = self._leads(a, b)
        return sum(lead > 0 for lead in leads), len(leads)

    @property
    def by_splits(self) -> bool:
        """Whether the splits decide who is within the noise: they were drawn anew, and are `SPLITS` or more."""
        best, *others = (model.label for model in self.ranking())
        return self.redrawn and all(len(self._leads(best, label)) >= SPLITS for label in others)

    @property
    def test(self) -> str:
        """The test that says who is within the noise, in words."""
        if self.by_splits:
            return "the corrected resampled t test over the splits (Nadeau and Bengio 2003; Holm, 5 %)"
        return "the paired test over users (Holm, 5 %)"

    def chances(self) -> dict[str, float | None]:
        """Return how likely the best's lead over each other model is by chance alone, corrected (Holm).

        By the splits where they decide, and then 1 where the best does not lead on average; else by the users of the
        run's own split, and None where the metric has no test.
        """
        best, *others = (model.label for model in self.ranking())
        if not self.by_splits:
            pairs = {label: self.result.comparison(best, label) for label in others}
            return {label: pair.p_holm if pair is not None else None for label, pair in pairs.items()}
        leads = [self._leads(best, label) for label in others]
        ratio = self._ratio()
        chance = [resampled_t(lead, ratio) if statistics.fmean(lead) > 0 else 1.0 for lead in leads]
        return dict(zip(others, holm(np.array(chance)).tolist(), strict=True))

    def equal(self) -> set[str]:
        """Return the labels within the noise of the best: `test` does not tell them apart."""
        if not self.by_splits:
            return self.result.as_good_as_best()
        return {label for label, p in self.chances().items() if p is not None and p >= LEVEL}

    def cost(self, label: str) -> float:
        """Return a model's CPU seconds to fit and to recommend to every test user; below `LEAST` counts as that."""
        spent = self.result.model(label).cpu_seconds
        return max(spent.fit + spent.recommend, LEAST)

    def front(self) -> list[str]:
        """Return the Pareto front, cheapest first: no other model is both better and cheaper."""
        found: list[str] = []
        by_cost = sorted(self.ranking(), key=lambda model: self.cost(model.label))
        place = {model.label: rank for rank, model in enumerate(self.ranking())}
        for model in by_cost:
            if not found or place[model.label] < place[found[-1]]:
                found.append(model.label)
        return found

    def cheapest_equal(self) -> tuple[str, float] | None:
        """Return the cheapest model within the noise of the best and how many times cheaper it is, if worth a word."""
        best = self.ranking()[0].label
        alike = sorted(self.equal(), key=lambda label: (self.cost(label), label))
        if not alike:
            return None
        times = self.cost(best) / self.cost(alike[0])
        return (alike[0], times) if times >= WORTH else None

    def _leads(self, a: str, b: str) -> list[float]:
        """Return by how much `a` is better than `b` in each split that both have."""
        sign = -1.0 if self.study.lower else 1.0
        pairs = zip(self.values(a).values, self.values(b).values, strict=False)
        return [sign * (one - other) for one, other in pairs if one is not None and other is not None]

    def _ratio(self) -> float:
        """Return the rows of test over the rows that the tested models were fitted on."""
        rows, refit = self.result.split, self.result.plan.get("evaluate", {}).get("refit", False)
        return rows.test / max(rows.train + (rows.valid if refit else 0), 1)

    def __str__(self) -> str:
        equal, front = self.equal(), self.front()
        lines = [
            *self.advice[:1],
            f"{self.result.name} on {self.result.data.name}, by {self.metric}, and CPU seconds",
        ]
        for model in self.ranking():
            marks = " within the noise" * (model.label in equal) + " on the front" * (model.label in front)
            value, cost = model.metrics[self.metric].value, self.cost(model.label)
            lines.append(f"  {model.label:<20}{value:9.4f}{cost:9.2f}{marks}")
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the text of `comparison.json`."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def read(cls, path: str | Path) -> Contest:
        """Read `comparison.json`, or the folder that holds it. Raises `DataError`."""
        return read_part(cls, path, "comparison.json", "compare")
