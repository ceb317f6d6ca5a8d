from __future__ import annotations

from typing import ClassVar

from palate.models.mean import Mean
from tests.conformance.conformance import Conformance


class TestMean(Conformance):
    model = Mean


class TestMeanOfUsers(Conformance):
    model = Mean
    params: ClassVar = {"level": "user", "damping": 0.0}
