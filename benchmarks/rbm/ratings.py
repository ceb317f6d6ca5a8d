"""Ratings by RBM: RMSE and MAE on random splits of MovieLens-100K (80/20) and MovieLens-1M (90/10), three seeds.

    python benchmarks/rbm/ratings.py --data DATA [--seeds 1,2,3]

Every model has its defaults, which were chosen on validation parts. Each is fitted in a process of its own with one
thread. Published for 1M at 90/10: 0.854 by item, 0.881 by user (Sedhain and others 2015). Writes rbm-ratings.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

RATIO = {"100k": 0.8, "1m": 0.9}
MODELS: dict[str, dict[str, Any]] = {
    "softmax by item": {"visible": "softmax", "orientation": "item"},
    "softmax by user": {"visible": "softmax"},
    "multinomial by item": {"visible": "multinomial", "orientation": "item"},
    "multinomial by user": {"visible": "multinomial"},
    "conditional softmax by user": {"visible": "softmax", "conditional": True},
}
BOTH = ("softmax by item", "softmax by user")  # on 1M too


def measure(data: Path, size: str, label: str, seeds: list[int]) -> list[dict[str, Any]]:
    """Fit and judge one model on the splits of all seeds."""
    import palate

    rows = palate.Interactions.from_table(common.movielens(data, size))
    small = palate.split.random(rows, ratio=0.05, seed=0).train
    palate.models.create("rbm", **MODELS[label], epochs=1).fit(small)  # compiled code is loaded now
    found = []
    for seed in seeds:
        parts = palate.split.random(rows, ratio=RATIO[size], seed=seed)
        with common.Clock() as clock:
            model = palate.models.create("rbm", **MODELS[label]).fit(parts.train)
        told = palate.evaluate(model, parts, metrics=("rmse", "mae"), bootstrap=0)
        errors = {key: round(told.estimate(key).mean, 4) for key in ("rmse", "mae")}
        found.append({"seed": seed, "fit_cpu_s": clock.cpu} | errors)
    return found


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--seeds", default="1,2,3", help="of the splits, separated by commas")
    options = parser.parse_args()
    common.warn_when_busy()
    runs = {}
    for size, labels in (("100k", tuple(MODELS)), ("1m", BOTH)):
        for label in labels:
            name = f"{size}, {label}"
            runs[name] = common.worker(__file__, options.data, size, label, options.seeds)
            common.say(f"{name:<36}{json.dumps(mean(runs[name]))}")
    common.write(
        "rbm-ratings", {"summary": {name: mean(one) for name, one in runs.items()}, "runs": runs}, options.out
    )


def mean(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Average over seeds."""
    return {key: round(float(np.mean([run[key] for run in runs])), 4) for key in ("rmse", "mae", "fit_cpu_s")}


if __name__ == "__main__":
    if "--worker" in sys.argv:
        source, asked_size, asked, told_seeds = sys.argv[-4:]
        seeds = [int(seed) for seed in told_seeds.split(",")]
        print(json.dumps(measure(Path(source), asked_size, asked, seeds)))
    else:
        main()
