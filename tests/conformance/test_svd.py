from __future__ import annotations

from typing import ClassVar

from palate.models.svd import SVD
from tests.conformance.conformance import Conformance


class TestSVD(Conformance):
    model = SVD
    params: ClassVar = {"factors": 4}
