from __future__ import annotations

from typing import ClassVar

from palate import SAR
from tests.conformance.conformance import Conformance


class TestSAR(Conformance):
    model = SAR


class TestFadingSAR(Conformance):
    model = SAR
    params: ClassVar = {"similarity": "mutual_information", "half_life_days": 5, "precision": "float64"}


class TestSARWithNeighbours(Conformance):
    model = SAR
    params: ClassVar = {"neighbours": 9, "keep_counts": True}


class TestNormalisedSAR(Conformance):
    model = SAR
    params: ClassVar = {"similarity": "cosine", "normalise": True, "precision": "float64"}
