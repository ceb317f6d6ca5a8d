from __future__ import annotations

from typing import ClassVar

from palate.models.rlrmc import RLRMC
from tests.conformance.conformance import Conformance


class TestRLRMC(Conformance):
    model = RLRMC
    stops_early = True


class TestRLRMCOnTheProductOfThree(Conformance):
    model = RLRMC
    stops_early = True
    params: ClassVar = {"geometry": "ubv", "penalty": "product", "factors": 1, "iterations": 30}


class TestAlternatingLeastSquares(Conformance):
    model = RLRMC
    stops_early = True
    params: ClassVar = {"geometry": "als", "biases": "mean", "iterations": 30}
