"""The two data sets of the SASRec benchmarks, left one out, and the settings that all libraries are given.

MovieLens-1M in the file of the SASRec repository (`user item` a line), Amazon Beauty in that of S3-Rec (`user item item
...`). The last item of each user is the test and is not read here; the one before it is the validation.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np

FILES = {"ml-1m": "ml-1m/sasrec_ml-1m.txt.gz", "beauty": "amazon/sequences/Beauty.txt"}
SHAPES: dict[str, dict[str, Any]] = {
    "ml-1m": {"size": 64, "window": 200, "dropout": 0.2},
    "beauty": {"size": 64, "window": 50, "dropout": 0.4},
}


def histories(data: Path, name: str) -> dict[int, list[int]]:
    """Items of each user, oldest first."""
    found: dict[int, list[int]] = {}
    file = data / FILES[name]
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        for line in lines:
            user, *items = map(int, line.split())
            found.setdefault(user, []).extend(items)
    return found


def write(data: Path, name: str, file: Path, users: int | None = None) -> dict[str, int]:
    """Write train (all but the last two) and validation (the last but one), of the first `users` or of all."""
    rows = [(user, items) for user, items in sorted(histories(data, name).items()) if len(items) > 2][:users]
    lengths = [len(items) - 2 for _, items in rows]
    np.savez(
        file,
        user=np.repeat([user for user, _ in rows], lengths),
        item=np.concatenate([items[:-2] for _, items in rows]),
        valid_user=np.array([user for user, _ in rows]),
        valid_item=np.array([items[-2] for _, items in rows]),
    )
    return {"users": len(rows), "train": sum(lengths)}


def read(file: Path) -> tuple[Any, Any]:
    """Train and validation as Palate's tables."""
    from palate import Interactions

    with np.load(file) as arrays:
        user, item, valid_user, valid_item = (
            arrays[name] for name in ("user", "item", "valid_user", "valid_item")
        )
    train = Interactions.from_table({"user": user, "item": item, "time": np.arange(len(user))})
    return train, Interactions.from_table({"user": valid_user, "item": valid_item})
