"""What fitting one model of a plan measures, and where it can run."""

from __future__ import annotations

import subprocess
import sys

from palate.experiment.fit import warm_up
from palate.experiment.plan import EvaluatePlan, ModelPlan

WITHOUT_RESOURCE = """
import sys
from pathlib import Path
sys.modules["resource"] = None
from palate.experiment import fit
Path.exists = lambda self: False
assert fit.peak_rss_mb() is None
"""


def test_a_system_without_the_resource_module_gives_no_peak_memory() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_RESOURCE], check=True)


def test_parameters_that_the_warming_rows_cannot_bear_stop_nothing():
    too_many = ModelPlan.model_validate({"name": "rlrmc", "label": "rlrmc", "factors": 200})
    warm_up(too_many, EvaluatePlan())
