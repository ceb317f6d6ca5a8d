from __future__ import annotations

from typing import ClassVar

from palate import EASE
from tests.conformance.conformance import Conformance


class TestEASE(Conformance):
    model = EASE
    params: ClassVar = {"l2": 10.0}
