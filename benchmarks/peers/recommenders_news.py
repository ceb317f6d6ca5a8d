"""NRMS and NPA of recommenders 1.2.1 (TensorFlow): `recommenders_news.py nrms|npa FOLDER STEPS BATCHES`.

FOLDER has news.tsv and behaviors.tsv in MIND's form. CPU seconds of a training step of 32 at its tutorial's sizes,
after two that are not counted; of scoring one candidate the slow way (its default for NPA: the reader's history and the
title are encoded anew for each candidate), over BATCHES batches; and the process's peak memory.
"""

# ruff: noqa: E402 - TensorFlow's threads are set before it is used

from __future__ import annotations

import json
import os
import pickle
import sys
import tempfile
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

tf.get_logger().setLevel("ERROR")
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

from recommenders.models.newsrec.io.mind_iterator import MINDIterator
from recommenders.models.newsrec.models.npa import NPAModel
from recommenders.models.newsrec.models.nrms import NRMSModel
from recommenders.models.newsrec.newsrec_utils import prepare_hparams, word_tokenize

SIZES = {
    "nrms": {"title_size": 30, "head_num": 20, "head_dim": 20},
    "npa": {
        "title_size": 10,
        "filter_num": 400,
        "window_size": 3,
        "cnn_activation": "relu",
        "user_emb_dim": 100,
    },
}


def main() -> None:
    which, folder, steps, batches = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    news, behaviors = str(folder / "news.tsv"), str(folder / "behaviors.tsv")
    words: dict[str, int] = {}
    for line in Path(news).read_text(encoding="utf-8").splitlines():
        for word in word_tokenize(line.split("\t")[3]):
            words.setdefault(word, len(words) + 1)
    users: dict[str, int] = {}
    for line in Path(behaviors).read_text(encoding="utf-8").splitlines():
        users.setdefault(line.split("\t")[1], len(users) + 1)
    with tempfile.TemporaryDirectory() as place:
        table = np.random.default_rng(42).normal(0, 0.1, (len(words) + 1, 300)).astype(np.float32)
        np.save(f"{place}/vectors.npy", table)
        for name, content in (("words", words), ("users", users)):
            Path(f"{place}/{name}.pkl").write_bytes(pickle.dumps(content))
        told = prepare_hparams(
            None,
            wordEmb_file=f"{place}/vectors.npy",
            wordDict_file=f"{place}/words.pkl",
            userDict_file=f"{place}/users.pkl",
            model_type=which,
            word_emb_dim=300,
            his_size=50,
            npratio=4,
            data_format="news",
            attention_hidden_dim=200,
            dropout=0.2,
            loss="cross_entropy_loss",
            learning_rate=1e-4,
            batch_size=32,
            epochs=1,
            show_step=100_000,
            support_quick_scoring=False,
            metrics=["group_auc"],
            optimizer="adam",
            **SIZES[which],
        )
        model = {"nrms": NRMSModel, "npa": NPAModel}[which](told, MINDIterator, seed=42)
        of_steps, of_scores, scored = [], 0.0, 0
        for batch in model.train_iterator.load_data_from_file(news, behaviors):
            start = time.process_time()
            model.train(batch)
            of_steps.append(time.process_time() - start)
            if len(of_steps) == steps + 2:
                break
        for n, batch in enumerate(model.test_iterator.load_data_from_file(news, behaviors)):
            start = time.process_time()
            found, *_ = model.eval(batch)
            if n:  # the first compiles
                of_scores += time.process_time() - start
                scored += len(found)
            if n == batches:
                break
    status = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
    )
    print(
        json.dumps(
            {
                "cpu_step": round(float(np.mean(of_steps[2:])), 3),
                "cpu_candidate": of_scores / scored,
                "peak_mb": round(int(status["VmHWM"].split()[0]) / 1024),
                "weights": int(model.model.count_params()),
            }
        )
    )


if __name__ == "__main__":
    main()
