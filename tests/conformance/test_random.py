from __future__ import annotations

from typing import ClassVar

from palate import Random
from tests.conformance.conformance import Conformance


class TestRandom(Conformance):
    model = Random


class TestRandomOfAnotherSeed(Conformance):
    model = Random
    params: ClassVar = {"seed": 7}
