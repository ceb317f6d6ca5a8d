"""A training that `torchrun` starts and a test repeats alone: `python -m tests.text.several OUT.npz`."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from palate.neural import adam, loop
from palate.text import language_model
from palate.text.align import Training, align
from tests.text.test_align import answers, pairs

WAYS: dict[str, dict[str, Any]] = {
    "joint": {"method": "iorpo", "rank": 0},
    "two-pass": {"method": "iorpo", "rank": 4, "mode": "two-pass"},
    "dpo": {"method": "dpo", "rank": 4},
}


class Watched(adam.AdamW):
    """Takes down the gradient before the first step: after it, AdamW has made every slope one length."""

    first: np.ndarray | None = None

    def step(self, learning_rate: float) -> None:
        if Watched.first is None:
            Watched.first = np.concatenate([one.grad.flatten().numpy() for one in self.parameters])
        super().step(learning_rate)


def learned() -> dict[str, np.ndarray]:
    """Return what two epochs of steps of five pairs, of which no two processes have as many, come to."""
    found = {}
    plain, loop.AdamW = loop.AdamW, Watched  # type: ignore[misc]
    try:
        for name, way in WAYS.items():
            how = Training(
                epochs=2, batch=5, learning_rate=1e-3, clip=0, dropout=0.0, seed=1, device="cpu", **way
            )
            Watched.first = None
            done = align(language_model.tiny(), answers() if name == "dpo" else pairs(), how)
            weights = [one.detach().flatten().numpy() for one in done.model.network.parameters()]
            found[name] = np.concatenate(weights)
            found[f"{name}.gradient"] = Watched.first
            found[f"{name}.loss"] = np.array([row["loss"] for row in done.trace])
    finally:
        loop.AdamW = plain  # type: ignore[misc]
    return found


if __name__ == "__main__":
    told = learned()
    if os.environ.get("RANK", "0") == "0":
        np.savez(sys.argv[1], **told)
