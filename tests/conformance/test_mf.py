from __future__ import annotations

from typing import ClassVar

from palate.models.mf import MF
from tests.conformance.conformance import Conformance


class TestMF(Conformance):
    model = MF
    any_order = False  # steps are taken in an order of codes
    params: ClassVar = {"factors": 8, "epochs": 60, "learning_rate": 0.1}
