"""A training of which two processes share out the model, and the same in one: `python -m tests.text.sharded FOLDER`.

The first writes FOLDER/two.npz.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from palate.errors import PlanError
from palate.text import language_model
from palate.text.align import Training, align, sharding
from palate.text.align.network import trainable
from tests.text.test_align import pairs

WAYS: dict[str, dict[str, Any]] = {
    "all weights": {"rank": 0, "mode": "joint", "recompute": True},
    "adapters": {"rank": 4, "mode": "two-pass", "recompute": True},
    "dpo": {"rank": 4, "mode": "joint", "recompute": False, "method": "dpo"},
}


class Stopped(Exception):
    """Before the second epoch is kept."""


def settings(*, shard: bool, **way: Any) -> Training:
    """Return how the tiny model is trained: two epochs of two steps."""
    told = {"method": "iorpo", "epochs": 2, "batch": 4, "learning_rate": 1e-3, "dropout": 0.0, "seed": 1}
    return Training(**told | {"device": "cpu", "shard": shard, "clip": 0.5} | way)


def second(**row: float) -> None:
    """Stop when the second epoch is told."""
    if row["epoch"] == 2:
        raise Stopped


def learned(folder: Path | None, *, shard: bool) -> dict[str, np.ndarray]:
    """Return the weights that eight pairs come to; with a folder, stopped in the middle and gone on with."""
    found: dict[str, np.ndarray] = {}
    given, held = pairs(8), pairs(3, seed=7)
    for name, way in WAYS.items():
        how = settings(shard=shard, **way)
        state = None if folder is None else folder / name
        if state is not None:
            with contextlib.suppress(Stopped):
                align(language_model.tiny(), given, how, valid=held, checkpoint=state, note=second)
        done = align(language_model.tiny(), given, how, valid=held, checkpoint=state)
        weights = [one.detach().flatten().numpy() for one in done.model.network.parameters()]
        found[name] = np.concatenate(weights)
        for what in ("loss", "valid_nll"):
            found[f"{name}.{what}"] = np.array([row[what] for row in done.trace])
    return found


def held_here() -> np.ndarray:
    """Return how many numbers of the layers this process holds, and how many there are."""
    network = trainable(language_model.tiny(), settings(shard=True, rank=0))
    whole = sum(one.numel() for one in network.model.layers.parameters())
    sharding.share_out(network, settings(shard=True, rank=0))
    return np.array([sum(one.to_local().numel() for one in network.model.layers.parameters()), whole])


def refused() -> str:
    """Return what is said of a batch that two processes cannot share."""
    try:
        align(language_model.tiny(), pairs(8), settings(shard=True, batch=3))
    except PlanError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    place = Path(sys.argv[1])
    told = learned(place, shard=True) | {"held": held_here(), "refused": np.array(refused())}
    if os.environ["RANK"] == "0":
        np.savez(place / "two.npz", **told)
