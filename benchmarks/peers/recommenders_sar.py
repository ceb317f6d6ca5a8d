"""The SAR of `recommenders` 1.2.1 through its public interface, in its own environment.

    recommenders_sar.py split ROWS.npz FOLDER   its stratified split, 0.75, seed 42: train.npz and test.npz
    recommenders_sar.py dump FOLDER             similarities, scores and top-10 of that split, for parity
    recommenders_sar.py time FOLDER             seconds of fit and recommend, twice

The .npz files hold user, item, value, time in the order of the rows. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

if not hasattr(np, "NaN"):
    np.NaN = np.nan  # noqa: NPY201  (the library asks for the name that NumPy 2 took away: every call fails)
warnings.filterwarnings("ignore")

import recommenders.evaluation.python_evaluation as evaluation  # noqa: E402
from recommenders.datasets.python_splitters import python_stratified_split  # noqa: E402
from recommenders.models.sar import SAR  # noqa: E402

SIMILARITIES = ("cooccurrence", "jaccard", "lift", "cosine", "inclusion index")


COLUMNS = {"user": "userID", "item": "itemID", "value": "rating", "time": "timestamp"}


def rows(file: str | Path, dtype: str = "float64") -> pd.DataFrame:
    with np.load(file) as arrays:
        table = pd.DataFrame({long: arrays[short] for short, long in COLUMNS.items()})
    return table.astype({"rating": dtype})


def split(source: str, folder: Path) -> dict[str, object]:
    parts = python_stratified_split(rows(source), ratio=0.75, col_user="userID", col_item="itemID", seed=42)
    for name, part in zip(("train", "test"), parts, strict=True):
        np.savez(folder / f"{name}.npz", **{short: part[long].to_numpy() for short, long in COLUMNS.items()})
    return {"train": len(parts[0]), "test": len(parts[1])}


def model(similarity: str, *, decay: bool, normalise: bool) -> SAR:
    return SAR(
        similarity_type=similarity, time_decay_coefficient=30, timedecay_formula=decay, normalize=normalise
    )


def dump(folder: Path) -> dict[str, object]:
    """Write one file for each similarity, with and without decay; return the metrics. Float64 throughout."""
    train, test = rows(folder / "train.npz"), rows(folder / "test.npz")
    for similarity in SIMILARITIES:
        for decay in (False, True):
            file = folder / f"{similarity.replace(' ', '_')}-{'decay' if decay else 'plain'}.npz"
            dump_model(file, train, test, similarity, decay)
    sar = model("jaccard", decay=True, normalise=True)
    sar.fit(train)
    top = sar.recommend_k_items(test, top_k=10, remove_seen=True)
    names = ("map", "ndcg_at_k", "precision_at_k", "recall_at_k")
    options = {"col_prediction": "prediction", "k": 10}
    return {"metrics": {name: float(getattr(evaluation, name)(test, top, **options)) for name in names}}


def dump_model(file: Path, train: pd.DataFrame, test: pd.DataFrame, similarity: str, decay: bool) -> None:
    arrays = {}
    for normalise in (False, True):
        sar = model(similarity, decay=decay, normalise=normalise)
        sar.fit(train)
        if hasattr(sar.item_similarity, "toarray"):  # its normalised score fails on a sparse matrix
            sar.item_similarity = sar.item_similarity.toarray()
        kind = "normalised" if normalise else "plain"
        arrays[f"{kind}_scores"] = sar.score(test, remove_seen=False)
        top = sar.recommend_k_items(test, top_k=10, remove_seen=True)
        for short, long in (("user", "userID"), ("item", "itemID"), ("score", "prediction")):
            arrays[f"{kind}_top_{short}"] = top[long].to_numpy()
    arrays["similarity"] = sar.item_similarity
    arrays["items"] = np.array([sar.index2item[code] for code in range(sar.n_items)])
    arrays["users"] = test["userID"].unique()
    np.savez(file, **arrays)


def timed(folder: Path) -> dict[str, object]:
    """Fit and recommend for every test user as its quick start does: jaccard, 30 days, normalised."""
    train, test = rows(folder / "train.npz", "float32"), rows(folder / "test.npz", "float32")
    runs = []
    for _ in range(2):
        sar = model("jaccard", decay=True, normalise=True)
        start, wall = time.process_time(), time.perf_counter()
        sar.fit(train)
        middle, wall_middle = time.process_time(), time.perf_counter()
        top = sar.recommend_k_items(test, top_k=10, remove_seen=True)
        end, wall_end = time.process_time(), time.perf_counter()
        runs.append(
            {
                "fit": {"cpu_s": middle - start, "wall_s": wall_middle - wall},
                "recommend": {"cpu_s": end - middle, "wall_s": wall_end - wall_middle},
            }
        )
    return {"runs": runs, "train": len(train), "lists": int(top["userID"].nunique())}


def main() -> None:
    verb, *given = sys.argv[1:]
    if verb == "split":
        result = split(given[0], Path(given[1]))
    else:
        result = {"dump": dump, "time": timed}[verb](Path(given[0]))
    print(json.dumps({"peer": f"recommenders {version('recommenders')}", "numpy": np.__version__} | result))


if __name__ == "__main__":
    main()
