"""RePlay's SASRec (`replay.nn`) through its public interface, in its own environment.

    replay_sasrec.py ROWS.npz SETTINGS

SETTINGS is JSON: loss ("CE", "CESampled", "BCESampled"), negatives (drawn for the batch; 1: one for each
position), size, window, dropout, batch, threads, and `seconds` of CPU (what does a step cost?) or `marks` (what
is it worth after so many seconds of training?). Prints one line of JSON. Lists are of all items of train, those
seen removed. Its own reader wants Parquet files and fixed batches; here a plain loader gives the same tensors,
padded on the left, for less.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from lightning import Callback, Trainer
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn import loss as losses
from replay.nn.lightning import LightningModule
from replay.nn.sequential import SasRec
from torch.utils.data import DataLoader
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


def coded(rows: Sequences) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return the items, each user's train items as codes, and the users, in the order of validation."""
    items, code = np.unique(rows.item, return_inverse=True)
    users, start = np.unique(rows.user, return_index=True)
    parts = np.split(code.astype(np.int64), np.sort(start)[1:])
    by_user = dict(zip(rows.user[np.sort(start)].tolist(), parts, strict=True))
    return items, [by_user[one] for one in users.tolist()], users


def padded(lists: list[np.ndarray], window: int, pad: int) -> torch.Tensor:
    """(lists, window), padded on the left."""
    found = np.full((len(lists), window), pad, np.int64)
    for place, one in enumerate(lists):
        found[place, max(window - len(one), 0) :] = one[-window:]
    return torch.from_numpy(found)


def main() -> None:
    told = json.loads(sys.argv[2])
    rows = Sequences.read(sys.argv[1])
    torch.set_num_threads(told["threads"])
    torch.manual_seed(1)
    items, histories, users = coded(rows)
    n_items, window = len(items), told["window"]

    def batch(lists: list[np.ndarray]) -> dict:
        whole = padded(lists, window + 1, n_items)
        target = whole[:, 1:, None]
        drawn = target.shape if told["negatives"] == 1 else (told["negatives"],)
        return {
            "feature_tensors": {"item_id": whole[:, :-1]},
            "padding_mask": whole[:, :-1] != n_items,
            "positive_labels": target,
            "target_padding_mask": target != n_items,
            "negative_labels": torch.randint(0, n_items, drawn),
        }

    schema = TensorSchema(
        TensorFeatureInfo(
            "item_id", feature_type=FeatureType.CATEGORICAL, is_seq=True, feature_hint=FeatureHint.ITEM_ID,
            feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
            cardinality=n_items, padding_value=n_items, embedding_dim=told["size"],
        )
    )  # fmt: skip
    model = SasRec.from_params(
        schema, embedding_dim=told["size"], num_heads=1, num_blocks=2, max_sequence_length=window,
        dropout=told["dropout"],
    )  # fmt: skip
    if told["loss"] != "CE":
        model = SasRec(model.body, getattr(losses, told["loss"])())
    learned = [one for one in histories if len(one) > 1]
    loader = DataLoader(learned, batch_size=told["batch"], shuffle=True, collate_fn=batch)
    quiet = dict.fromkeys(
        ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False
    )
    trainer = Trainer(max_epochs=10_000, min_epochs=0, accelerator="cpu", callbacks=[Stop()], **quiet)
    module = LightningModule(model)
    WATCH.seconds, WATCH.marks = told.get("seconds", 0.0), told.get("marks", [])
    with tempfile.TemporaryDirectory() as folder:
        WATCH.folder = Path(folder)
        trainer.fit(module, loader)
        found = WATCH.figures()

        def ndcg(state: Path) -> float:
            module.load_state_dict(torch.load(state, weights_only=False)["state_dict"])
            module.eval()
            tops = []
            with torch.inference_mode():
                for start in range(0, len(users), 256):
                    some = histories[start : start + 256]
                    given = padded(some, window, n_items)
                    asked = {"feature_tensors": {"item_id": given}, "padding_mask": given != n_items}
                    scores = module(asked)["logits"]
                    for place, one in enumerate(some):
                        scores[place, one] = -torch.inf
                    tops.append(scores.topk(10).indices.numpy())
            top = np.concatenate(tops)
            return rows.ndcg(np.repeat(users, 10), items[top.ravel()], np.tile(np.arange(1, 11), len(users)))

        found["curve"] = WATCH.curve(ndcg)
    print(json.dumps({"peer": f"replay-rec {version('replay-rec')}", "torch": torch.__version__} | found))


if __name__ == "__main__":
    main()
