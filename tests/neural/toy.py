"""A small task for the training loop, and a process that trains it until it is killed.

python -m tests.neural.toy CHECKPOINT step=N     ended by SIGKILL in the N-th step
python -m tests.neural.toy CHECKPOINT write=N    in the midst of writing the N-th checkpoint
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from palate.neural.loop import Course, train

ITEMS, SIZE, ROWS, BATCH = 40, 8, 90, 32


class Toy:
    """Which of 40 items follows an item: a planted rule, learned through an embedding, dropout and a dense layer."""

    def __init__(self, dropout: float = 0.2, kill_at_step: int = 0) -> None:
        torch.manual_seed(5)
        self.module = nn.Sequential(
            nn.Embedding(ITEMS, SIZE),
            nn.Linear(SIZE, SIZE),
            nn.Tanh(),
            nn.Dropout(dropout),
            nn.Linear(SIZE, ITEMS),
        )
        self.item = torch.from_numpy(np.random.default_rng(7).integers(0, ITEMS, ROWS))
        self.steps, self.kill_at_step = 0, kill_at_step

    def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Rows in any order; the last batch is smaller."""
        return np.split(rng.permutation(ROWS), range(BATCH, ROWS, BATCH))

    def loss(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, int]:
        """The next item's cross-entropy."""
        self.steps += 1
        if self.steps == self.kill_at_step:
            os.kill(os.getpid(), signal.SIGKILL)
        item = self.item[rows]
        loss = functional.cross_entropy(self.module(item), (item * 3 + 1) % ITEMS, reduction="sum")
        return loss, len(rows)

    def validate(self) -> dict[str, float]:
        """How many are right: no monotone curve, so that the best state is not always the last."""
        with torch.no_grad():
            found = self.module(self.item).argmax(1)
        return {"right": float((found == (self.item * 3 + 1) % ITEMS).float().mean())}


def course(checkpoint: Path | None = None, epochs: int = 6) -> Course:
    """Everything that a checkpoint must carry: moments, warm-up, cosine, patience."""
    return Course(
        epochs=epochs, learning_rate=0.02, seed=3, weight_decay=0.01, warmup=3, schedule="cosine", clip=1.0,
        device="cpu", checkpoint=checkpoint, identity="toy",
    )  # fmt: skip


def weights(task: Toy) -> dict[str, np.ndarray]:
    """The weights by name."""
    return {name: tensor.numpy().copy() for name, tensor in task.module.state_dict().items()}


def kill_in_write(at: int) -> None:
    """From now on, the `at`-th file of tensors is left half written by a process that is no more."""
    import safetensors.torch

    real, written = safetensors.torch.save_file, 0

    def torn(tensors: dict, path: str | Path, metadata: dict | None = None) -> None:
        nonlocal written
        real(tensors, path, metadata)
        written += 1
        if written == at:
            with Path(path).open("r+b") as file:
                file.truncate(Path(path).stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    safetensors.torch.save_file = torn


def main() -> None:
    """Train until the end that the arguments name."""
    torch.set_num_threads(1)
    what, at = sys.argv[2].split("=")
    if what == "write":
        kill_in_write(int(at))
    train(Toy(kill_at_step=int(at) if what == "step" else 0), course(Path(sys.argv[1])), lambda **_: None)


if __name__ == "__main__":
    main()
