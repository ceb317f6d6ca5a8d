"""The board of ratings: from the mean to factor models, on random splits of MovieLens, three seeds each.

    python benchmarks/ratings/board.py --data FOLDER

RMSE, MAE and CPU seconds of every rating model, on 100K 80/20, 1M 80/20 and 1M 90/10; and nDCG@10 of the lists that its
ratings order, beside those of the most popular items, for the first seed. Each fit is a process of its own, one thread,
compiled code loaded. Settings are the defaults, or chosen on validation rows of train; test rows chose nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

SETS = (("100k", 0.8), ("1m", 0.8), ("1m", 0.9))
SEEDS = (1, 2, 3)
MODELS = {
    "mean": {"name": "mean"},
    "bias": {"name": "bias"},
    "svd": {"name": "svd"},
    "rlrmc": {"name": "rlrmc"},
    "rbm": {"name": "rbm", "visible": "softmax", "orientation": "item"},
}
MODELS["blend"] = {
    "name": "blend",
    "fusion": "weights",
    "models": [MODELS[label] for label in ("svd", "rlrmc", "rbm")],
}
ONLY = {"blend": ("100k-80",)}  # its models are fitted twice
GATES = {"100k-80": 0.92, "1m-80": 0.85}
"""of svd"""


def measure(data: Path, size: str, ratio: float, seed: int, params: dict[str, object]) -> dict[str, object]:
    """Fit one model and rate the test rows, in this process."""
    import palate
    from palate.evaluation.rating import rating_values
    from palate.models import registry

    rows = common.movielens(data, size)
    everything = palate.Interactions.from_table({name: rows[name] for name in ("user", "item", "value")})
    parts = palate.split.make(everything, "random", ratio=ratio, seed=seed)
    model = registry.create(**params)
    few = parts.train.select(parts.train.user < 40)
    registry.create(**params).fit(few).rate(few)  # loads the compiled code
    test = parts.test.table()
    test = test.filter(
        test["user"].is_in(parts.train.users.ids.implode()),
        test["item"].is_in(parts.train.items.ids.implode()),
    )
    with common.Clock() as fit:
        model.fit(parts.train)
    with common.Clock() as rate:
        said = model.rate(test)["rating"].to_numpy()
    found = rating_values(test["value"].to_numpy(), said)
    lists = {}
    if seed == SEEDS[0]:
        judged = [palate.evaluate(model, parts, metrics="ndcg", bootstrap=0)]
        judged.append(
            palate.evaluate(palate.Popularity().fit(parts.train), parts, metrics="ndcg", bootstrap=0)
        )
        lists = {
            name: round(one.estimate("ndcg@10").mean, 4)
            for name, one in zip(("ndcg@10", "popularity_ndcg@10"), judged, strict=True)
        }
    return {
        "rmse": round(found["rmse"], 4),
        "mae": round(found["mae"], 4),
        "cpu_fit": fit.cpu,
        "cpu_rate": rate.cpu,
        "rated": len(test),
    } | lists


def worker() -> None:
    """Run as a process of its own: `board.py --worker DATA SIZE RATIO SEED PARAMS`."""
    data, size, ratio, seed, params = sys.argv[2:]
    print(json.dumps(measure(Path(data), size, float(ratio), int(seed), json.loads(params))))


def summary(runs: list[dict[str, object]]) -> dict[str, object]:
    """Means over seeds, with the spread of RMSE."""
    mean = {
        name: round(float(np.mean([run[name] for run in runs])), 4) for name in ("rmse", "mae", "cpu_fit")
    }
    spread = round(float(np.std([run["rmse"] for run in runs], ddof=1)), 4) if len(runs) > 1 else None
    return mean | {"rmse_sd": spread, "runs": runs}


def main() -> None:
    from palate.models import registry

    parser = common.arguments(__doc__)
    parser.add_argument("--models", nargs="*", default=list(MODELS), help="which of the models")
    parser.add_argument("--sets", nargs="*", help="which of the sets, such as 1m-80")
    options = parser.parse_args()
    common.warn_when_busy()
    board = {}
    for size, ratio in SETS:
        name = f"{size}-{100 * ratio:.0f}"
        if options.sets and name not in options.sets:
            continue
        board[name] = {}
        for label in options.models:
            if MODELS[label]["name"] not in registry.names() or name not in ONLY.get(label, (name,)):
                continue
            asked = (options.data, size, ratio)
            runs = [common.worker(__file__, *asked, seed, json.dumps(MODELS[label])) for seed in SEEDS]
            board[name][label] = summary(runs)
            found = board[name][label]
            common.say(f"{name} {label}: {found['rmse']} / {found['mae']}, {found['cpu_fit']} CPU s")
        reached = {
            at: board[at]["svd"]["rmse"] <= gate for at, gate in GATES.items() if "svd" in board.get(at, {})
        }
        found = {"models": MODELS, "gates_of_svd": GATES, "reached": reached, "board": board}
        common.write("ratings-board", found, options.out)


if __name__ == "__main__":
    worker() if sys.argv[1:2] == ["--worker"] else main()
