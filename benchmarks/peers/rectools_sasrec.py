"""RecTools' SASRec through its public interface, in its own environment.

    rectools_sasrec.py ROWS.npz SETTINGS

SETTINGS is JSON: loss ("softmax", "BCE", "sampled_softmax", "gBCE"), negatives, size, window, dropout, batch,
threads, and `seconds` of CPU (what does a step cost?) or `marks` (what is it worth after so many seconds of
training?). Prints one line of JSON. Lists are of all items of train, those seen removed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from watch import Sequences, Watch

warnings.filterwarnings("ignore")
WATCH = Watch()


class Stop(Callback):
    """Asks the watch after each batch."""

    def on_train_epoch_start(self, trainer, module) -> None:
        WATCH.begin()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:
        WATCH.steps_per_epoch = trainer.num_training_batches
        trainer.should_stop = WATCH.after_step(trainer.save_checkpoint)


def trainer() -> Trainer:
    quiet = dict.fromkeys(
        ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False
    )
    return Trainer(max_epochs=10_000, min_epochs=0, accelerator="cpu", callbacks=[Stop()], **quiet)


def main() -> None:
    told = json.loads(sys.argv[2])
    rows = Sequences.read(sys.argv[1])
    torch.set_num_threads(told["threads"])
    torch.manual_seed(1)
    order = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(len(rows.user)), unit="s")
    columns = {Columns.User: rows.user, Columns.Item: rows.item, Columns.Weight: 1.0, Columns.Datetime: order}
    train = Dataset.construct(pd.DataFrame(columns))
    model = SASRecModel(
        n_blocks=2, n_heads=1, n_factors=told["size"], dropout_rate=told["dropout"], session_max_len=told["window"],
        loss=told["loss"], n_negatives=told["negatives"], lr=1e-3, batch_size=told["batch"],
        get_trainer_func=trainer, recommend_torch_device="cpu",
    )  # fmt: skip
    WATCH.seconds, WATCH.marks = told.get("seconds", 0.0), told.get("marks", [])
    with tempfile.TemporaryDirectory() as folder:
        WATCH.folder = Path(folder)
        model.fit(train)
        found = WATCH.figures()

        def ndcg(state: Path) -> float:
            model.load_weights_from_checkpoint(state)
            lists = model.recommend(
                rows.valid_user, train, k=10, filter_viewed=True, on_unsupported_targets="ignore"
            )
            return rows.ndcg(*(lists[name].to_numpy() for name in (Columns.User, Columns.Item, Columns.Rank)))

        found["curve"] = WATCH.curve(ndcg)
    print(json.dumps({"peer": f"rectools {version('rectools')}", "torch": torch.__version__} | found))


if __name__ == "__main__":
    main()
