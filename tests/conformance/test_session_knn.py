from __future__ import annotations

from typing import ClassVar

from palate.models.session_knn import SessionKNN
from tests.conformance.conformance import Conformance


class TestSessionKNN(Conformance):
    model = SessionKNN
    any_order = False  # of equally like histories, the first vote


class TestSessionKNNOfTwo(Conformance):
    model = SessionKNN
    params: ClassVar = {"neighbours": 25, "window": 30, "backward": 1.0, "decay": 1.0, "rarity": 0.0}
