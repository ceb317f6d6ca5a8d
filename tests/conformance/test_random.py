from __future__ import annotations

from palate import Random
from tests.conformance.conformance import Conformance


class TestRandom(Conformance):
    model = Random
    any_order = False
