"""What each process of a `torchrun` does in the tests: train the toy and fit a SASRec, and write what came of it.

torchrun ... -m tests.neural.several OUT.npz
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import torch

from palate import Interactions
from palate.models import create
from palate.models.base import Recommender
from palate.neural.loop import train
from tests.neural.toy import Toy, course, weights


def chains() -> Interactions:
    """Forty users who walk along 30 items in their order."""
    rng = np.random.default_rng(11)
    lengths = rng.integers(2, 12, 40)
    first, user = rng.integers(0, 30, 40), np.repeat(np.arange(40), lengths)
    item = np.concatenate([(start + np.arange(n)) % 30 for start, n in zip(first, lengths, strict=True)])
    return Interactions.from_table({"user": user, "item": item, "time": np.arange(len(user))})


def small(**given: Any) -> Recommender:
    """A SASRec in which nothing is left out by chance."""
    settings = {"embedding_size": 8, "window": 6, "dropout": 0.0, "batch": 60, "seed": 4}
    return create("sasrec", **settings | {"device": "cpu", "epochs": 3} | given)


def learned() -> dict[str, np.ndarray]:
    """The weights of the toy, and of SASRecs; of the second, many batches have a row for one process only."""
    task = Toy(dropout=0.0)
    train(task, course(), lambda **_: None)
    found = {f"toy.{name}": array for name, array in weights(task).items()}
    for loss, batch, told in (
        ("sampled_ce", 60, {"negatives": 5}),
        ("ce", 6, {}),
        ("bce", 60, {"negatives": 3}),
        ("gbce", 6, {"negatives": 5}),
    ):
        model = small(loss=loss, batch=batch, **told).fit(chains())
        found |= {f"{loss}.{name}": array for name, array in model.fitted.state.weights.items()}
    ncf = create("ncf", factors=4, layers=(4, 2), epochs=2, batch=32, device="cpu").fit(chains())
    return found | {f"ncf.{name}": array for name, array in ncf.fitted.state.weights.items()}


def main() -> None:
    """Write what was learned; the first process speaks for all."""
    torch.set_num_threads(1)
    found = learned()
    if int(os.environ["RANK"]) == 0:
        np.savez(sys.argv[1], **found)


if __name__ == "__main__":
    main()
