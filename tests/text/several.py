"""A training that `torchrun` starts and a test repeats alone: `python -m tests.text.several OUT.npz`."""

from __future__ import annotations

import os
import sys

import numpy as np

from palate.text import language_model
from palate.text.align import Training, align
from tests.text.test_align import pairs

WAYS = {
    "joint": {"method": "iorpo", "rank": 0},
    "two-pass": {"method": "iorpo", "rank": 4, "mode": "two-pass"},
    "dpo": {"method": "dpo", "rank": 4},
}


def learned() -> dict[str, np.ndarray]:
    """Return the weights after two epochs of steps of five pairs, of which no two processes have as many."""
    found = {}
    for name, way in WAYS.items():
        how = Training(epochs=2, batch=5, learning_rate=1e-3, dropout=0.0, seed=1, device="cpu", **way)
        done = align(language_model.tiny(), pairs(), how)
        weights = [one.detach().flatten().numpy() for one in done.model.network.parameters()]
        found[name] = np.concatenate(weights)
        found[f"{name}.loss"] = np.array([row["loss"] for row in done.trace])
    return found


if __name__ == "__main__":
    told = learned()
    if os.environ.get("RANK", "0") == "0":
        np.savez(sys.argv[1], **told)
