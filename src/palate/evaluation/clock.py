"""Wall and CPU seconds of an evaluation, those of the model's answers apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


@dataclass
class Clock:
    """Wall and CPU seconds, those of the model's answers apart."""

    start: tuple[float, float] = field(default_factory=_now)
    answers: tuple[float, float] = (0.0, 0.0)

    @contextmanager
    def recommending(self) -> Iterator[None]:
        """Count the block as the model's own time."""
        before = _now()
        yield
        after = _now()
        self.answers = (self.answers[0] + after[0] - before[0], self.answers[1] + after[1] - before[1])

    def read(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return wall and CPU seconds by phase."""
        now = _now()
        wall, cpu = (
            {"recommend": self.answers[n], "evaluate": now[n] - self.start[n] - self.answers[n]}
            for n in (0, 1)
        )
        return wall, cpu
