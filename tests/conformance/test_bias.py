from __future__ import annotations

from palate.models.bias import Bias
from tests.conformance.conformance import Conformance


class TestBias(Conformance):
    model = Bias
