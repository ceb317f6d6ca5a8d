"""How well SASRec foretells the next item: leave-one-out on the papers' files, three seeds, resumable.

    python benchmarks/sasrec/accuracy.py --data FOLDER --scratch FOLDER [--sets movielens-1m-sasrec] [--seeds 1 2 3]

HR@10 and nDCG@10 of the test over the whole catalogue, with the user's past items left out and kept, and among 100
sampled items (of `:few` also in seven draws of them, since it stands as near to the published figure as one draw moves
it). Fitted on train with the settings below, which were chosen on validation rows alone; the epoch is chosen
by validation nDCG@10; the test is asked with the validation row as the end of the history, and no weight has seen that
row.

Each fit is a process with one thread. Its training is kept in `--scratch` after each epoch, so a run that was stopped
goes on, and what the result file has already (same set, seed and settings) is not done again: call it until it is done.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from simple import PROTOCOLS

import common

WIDE = {
    "embedding_size": 128,
    "dropout": 0.5,
    "batch": 768,
    "window": 50,
    "learning_rate": 0.002,
    "schedule": "cosine",
    "epochs": 20,
    "patience": 20,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "movielens-1m-sasrec": {
        "heads": 2,
        "learning_rate": 0.003,
        "schedule": "cosine",
        "epochs": 50,
        "patience": 25,
    },
    # For 100 drawn candidates: all other items together weigh as ten beside the one that came.
    "movielens-1m-sasrec:few": {
        "others_as": 10,
        "heads": 2,
        "learning_rate": 0.003,
        "schedule": "cosine",
        "epochs": 60,
        "patience": 60,
    },
    "amazon-beauty": {"dropout": 0.4, "batch": 768, "window": 50, "epochs": 60, "patience": 8},
    "amazon-sports-and-outdoors": WIDE,
    "amazon-video-games": WIDE,
    "amazon-video-games-sasrec": WIDE,
    "amazon-video-games-sasrec:bce": {
        "loss": "bce",
        "negatives": 8,
        "dropout": 0.6,
        "batch": 768,
        "window": 50,
        "learning_rate": 0.002,
        "schedule": "cosine",
        "epochs": 80,
        "patience": 80,
    },
}
SEEDS = (1, 2, 3)
DRAWS = range(1, 8)
"""of the sampled items, where more than one is asked"""
OVER_DRAWS = f"100 sampled, {len(DRAWS)} draws"
NAME = "sasrec-accuracy"


def fit(name: str, seed: int, scratch: Path) -> dict[str, Any]:
    """Train, and judge under every protocol, in this process."""
    import palate
    from palate import datasets

    data = datasets.load(name.partition(":")[0], offline=True)
    parts = palate.split.last_out(data.interactions, valid=True)
    model = palate.SASRec(
        **SETTINGS[name], seed=seed, checkpoint=scratch / f"{name.replace(':', '-')}-{seed}"
    )
    with common.Peak() as peak:
        model.fit(parts.train, valid=parts.valid)
    course = [row["valid_ndcg@10"] for row in model.fitted.trace]
    found: dict[str, Any] = {
        "seed": seed,
        "settings": SETTINGS[name],
        "fingerprint": data.fingerprint[:12],
        "users": data.interactions.n_users,
        "items": data.interactions.n_items,
        "rows": len(data.interactions),
        "epochs": len(course),
        "best_epoch": 1 + course.index(max(course)),
        "valid_ndcg@10": round(max(course), 4),
        "cpu_fit": round(model.fitted.trace[-1]["cpu_seconds"], 1),
        "peak_mb": peak.mb,
    }

    def judged(how: dict[str, Any]) -> dict[str, float]:
        one = palate.evaluate(model, parts, metrics=["hit", "ndcg"], bootstrap=0, **how)
        return {key: one.estimate(key).mean for key in ("hit@10", "ndcg@10")}

    for label, how in PROTOCOLS.items():
        found[label] = {key: round(value, 4) for key, value in judged(how).items()}
    if name.endswith(":few"):
        each = [judged({"candidates": {"sampled": 100, "seed": draw}}) for draw in DRAWS]
        found["draws"] = {key: [round(one[key], 4) for one in each] for key in each[0]}
        found[OVER_DRAWS] = {key: round(sum(one[key] for one in each) / len(each), 4) for key in each[0]}
    return found


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds, by set and protocol."""
    board: dict[str, Any] = {}
    for name in SETTINGS:
        mine = [run for run in runs if run["set"] == name]
        if mine:
            board[name] = {
                "seeds": len(mine),
                "cpu_fit": round(sum(run["cpu_fit"] for run in mine) / len(mine)),
            }
            for label in (*PROTOCOLS, OVER_DRAWS):
                if all(label in run for run in mine):
                    board[name][label] = {
                        key: round(sum(run[label][key] for run in mine) / len(mine), 4)
                        for key in ("hit@10", "ndcg@10")
                    }
    return board


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(fit(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
        return
    parser = common.arguments(__doc__)
    parser.add_argument("--scratch", type=Path, required=True, help="keeps the trainings between calls")
    parser.add_argument("--sets", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    options = parser.parse_args()
    os.environ["PALATE_DATA"] = str(options.data.resolve())
    for seed in options.seeds:
        for name in options.sets:
            if any(same(run, name, seed) for run in kept(options.out)):
                continue
            found = {"set": name} | common.worker(__file__, name, str(seed), str(options.scratch.resolve()))
            common.say(str(found))
            # Read again: another call may have written in the meantime.
            runs = [run for run in kept(options.out) if not same(run, name, seed)] + [found]
            runs.sort(key=lambda run: (list(SETTINGS).index(run["set"]), run["seed"]))
            common.write(NAME, {"summary": summary(runs), "runs": runs}, options.out)


def kept(folder: Path) -> list[dict[str, Any]]:
    """Runs of the result file that are of the settings above."""
    file = folder / f"{NAME}.json"
    runs = json.loads(file.read_text())["runs"] if file.exists() else []
    return [run for run in runs if run["settings"] == SETTINGS.get(run["set"])]


def same(run: dict[str, Any], name: str, seed: int) -> bool:
    return (run["set"], run["seed"]) == (name, seed)


if __name__ == "__main__":
    main()
