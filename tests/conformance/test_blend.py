from __future__ import annotations

from typing import ClassVar

from palate.models.blend import Blend
from tests.conformance.conformance import Conformance


class TestBlend(Conformance):
    model = Blend
    params: ClassVar = {"models": [{"name": "sar"}, {"name": "ease", "l2": 10.0}]}


class TestWeightedBlend(Conformance):
    model = Blend
    stops_early = True  # validation rows give the weights
    params: ClassVar = {
        "fusion": "weights",
        "models": [{"name": "ease", "l2": 10.0}, {"name": "popularity"}, {"name": "sar", "threshold": 1}],
    }
