from __future__ import annotations

from typing import ClassVar

from palate import Popularity
from tests.conformance.conformance import Conformance


class TestPopularity(Conformance):
    model = Popularity


class TestRecentPopularity(Conformance):
    model = Popularity
    params: ClassVar = {"half_life_days": 5}
