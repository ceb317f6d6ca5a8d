from __future__ import annotations

from typing import Any, ClassVar

from palate.models.ncf import NCF
from tests.conformance.conformance import Conformance

SMALL: dict[str, Any] = {
    "factors": 8,
    "layers": [16, 16],
    "epochs": 15,
    "batch": 64,
    "learning_rate": 0.05,
    "weight_decay": 0.0,
    "negatives": 4,
}


class TestNeuMF(Conformance):
    model = NCF
    any_order = False
    stops_early = True
    params: ClassVar = SMALL | {"pretrain": True, "epochs": 12}
