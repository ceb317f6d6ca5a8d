"""Lists on MovieLens-100K without a leak: what each kind of RBM ranks, beside popularity, SAR and EASE.

    python benchmarks/rbm/lists.py --data DATA [--seeds 1,2,3,4]

Per-user random 75/25 splits, the train part is the only input, k = 10, the full catalogue without what was seen. Every
model has its defaults, which were chosen on validation parts. Once every test row is relevant, once only ratings of 4
and 5. Each model is fitted in a process of its own with one thread. Writes rbm-lists.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

METRICS = ("precision", "ndcg", "map", "recall")
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "popularity": ("popularity", {}),
    "sar": ("sar", {}),
    "ease": ("ease", {}),
    "rbm": ("rbm", {}),
    "rbm joint": ("rbm", {"visible": "joint"}),
    "rbm joint by item": ("rbm", {"visible": "joint", "orientation": "item"}),
    "rbm softmax": ("rbm", {"visible": "softmax"}),
    "rbm softmax by item": ("rbm", {"visible": "softmax", "orientation": "item"}),
    "rbm multinomial": ("rbm", {"visible": "multinomial"}),
}


def measure(data: Path, label: str, seeds: list[int]) -> list[dict[str, Any]]:
    """Fit and judge one model on the splits of all seeds."""
    import palate

    rows = palate.Interactions.from_table(common.movielens(data, "100k"))
    name, params = MODELS[label]
    palate.models.create(name, **params | ({"epochs": 1} if name == "rbm" else {})).fit(rows)  # compiled now
    found = []
    for seed in seeds:
        parts = palate.split.stratified(rows, ratio=0.75, seed=seed)
        with common.Clock() as clock:
            model = palate.models.create(name, **params).fit(parts.train)
        run: dict[str, Any] = {"seed": seed, "fit_cpu_s": clock.cpu}
        for relevant, least in (("all", None), ("4 and 5", 4.0)):
            told = palate.evaluate(model, parts, metrics=METRICS, relevant_from=least, bootstrap=0)
            run[relevant] = {key: round(told.estimate(f"{key}@10").mean, 4) for key in METRICS}
        found.append(run)
    return found


def mean(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Average over seeds."""
    whole: dict[str, Any] = {"fit_cpu_s": round(float(np.mean([run["fit_cpu_s"] for run in runs])), 2)}
    for relevant in ("all", "4 and 5"):
        whole[relevant] = {
            key: round(float(np.mean([run[relevant][key] for run in runs])), 4) for key in METRICS
        }
    return whole


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--seeds", default="1,2,3,4", help="of the splits, separated by commas")
    options = parser.parse_args()
    common.warn_when_busy()
    runs = {}
    for label in MODELS:
        runs[label] = common.worker(__file__, options.data, label, options.seeds)
        common.say(f"{label:<22}{json.dumps(mean(runs[label]))}")
    common.write(
        "rbm-lists", {"summary": {label: mean(one) for label, one in runs.items()}, "runs": runs}, options.out
    )


if __name__ == "__main__":
    if "--worker" in sys.argv:
        source, asked, told_seeds = sys.argv[-3:]
        print(json.dumps(measure(Path(source), asked, [int(seed) for seed in told_seeds.split(",")])))
    else:
        main()
