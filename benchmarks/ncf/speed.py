"""NCF on MovieLens-100K beside that of recommenders 1.2.1: CPU seconds of data set, epoch and lists, one thread each.

    python benchmarks/ncf/speed.py --data FOLDER --peers FOLDER [--rounds 3] [--judge 50]

The tutorial's protocol: the last quarter of each user's rows tests, rows of unknown items dropped; four negatives for
each choice, drawn anew in each epoch. The peer trains its tutorial's NeuMF (4 factors, layers 16, 8, 4, batch 256).
Palate trains twice: `narrow` has the same MLP, 16 factors and Palate's batch and rate; the defaults are wider (32
factors, layers 64, 32, 16) and take six negatives. Both sides take turns, each run in a process of its own.

* data set: from a table in memory to what an epoch reads, with its negatives drawn. The peer's is its `Dataset`, which
  wants CSV files and draws the negatives of its test users, too.
* epoch: one more pass over train. Palate: a whole fit by its epochs, so that all that stands around them counts.
* lists: scores of all users and items, the ten best without those of train.

`--judge N`: the peer trains N epochs once and is judged as Palate is (its tutorial prints nDCG@10 0.2005, MAP 0.0497,
precision 0.1830, recall 0.1027 after 50). Writes ncf-speed.json.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

NETWORKS: dict[str, dict[str, Any]] = {
    "narrow": {"factors": 16, "layers": [16, 8, 4], "negatives": 4, "epochs": 12},
    "defaults": {},
}
PEER_EPOCHS = 4


def measure(file: Path, label: str) -> dict[str, Any]:
    """Data set, fit and lists in this process; what is compiled is loaded before."""
    import torch

    torch.set_num_threads(1)
    import palate
    from palate.kernels.sampling import negatives
    from palate.models.ncf.training import Choices

    params = NETWORKS[label]
    tiny = palate.Interactions.from_table({"user": [1, 1, 2, 2, 3], "item": [1, 2, 2, 3, 1]})
    palate.models.create("ncf", **params | {"epochs": 1}).fit(tiny).recommend_codes(k=1)
    with np.load(file) as arrays:
        train, test = (
            {name: arrays[f"{part}_{name}"] for name in ("user", "item", "value", "time")}
            for part in ("train", "test")
        )
    with common.Clock() as build:
        data = palate.Interactions.from_table(train)
        choices = Choices.of_pairs(*data.pairs(), data.n_items)
        drawn = np.empty((len(choices), 4), np.int32)
        places = np.arange(len(choices))
        negatives(
            choices.indptr, choices.items, choices.n_items, choices.user, choices.item, places, 1, drawn
        )
    model = palate.models.create("ncf", **params)
    with common.Clock() as fit:
        model.fit(data)
    with common.Clock() as recommend:
        model.recommend(k=10)
    parts = (data, palate.Interactions.from_table(test))
    told = palate.evaluate(
        model, parts, metrics=("ndcg", "map_all", "map", "precision", "recall"), bootstrap=0
    )
    keys = ("ndcg@10", "map_all@10", "precision@10", "recall@10")
    return {
        "build": build.both(),
        "epoch_cpu_s": round(fit.cpu / model.epochs, 4),
        "epochs": model.epochs,
        "lists": recommend.both(),
        "metrics": {key: round(told.estimate(key).mean, 4) for key in keys},
        "params": model.params(),
    }


def rows(data: Path, file: Path) -> None:
    """Write train and test as columns, for both sides."""
    import palate

    table = palate.Interactions.from_table(common.movielens(data, "100k"))
    split = palate.split.chronological(table, ratio=0.75, cold="drop")
    columns = {}
    for part, rows in (("train", split.train), ("test", split.test)):
        told = rows.table()
        columns |= {f"{part}_{name}": told[name].to_numpy() for name in ("user", "item", "value", "time")}
    np.savez(file, **columns)


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--judge", type=int, default=0, help="epochs after which the peer is judged, once")
    parser.add_argument("--without-peer", action="store_true")
    options = parser.parse_args()
    common.warn_when_busy()
    runs: dict[str, list[dict[str, Any]]] = {label: [] for label in (*NETWORKS, "recommenders")}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npz"
        rows(options.data, file)
        for turn in range(options.rounds):
            common.say(f"round {turn + 1} of {options.rounds}")
            if not options.without_peer:
                judge = options.judge if turn == 0 else 0
                told = {"epochs": judge or PEER_EPOCHS, "batch": 256, "seed": 42, "judge": bool(judge)}
                runs["recommenders"].append(
                    common.peer(options.peers, "recotf", "recommenders_ncf.py", file, json.dumps(told))
                )
            for label in NETWORKS:
                runs[label].append(common.worker(__file__, file, label))
    common.write("ncf-speed", {"summary": (summary := summarise(runs)), "runs": runs}, options.out)
    print(json.dumps(summary, indent=1))


def summarise(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians over the rounds; the peer's first epoch, which builds its graph, is left out."""
    ours = {
        label: {
            "epoch_cpu_s": round(statistics.median(run["epoch_cpu_s"] for run in runs[label]), 4),
            "build_cpu_s": round(statistics.median(run["build"]["cpu_s"] for run in runs[label]), 4),
            "build_wall_s": round(statistics.median(run["build"]["wall_s"] for run in runs[label]), 4),
            "lists_cpu_s": round(statistics.median(run["lists"]["cpu_s"] for run in runs[label]), 4),
            "metrics": runs[label][0]["metrics"],
        }
        for label in NETWORKS
    }
    if not runs["recommenders"]:
        return ours
    peer = {
        "epoch_cpu_s": statistics.median(
            epoch["cpu_s"] for run in runs["recommenders"] for epoch in run["epochs"][1:]
        ),
        "build_cpu_s": statistics.median(run["build"]["cpu_s"] for run in runs["recommenders"]),
        "build_wall_s": statistics.median(run["build"]["wall_s"] for run in runs["recommenders"]),
    } | {
        key: runs["recommenders"][0][key]
        for key in ("metrics", "recommend")
        if key in runs["recommenders"][0]
    }
    times = {
        label: {
            step: round(peer[f"{step}_cpu_s"] / max(one[f"{step}_cpu_s"], 1e-4), 1)
            for step in ("epoch", "build")
        }
        for label, one in ours.items()
    }
    return {**ours, "recommenders": peer, "times_faster": times}


if __name__ == "__main__":
    if "--worker" in sys.argv:
        source, asked = sys.argv[-2:]
        print(json.dumps(measure(Path(source), asked)))
    else:
        main()
