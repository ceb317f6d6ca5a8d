"""The NCF of `recommenders` 1.2.1 (TensorFlow) through its public interface, in its own environment (`recotf`).

    recommenders_ncf.py ROWS.npz SETTINGS

ROWS.npz holds `train_user`, `train_item`, `train_value`, `train_time` and the same of test, whose users and items
train knows. SETTINGS is JSON: epochs, batch, seed, and `judge` (make its lists, as its notebook does: scores of
every user and item, those of train left out). NeuMF of the notebook: 4 factors, layers 16, 8, 4, learning rate
1e-3. Prints one line of JSON: seconds of making its data set from tables, of each epoch, and of the lists; metrics.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import tensorflow as tf  # noqa: E402
from recommenders.evaluation import python_evaluation as evaluation  # noqa: E402
from recommenders.models.ncf.dataset import Dataset  # noqa: E402
from recommenders.models.ncf.ncf_singlenode import NCF  # noqa: E402

tf.get_logger().setLevel("ERROR")
COLUMNS = {"user": "userID", "item": "itemID", "value": "rating", "time": "timestamp"}


class Clock:
    """CPU seconds of this process, and wall seconds, of a `with` block."""

    def __enter__(self) -> dict[str, float]:
        self.spent: dict[str, float] = {}
        self.start = time.process_time(), time.perf_counter()
        return self.spent

    def __exit__(self, *error: object) -> None:
        cpu, wall = time.process_time() - self.start[0], time.perf_counter() - self.start[1]
        self.spent |= {"cpu_s": round(cpu, 3), "wall_s": round(wall, 3)}


def tables(file: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test, by user, as the library wants them."""
    with np.load(file) as arrays:
        parts = [
            pd.DataFrame({long: arrays[f"{part}_{short}"] for short, long in COLUMNS.items()})
            for part in ("train", "test")
        ]
    train, test = (part.sort_values("userID", kind="stable") for part in parts)
    return train, test


def lists(model: NCF, train: pd.DataFrame) -> pd.DataFrame:
    """Scores of what each user lacks in train."""
    items = list(train["itemID"].unique())
    users, scores = list(train["userID"].unique()), []
    for user in users:
        scores.extend(model.predict([user] * len(items), items, is_list=True))
    columns = {
        "userID": np.repeat(users, len(items)),
        "itemID": np.tile(items, len(users)),
        "prediction": scores,
    }
    merged = pd.merge(train, pd.DataFrame(columns), on=["userID", "itemID"], how="outer")
    return merged[merged["rating"].isnull()].drop("rating", axis=1)


def main() -> None:
    told = json.loads(sys.argv[2])
    train, test = tables(sys.argv[1])
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    found: dict[str, object] = {
        "peer": f"recommenders {version('recommenders')}",
        "tensorflow": tf.__version__,
    }
    with tempfile.TemporaryDirectory() as folder:
        files = {f"{part}_file": str(Path(folder) / f"{part}.csv") for part in ("train", "test")}
        train.to_csv(files["train_file"], index=False)
        test.to_csv(files["test_file"], index=False)
        with Clock() as build:
            data = Dataset(**files, seed=told["seed"], overwrite_test_file_full=True)
        model = NCF(
            n_users=data.n_users, n_items=data.n_items, model_type="NeuMF", n_factors=4, layer_sizes=[16, 8, 4],
            n_epochs=1, batch_size=told["batch"], learning_rate=1e-3, verbose=0, seed=told["seed"],
        )  # fmt: skip
        epochs = []
        for _ in range(told["epochs"]):
            with Clock() as epoch:
                model.fit(data)
            epochs.append(epoch)
        found |= {"build": build, "epochs": epochs}
        if told.get("judge"):
            with Clock() as recommend:
                top = lists(model, train)
            measures = {
                "map": "map",
                "ndcg": "ndcg_at_k",
                "precision": "precision_at_k",
                "recall": "recall_at_k",
            }
            found["recommend"] = recommend
            found["metrics"] = {
                name: round(getattr(evaluation, its)(test, top, col_prediction="prediction", k=10), 5)
                for name, its in measures.items()
            }
    print(json.dumps(found | {"peak_mb": getrusage(RUSAGE_SELF).ru_maxrss // 1024}))


if __name__ == "__main__":
    main()
