"""Metrics again, in plain Python from their formulas: what the kernels are held against."""

import math


def list_metrics(ranked: list, relevant: set, k: int) -> dict[str, float]:
    """All list metrics of one user at one cut-off."""
    hit = [item in relevant for item in ranked[:k]]
    n_relevant, hits = len(relevant), sum(hit)
    gain = sum(1 / math.log2(place + 2) for place, yes in enumerate(hit) if yes)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, n_relevant)))
    precisions = sum(sum(hit[: place + 1]) / (place + 1) for place, yes in enumerate(hit) if yes)
    return {
        f"ndcg@{k}": gain / ideal,
        f"map@{k}": precisions / min(k, n_relevant),
        f"map_all@{k}": precisions / n_relevant,
        f"precision@{k}": hits / k,
        f"recall@{k}": hits / n_relevant,
        f"mrr@{k}": 1 / (hit.index(True) + 1) if hits else 0.0,
        f"hit@{k}": float(hits > 0),
        "r_precision": sum(item in relevant for item in ranked[:n_relevant]) / n_relevant,
    }


def mean_metrics(run: dict, truth: dict, ks: list[int]) -> dict[str, float]:
    """Means over the users of the truth. `run`: user to [(score, item)] in any order; `truth`: user to items."""
    totals: dict[str, float] = {}
    for user, relevant in truth.items():
        ranked = [item for score, item in sorted(run.get(user, []), key=lambda row: (-row[0], row[1]))]
        for k in ks:
            found = list_metrics(ranked, set(relevant), k)
            for key, value in found.items():
                if key != "r_precision" or k == ks[0]:
                    totals[key] = totals.get(key, 0.0) + value
    return {key: value / len(truth) for key, value in totals.items()}


def auc(scores: list[float], relevant: set[int], candidates: set[int], n_relevant: int) -> float:
    """Pairs in the right order, ties half; relevant items without a score lose every pair."""
    others = candidates - relevant
    wins = sum(
        1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0
        for i in relevant
        for j in others
    )
    return wins / (n_relevant * len(others)) if others else 0.5


def cosine(users: dict[int, set], i: int, j: int) -> float:
    """Cosine of two items' binary columns; `users`: item to its users."""
    if not users.get(i) or not users.get(j):
        return 0.0
    return len(users[i] & users[j]) / math.sqrt(len(users[i]) * len(users[j]))
