from __future__ import annotations

from typing import ClassVar

from palate.models.markov import Markov
from tests.conformance.conformance import Conformance


class TestMarkov(Conformance):
    model = Markov


class TestMarkovOfOneStep(Conformance):
    model = Markov
    params: ClassVar = {"window": 2, "backward": 1.0, "fade": 0.9, "smoothing": 0.5, "last": 9}
