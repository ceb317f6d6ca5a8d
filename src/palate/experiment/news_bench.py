"""Measuring models of news while they are tuned: validation is the end of train, in time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from palate.errors import SplitError
from palate.experiment.bench import SHARE, Bench
from palate.experiment.impressions import Shown
from palate.experiment.news import Parts, divide
from palate.experiment.plan import EvaluatePlan, ModelPlan
from palate.models.base import Recommender


@dataclass
class NewsBench(Bench):
    """As `Bench`, for a plan of news; a shift changes the models' seeds alone."""

    _jobs: dict[str, Shown] = field(default_factory=dict)

    @property
    def timed(self) -> bool:
        """Whether the impressions have times."""
        return self.data.train.time is not None

    @property
    def words(self) -> str:
        """How validation was made, in words."""
        return f"By time: of train, the last {SHARE:.0%} of the impressions validate."

    def _parts(self, on: Literal["valid", "test"]) -> Parts:
        whole = divide(self.plan, self.data)
        if on == "test":
            return whole
        if whole.train.time is None:
            raise SplitError(
                f"{self.data.name} has no times, so no part of train comes last and can validate: name the column."
            )
        train, valid = whole.train.before(1 - SHARE)
        return replace(whole, train=train, test=valid)

    def _job(self, on: Literal["valid", "test"], how: EvaluatePlan) -> Shown:
        if on not in self._jobs:
            self._jobs[on] = Shown(self._parts(on), how)
        return self._jobs[on]

    def _ready(self, shift: int) -> None:
        pass

    def _warm_up(self, plan: ModelPlan, how: EvaluatePlan) -> None:
        self._job("valid", how).warm_up(plan)

    def _value(
        self, model: Recommender, shift: int, how: EvaluatePlan, on: Literal["valid", "test"]
    ) -> float:
        job = self._job(on, how)
        return job.judge(job.learn(model), model.name).estimate(self.metric).mean
