"""Are our metrics those of RecTools, ranx and recommenders, wherever they mean the same variant?

    python benchmarks/metrics/parity.py --peers FOLDER

One random data set: lists of unequal length without ties, users of the truth without a list, users of the run
without truth, a long tail of items. Each peer runs in its own environment (rectools, ranx, reco) on the same arrays;
the largest difference of a mean is at most 1e-9. `recommenders` leaves users without a list out of precision, recall
and MAP, so it gets the users who have one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common
from palate.evaluation import evaluate_tables
from palate.evaluation.rating import rating_values

PEER = Path(__file__).with_name("peer.py")
TOLERANCE = 1e-9
USERS, ITEMS, K = 1_500, 3_000, 10
OURS = ("ndcg@10", "map@10", "map_all@10", "precision@10", "recall@10", "mrr@10", "hit@10", "r_precision")
BEYOND = ("coverage@10", "novelty@10", "diversity@10", "serendipity@10")


def tables(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    popular = (np.arange(ITEMS) + 5.0) ** -0.8
    popular /= popular.sum()

    def draw(low: int, high: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        users = np.flatnonzero(random.random(USERS) < share)
        lists = [random.choice(ITEMS, random.integers(low, high), replace=False, p=popular) for _ in users]
        return np.repeat(users, [len(row) for row in lists]), np.concatenate(lists)

    train_user, train_item = draw(5, 40, 1.1)
    run_user, run_item = draw(3, 30, 0.9)
    unseen = ~np.isin(run_user * ITEMS + run_item, train_user * ITEMS + train_item)
    kept = unseen & np.isin(run_item, train_item)  # what train lacks has no novelty and no similarity
    run_user, run_item = run_user[kept], run_item[kept]
    truth_user, truth_item = draw(1, 25, 0.9)
    return {
        "run_user": run_user,
        "run_item": run_item,
        "run_score": random.permutation(len(run_user)).astype(np.float64),
        "truth_user": truth_user,
        "truth_item": truth_item,
        "train_user": train_user,
        "train_item": train_item,
        "rated": random.integers(1, 6, 5_000).astype(np.float64),
        "predicted": random.normal(3, 1, 5_000),
    }


def ours(data: dict[str, np.ndarray], *, with_list_only: bool) -> dict[str, float]:
    keep = np.isin(data["truth_user"], data["run_user"]) if with_list_only else slice(None)
    run = {"user": data["run_user"], "item": data["run_item"], "score": data["run_score"]}
    if with_list_only:
        kept = np.isin(data["run_user"], data["truth_user"])
        run = {name: column[kept] for name, column in run.items()}
    truth = {"user": data["truth_user"][keep], "item": data["truth_item"][keep]}
    train = {"user": data["train_user"], "item": data["train_item"]}
    found = evaluate_tables(run, truth, k=K, metrics=[*OURS, *BEYOND], train=train, bootstrap=0)
    values = rating_values(data["rated"], data["predicted"])
    return {key: one.mean for key, one in found.items()} | values


def main() -> None:
    options = common.arguments(__doc__).parse_args()
    data = tables(seed=7)
    found = {
        "all users": ours(data, with_list_only=False),
        "users with a list": ours(data, with_list_only=True),
    }
    peers = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tables.npz"
        np.savez(file, **data)
        for name, basis in (("rectools", "all users"), ("ranx", "all users"), ("reco", "users with a list")):
            python = options.peers / name / "bin" / "python"
            answer = common.child([python, PEER, "parity", name, file])
            rows = {
                key: {
                    "palate": found[basis][key],
                    "peer": value,
                    "difference": abs(found[basis][key] - value),
                }
                for key, value in answer["metrics"].items()
            }
            worst = max(row["difference"] for row in rows.values())
            peers[answer["peer"]] = {"users": basis, "largest difference": worst, "metrics": rows}
            common.say(f"{answer['peer']:<22}{len(rows)} metrics, largest difference {worst:.1e}")
    worst = max(peer["largest difference"] for peer in peers.values())
    common.write(
        "metrics-parity",
        {"tolerance": TOLERANCE, "largest difference": worst, "holds": worst <= TOLERANCE, "peers": peers},
        options.out,
    )
    if worst > TOLERANCE:
        raise SystemExit(f"largest difference {worst:.1e}, more than {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
