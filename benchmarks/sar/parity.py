"""Does Palate's SAR give what `recommenders` 1.2.1 gives, on that library's own split of MovieLens-100K?

    python benchmarks/sar/parity.py --data FOLDER --peers FOLDER

Its stratified split (ratio 0.75, seed 42) is made in its own environment, and so are its similarity matrices,
scores and top-10 for five similarities, decay off and on (half life 30 days), in float64. Compared are

* similarity: largest difference, 1e-10;
* scores of every user and item without normalisation: relative difference, 1e-8;
* top-10 of unseen items, with and without normalisation, up to ties: at each rank our item has, by the
  peer's own scores, the score that the peer's item has;
* the metrics of its quick start and of its deep dive (jaccard, 30 days) against the published figures.

These two differ by the order of the rows before the seed. The quick start reads the file as it is. The deep
dive joins the titles, and the join of that day's pandas (before 2.2) returned the rows grouped by item,
items in order of first appearance: in that order, the same splitter and seed give its figures to the last
published digit.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common
from palate.evaluation import evaluate
from palate.interactions import Interactions
from palate.models.sar import SAR
from palate.split import given

SIMILARITIES = ("cooccurrence", "jaccard", "lift", "cosine", "inclusion_index")
METRICS = ("map_all@10", "ndcg@10", "precision@10", "recall@10")
PUBLISHED = {
    "quick start": {"normalise": True, "figures": (0.106959, 0.379533, 0.331071, 0.176837)},
    "deep dive": {"normalise": False, "figures": (0.113796, 0.384809, 0.331707, 0.182571)},
}
Arrays = dict[str, NDArray]


def by_first_appearance(rows: Arrays) -> Arrays:
    """The rows grouped by item, items in order of first appearance: what a join of old pandas returned."""
    _, first, code = np.unique(rows["item"], return_index=True, return_inverse=True)
    order = np.argsort(first[code], kind="stable")
    return {name: column[order] for name, column in rows.items()}


def load(file: Path) -> Arrays:
    with np.load(file) as arrays:
        return dict(arrays)


def relative(ours: NDArray, theirs: NDArray) -> float:
    """Largest difference, relative to the larger of the two values; zeros agree with zeros."""
    scale = np.maximum(np.abs(ours), np.abs(theirs))
    return float((np.abs(ours - theirs) / np.where(scale > 0, scale, 1)).max())


def same_lists(model: SAR, theirs: Arrays, kind: str) -> dict[str, object]:
    """Compare top-10 lists up to ties, by the peer's own scores."""
    users, items = theirs["users"], theirs["items"]
    top = model.recommend(users=users, k=10, exclude_seen=True)
    row = {user: n for n, user in enumerate(users.tolist())}
    column = {item: n for n, item in enumerate(items.tolist())}
    lists = np.full((2, len(users), 10), np.nan)
    ids = np.full((2, len(users), 10), -1)
    for user, item, rank in zip(top["user"], top["item"], top["rank"], strict=True):
        n = row[user]
        lists[0, n, rank - 1], ids[0, n, rank - 1] = theirs[f"{kind}_scores"][n, column[item]], item
    place = np.zeros(len(users), int)
    for user, item, score in zip(
        *(theirs[f"{kind}_top_{name}"].tolist() for name in ("user", "item", "score")), strict=True
    ):
        n = row[user]
        lists[1, n, place[n]], ids[1, n, place[n]] = score, item
        place[n] += 1
    different = ~np.isclose(lists[0], lists[1], rtol=1e-9, atol=0, equal_nan=True).all(axis=1)
    return {
        "users_with_another_list": int(different.sum()),
        "of": len(users),
        "places_decided_by_a_tie": int((ids[0] != ids[1]).sum()),
    }


def compare(
    train: Interactions, theirs: Arrays, similarity: str, half_life: float | None
) -> dict[str, object]:
    """All comparisons for one similarity."""
    plain = SAR(similarity=similarity, half_life_days=half_life, precision="float64").fit(train)
    normalised = SAR(
        similarity=similarity, half_life_days=half_life, normalise=True, precision="float64"
    ).fit(train)
    users, items = theirs["users"].tolist(), theirs["items"].tolist()
    codes = plain.items.encode(items)
    ours = plain.similarity_matrix()[np.ix_(codes, codes)]
    return {
        "similarity": similarity,
        "half_life_days": half_life,
        "similarity_difference": float(np.abs(ours - theirs["similarity"]).max()),
        "score_difference_relative": relative(plain.score(users=users, items=items), theirs["plain_scores"]),
        "top10": same_lists(plain, theirs, "plain"),
        "top10_normalised": same_lists(normalised, theirs, "normalised"),
    }


def table(rows: Arrays) -> Interactions:
    return Interactions.from_table({name: rows[name] for name in ("user", "item", "value", "time")})


def metrics(train: Interactions, test: Interactions, *, normalise: bool) -> list[float]:
    model = SAR(similarity="jaccard", half_life_days=30, normalise=normalise, precision="float64").fit(train)
    found = evaluate(model, given(train, test), k=(10,), metrics=tuple(key.split("@")[0] for key in METRICS))
    return [round(found.estimate(key).mean, 6) for key in METRICS]


def main() -> None:
    options = common.arguments(__doc__).parse_args()
    rows = common.movielens(options.data, "100k")
    result: dict[str, object] = {"data": "MovieLens-100K, stratified 0.75, seed 42", "precision": "float64"}
    figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, ordered in (("quick start", rows), ("deep dive", by_first_appearance(rows))):
            place = folder / name.replace(" ", "_")
            place.mkdir()
            np.savez(place / "rows.npz", **ordered)
            common.peer(options.peers, "reco", "recommenders_sar.py", "split", place / "rows.npz", place)
            peer = common.peer(options.peers, "reco", "recommenders_sar.py", "dump", place)
            train, test = table(load(place / "train.npz")), table(load(place / "test.npz"))
            if name == "quick start":
                result |= {
                    "peer": peer["peer"],
                    "comparisons": [
                        compare(
                            train,
                            load(place / f"{similarity}-{'decay' if half_life else 'plain'}.npz"),
                            similarity,
                            half_life,
                        )
                        for similarity in SIMILARITIES
                        for half_life in (None, 30.0)
                    ],
                }
            published = PUBLISHED[name]
            ours = metrics(train, test, normalise=published["normalise"])
            figures[name] = {
                "metrics": list(METRICS),
                "palate": ours,
                "published": list(published["figures"]),
                "peer_here": [round(value, 6) for value in peer["metrics"].values()],
                "agree": bool(np.allclose(ours, published["figures"], rtol=0, atol=1e-6)),
            }
    result["figures"] = figures
    common.write("sar-parity", result, options.out)
    report(result)


def report(result: dict) -> None:
    """Print the table; leave with 1 where anything disagrees."""
    bad = 0
    for row in result["comparisons"]:
        near, close = row["similarity_difference"], row["score_difference_relative"]
        lists = [row[kind]["users_with_another_list"] for kind in ("top10", "top10_normalised")]
        good = near <= 1e-10 and close <= 1e-8 and lists == [0, 0]
        bad += not good
        name = f"{row['similarity']}, half life {row['half_life_days'] or 'none'}"
        words = f"similarity {near:.1e}  scores {close:.1e}  other lists {lists[0]} and {lists[1]}"
        print(f"{name:<32} {words}  {'same' if good else 'DIFFERENT'}")
    for name, row in result["figures"].items():
        bad += not row["agree"]
        verdict = "same" if row["agree"] else "DIFFERENT"
        print(f"{name}: {row['palate']}, published {row['published']}: {verdict}")
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
