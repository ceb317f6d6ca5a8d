from __future__ import annotations

from typing import Any, ClassVar

from palate.models.sasrec import SASRec
from tests.conformance.conformance import Conformance

SMALL: dict[str, Any] = {
    "embedding_size": 16,
    "blocks": 1,
    "window": 20,
    "epochs": 60,
    "batch": 1_024,
    "learning_rate": 0.02,
    "device": "cpu",
}


class TestSASRec(Conformance):
    model = SASRec
    any_order = False
    stops_early = True
    needs_sequences = True
    single_precision = True
    params: ClassVar = SMALL


class TestSampledSASRec(Conformance):
    model = SASRec
    any_order = False
    stops_early = True
    needs_sequences = True
    single_precision = True
    params: ClassVar = SMALL | {
        "loss": "sampled_ce",
        "negatives": 5,
        "heads": 2,
    }
