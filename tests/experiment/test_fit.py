"""What fitting one model of a plan measures, and where it can run."""

from __future__ import annotations

from palate.experiment.fit import warm_up
from palate.experiment.plan import EvaluatePlan, ModelPlan


def test_parameters_that_the_warming_rows_cannot_bear_stop_nothing():
    too_many = ModelPlan.model_validate({"name": "rlrmc", "label": "rlrmc", "factors": 200})
    warm_up(too_many, EvaluatePlan())
