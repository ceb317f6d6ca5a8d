"""NCF beside the simple models that it is measured against, by the protocols of its paper and of the tutorial.

    python benchmarks/ncf/accuracy.py --data DATA [--only 1m:neumf,100k:neumf]

* 1m: MovieLens-1M with the split that NCF was published with: one film of each user's last second is ranked among 99
  that the authors listed. HR@10 (hit) and nDCG@10. No figure of another protocol compares with these.
* 100k: the tutorial of recommenders: MovieLens-100K, the last quarter of each user's rows, rows of unknown items
  dropped, the full catalogue without what was seen, k = 10. `map_all` divides by all relevant items, as the tutorial's
  MAP does.

Each model is fitted on train with settings that were chosen on validation rows (1m: the last but one film of each user
among 99 drawn ones; 100k: the last fifth of each user's train rows), in a process of its own with one thread. Models
can be run one at a time: figures that are in ncf-accuracy.json already stay.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

NAME = "ncf-accuracy"
METRICS = {"1m": ("hit", "ndcg"), "100k": ("ndcg", "map_all", "precision", "recall")}
_NCF_1M = {
    "factors": 64,
    "layers": [64, 32, 16],
    "epochs": 12,
    "negatives": 6,
    "batch": 2048,
    "learning_rate": 0.006,
    "weight_decay": 0.3,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "100k:popularity": ("popularity", {}),
    "100k:sar": ("sar", {}),
    "100k:ease": ("ease", {}),
    "100k:ials": ("ials", {}),
    "100k:mf": ("mf", {}),
    "100k:gmf": ("ncf", {"architecture": "gmf"}),
    "100k:mlp": ("ncf", {"architecture": "mlp"}),
    "100k:neumf": ("ncf", {}),
    "100k:neumf pretrained": ("ncf", {"pretrain": True}),
    "1m:popularity": ("popularity", {}),
    "1m:sar": ("sar", {}),
    "1m:ease": ("ease", {}),
    "1m:ials": ("ials", {"factors": 192, "unobserved_weight": 0.3, "regularisation": 0.007}),
    "1m:mf": ("mf", {}),
    "1m:gmf": ("ncf", _NCF_1M | {"architecture": "gmf"}),
    "1m:neumf": ("ncf", _NCF_1M | {"factors": 128}),
    "1m:neumf, 64 factors": ("ncf", _NCF_1M),  # what pre-training is to be judged by
    "1m:neumf pretrained": ("ncf", _NCF_1M | {"pretrain": True, "alpha": 0.8}),
}


def rows_100k(data: Path) -> Any:
    import palate

    rows = palate.Interactions.from_table(common.movielens(data, "100k"))
    return palate.split.chronological(rows, ratio=0.75, cold="drop")


def measure(data: Path, label: str, seed: int) -> dict[str, Any]:
    """Fit one model and judge it by the protocol of its part."""
    import torch

    torch.set_num_threads(1)
    import palate

    part = label.partition(":")[0]
    name, params = MODELS[label]
    if name in ("ncf", "mf", "ials"):
        params = params | {"seed": seed}
    candidates: Any = "all"
    if part == "100k":
        split = rows_100k(data)
    else:
        from palate.datasets.papers import with_ncf_split

        folder = data / "ml-1m"
        rows = palate.Interactions.from_table(common.movielens(data, "1m"))
        lists = folder / "ncf" / "ml-1m.test.negative.gz"
        whole = with_ncf_split(
            palate.Dataset("movielens-1m-ncf", rows), folder / "ncf" / "ml-1m.test.rating.gz", lists
        )
        split, candidates = whole.published_split(), "given"
    with common.Clock() as fit:
        model = palate.models.create(name, **params).fit(split.train)
    with common.Clock() as recommend:
        model.recommend_codes(k=10)
    told = palate.evaluate(model, split, metrics=METRICS[part], candidates=candidates, bootstrap=0)
    figures = {f"{key}@10": round(told.estimate(f"{key}@10").mean, 4) for key in METRICS[part]}
    trace = [row["loss"] for row in model.fitted.trace if "loss" in row]
    return {
        **figures,
        "seed": seed,
        "users": told.estimate(f"{METRICS[part][0]}@10").n,
        "fit_cpu_s": fit.cpu,
        "recommend_cpu_s": recommend.cpu,
        "loss": [round(loss, 4) for loss in trace],
        "params": params,
    }


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--only", default=",".join(MODELS), help="labels, separated by commas")
    parser.add_argument("--seeds", default="42", help="separated by commas")
    options = parser.parse_args()
    file = options.out / f"{NAME}.json"
    runs: dict[str, Any] = json.loads(file.read_text())["runs"] if file.exists() else {}
    for label in options.only.split(","):
        runs[label] = [
            common.worker(__file__, options.data, label, seed) for seed in options.seeds.split(",")
        ]
        keys = [key for key in runs[label][0] if "@" in key]
        mean = {key: round(float(np.mean([run[key] for run in runs[label]])), 4) for key in keys}
        common.say(f"{label:<22}{json.dumps(mean)}")
        common.write(NAME, {"runs": runs}, options.out)


if __name__ == "__main__":
    if "--worker" in sys.argv:
        source, asked, number = sys.argv[-3:]
        print(json.dumps(measure(Path(source), asked, int(number))))
    else:
        main()
