"""What the scripts of sequence peers share: the sequences, and a watch that times training and keeps states of it.

The sequences are an .npz: `user`, `item` of train in the order of time within each user, and `valid_user`,
`valid_item`, the next item of each. A watch stops training after so many seconds, and knows what a step costs
once the first, which allocates, is over. Marks are seconds of training at which the state is kept; keeping it
is not training.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any, Self

import numpy as np


def peak_mb() -> int:
    """Highest resident memory of this process so far."""
    return getrusage(RUSAGE_SELF).ru_maxrss // 1024


def now() -> np.ndarray:
    """CPU seconds of this process and wall seconds."""
    return np.array([time.process_time(), time.perf_counter()])


@dataclass
class Sequences:
    """Train and validation rows."""

    user: np.ndarray
    item: np.ndarray
    valid_user: np.ndarray
    valid_item: np.ndarray

    @classmethod
    def read(cls, file: str) -> Sequences:
        with np.load(file) as arrays:
            return cls(**arrays)

    def ndcg(self, user: np.ndarray, item: np.ndarray, rank: np.ndarray) -> float:
        """nDCG at 10 of lists (rows of user, item, rank from 1): all validation users count, one item each."""
        wanted = dict(zip(self.valid_user.tolist(), self.valid_item.tolist(), strict=True))
        hit = np.array([wanted.get(one) for one in user.tolist()]) == item
        return float((1 / np.log2(rank[hit & (rank <= 10)] + 1)).sum() / len(wanted))


@dataclass
class Watch:
    """Tells when training must stop: after `seconds` of CPU (speed) or after the last of `marks` of wall (budget)."""

    seconds: float = 0.0
    marks: list[float] = field(default_factory=list)
    folder: Path | None = None
    ends: list[np.ndarray] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    start_mb: int = 0
    steps_per_epoch: int = 0

    def __deepcopy__(self, memo: object) -> Self:
        return self  # a trainer copies its callbacks; there is one watch

    def begin(self) -> None:
        """Training starts: call it when the first batch is asked for."""
        if not self.ends:
            self.start_mb = peak_mb()
            self.began = now()
            self.spent = np.zeros(2)

    def after_step(self, save: Callable[[Path], object]) -> bool:
        """Note a step; keep the state at a mark; return whether that is enough."""
        done = now() - self.began - self.spent
        self.ends.append(done)
        if not self.marks:
            return bool(done[0] >= self.seconds and len(self.ends) > 2)
        mark = self.marks[len(self.kept)]
        if done[1] >= mark:
            before = now()
            file = Path(self.folder or ".") / f"{len(self.kept)}.state"
            save(file)
            self.kept.append(
                {"file": file, "mark_s": mark, "steps": len(self.ends), "cpu_s": done[0], "wall_s": done[1]}
            )
            self.spent += now() - before
        return len(self.kept) == len(self.marks)

    def figures(self) -> dict[str, Any]:
        """What training cost."""
        ends = np.array(self.ends)
        each = (ends[-1] - ends[0]) / max(len(ends) - 1, 1)
        return {
            "steps": len(ends),
            "steps_per_epoch": self.steps_per_epoch,
            "epoch_cpu_s": round(float(each[0] * self.steps_per_epoch), 2),
            "epoch_wall_s": round(float(each[1] * self.steps_per_epoch), 2),
            "start_mb": self.start_mb,
            "peak_mb": peak_mb(),
        }

    def curve(self, ndcg: Callable[[Path], float]) -> list[dict[str, float]]:
        """The kept states, judged now."""
        return [
            {name: round(float(kept[name]), 2) for name in ("mark_s", "steps", "cpu_s", "wall_s")}
            | {"ndcg": ndcg(kept["file"])}
            for kept in self.kept
        ]
