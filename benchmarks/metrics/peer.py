"""A peer's metrics, run with the Python of the peer's own environment; the last line of output is JSON.

PYTHON peer.py parity|speed rectools|ranx|reco TABLES.npz
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
K = 10


def columns(data: dict, part: str, user: str, item: str) -> pd.DataFrame:
    frame = pd.DataFrame({user: data[f"{part}_user"], item: data[f"{part}_item"]})
    if part == "run":
        frame["score"] = data["run_score"]
    return frame


def rectools(data: dict, speed: bool) -> dict[str, Callable[[], dict[str, float]]]:
    from rectools.metrics import (
        MAP,
        MRR,
        NDCG,
        CatalogCoverage,
        HitRate,
        MeanInvUserFreq,
        Precision,
        Recall,
        calc_metrics,
    )

    run, truth = (columns(data, part, "user_id", "item_id") for part in ("run", "truth"))
    if speed:  # rows come in order of rank
        run["rank"] = np.tile(np.arange(1, K + 1), len(run) // K)
        four = {"ndcg@10": NDCG(k=K), "map_all@10": MAP(k=K), "recall@10": Recall(k=K), "mrr@10": MRR(k=K)}
        return {"all four": lambda: calc_metrics(four, run, truth)}
    run = run.sort_values(["user_id", "score"], ascending=[True, False])
    run["rank"] = run.groupby("user_id").cumcount() + 1
    train = columns(data, "train", "user_id", "item_id")
    metrics = {
        "ndcg@10": NDCG(k=K, divide_by_achievable=True),
        "map_all@10": MAP(k=K),
        "precision@10": Precision(k=K),
        "recall@10": Recall(k=K),
        "mrr@10": MRR(k=K),
        "hit@10": HitRate(k=K),
    }
    # Novelty and coverage are of the lists of the truth's users, as ours are.
    listed = run[run.user_id.isin(truth.user_id)]
    catalog = train.item_id.unique()
    more = {"novelty@10": MeanInvUserFreq(k=K), "coverage@10": CatalogCoverage(k=K, normalize=True)}
    return {
        "lists": lambda: calc_metrics(metrics, run, truth),
        "beyond": lambda: calc_metrics(more, listed, prev_interactions=train, catalog=catalog),
    }


def ranx(data: dict, speed: bool) -> dict[str, Callable[[], dict[str, float]]]:
    from ranx import Qrels, Run, evaluate

    def text(ids: np.ndarray) -> pd.Series:
        return pd.Series(ids).astype(str).astype(object)

    def tables() -> tuple[Qrels, Run]:
        qrels = {"q": text(data["truth_user"]), "d": text(data["truth_item"]), "s": 1}
        run = {"q": text(data["run_user"]), "d": text(data["run_item"]), "s": data["run_score"]}
        names = {"q_id_col": "q", "doc_id_col": "d", "score_col": "s"}
        return Qrels.from_df(pd.DataFrame(qrels), **names), Run.from_df(pd.DataFrame(run), **names)

    names = {"ndcg@10": "ndcg@10", "map@10": "map_all@10", "recall@10": "recall@10", "mrr@10": "mrr@10"}
    if not speed:
        names |= {"precision@10": "precision@10", "hit_rate@10": "hit@10", "r-precision": "r_precision"}

    def run_all() -> dict[str, float]:
        found = evaluate(*tables(), list(names), make_comparable=True)
        return {ours: float(found[theirs]) for theirs, ours in names.items()}

    return {"all four, tables included": run_all}


def reco(data: dict, speed: bool) -> dict[str, Callable[[], dict[str, float]]]:
    vars(np)["NaN"] = np.nan  # a name that its code needs and NumPy 2 took out
    import recommenders.evaluation.python_evaluation as theirs

    run = columns(data, "run", "userID", "itemID").rename(columns={"score": "prediction"})
    truth = columns(data, "truth", "userID", "itemID").assign(rating=1.0)
    lists = {"relevancy_method": "top_k", "k": K, "col_prediction": "prediction"}

    def mean(metric: Callable) -> float:
        return float(metric(truth, run, **lists))

    if speed:
        four = {"ndcg@10": theirs.ndcg_at_k, "map@10": theirs.map_at_k}
        four |= {"recall@10": theirs.recall_at_k, "precision@10": theirs.precision_at_k}
        return {key: lambda key=key, metric=metric: {key: mean(metric)} for key, metric in four.items()}
    truth, run = truth[truth.userID.isin(run.userID)], run[run.userID.isin(truth.userID)]
    top = run.sort_values(["userID", "prediction"], ascending=[True, False]).groupby("userID").head(K)
    train = columns(data, "train", "userID", "itemID")
    pair = pd.MultiIndex.from_frame(top[["userID", "itemID"]])
    held = pair.isin(pd.MultiIndex.from_frame(truth[["userID", "itemID"]]))
    hit = top[["userID", "itemID"]].assign(relevance=held.astype(float))
    ids = np.arange(len(data["rated"]))
    rated = pd.DataFrame({"userID": ids, "itemID": ids, "rating": data["rated"]})
    guess = pd.DataFrame({"userID": ids, "itemID": ids, "prediction": data["predicted"]})

    def ranked() -> dict[str, float]:
        found = {"ndcg@10": theirs.ndcg_at_k, "map@10": theirs.map_at_k, "map_all@10": theirs.map}
        found |= {"precision@10": theirs.precision_at_k, "recall@10": theirs.recall_at_k}
        return {key: mean(metric) for key, metric in found.items()}

    def beyond() -> dict[str, float]:
        return {
            "coverage@10": float(theirs.catalog_coverage(train, top)),
            "diversity@10": float(theirs.diversity(train, top)),
            "serendipity@10": float(theirs.serendipity(train, hit, col_relevance="relevance")),
        }

    def rating() -> dict[str, float]:
        found = {"rmse": theirs.rmse, "mae": theirs.mae, "r2": theirs.rsquared}
        found |= {"explained_variance": theirs.exp_var}
        return {key: float(metric(rated, guess)) for key, metric in found.items()}

    return {"lists": ranked, "beyond": beyond, "rating": rating}


def main() -> None:
    purpose, name, file = sys.argv[1:]
    with np.load(file) as arrays:
        data = dict(arrays)
    package = {"reco": "recommenders"}.get(name, name)
    parts = {"rectools": rectools, "ranx": ranx, "reco": reco}[name](data, purpose == "speed")
    metrics, cpu, wall = {}, {}, {}
    rounds = 2 if purpose == "speed" and name == "ranx" else 1  # its first call compiles
    for part, run in parts.items():
        for _ in range(rounds):
            start, used = time.perf_counter(), time.process_time()
            metrics |= {key: float(value) for key, value in run().items()}
            wall[part], cpu[part] = time.perf_counter() - start, time.process_time() - used
    print(
        json.dumps(
            {"peer": f"{package} {version(package)}", "metrics": metrics, "cpu_s": cpu, "wall_s": wall}
        )
    )


if __name__ == "__main__":
    main()
