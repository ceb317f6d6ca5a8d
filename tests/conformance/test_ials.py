from __future__ import annotations

from typing import ClassVar

from palate.models.ials import IALS
from tests.conformance.conformance import Conformance


class TestIALS(Conformance):
    model = IALS
    any_order = False  # sums of float32 over users
    single_precision = True
    params: ClassVar = {"factors": 5}


class TestIALSByGradients(Conformance):
    model = IALS
    any_order = False
    single_precision = True
    params: ClassVar = {"factors": 16, "solver": "cg", "frequency_scaling": 0.5, "regularisation": 0.05}
