"""Seconds of nDCG@10, MAP@10, recall@10 and MRR@10 for a million users, from tables in to numbers out.

    python benchmarks/metrics/speed.py --peers FOLDER [--users N] [--only NAME ...]

10 recommended items and 5 relevant ones each, 20,000 items, integer ids, rows in order of user; ours from pandas,
Polars and Arrow tables, and from Polars with its rows shuffled or its ids as text. Each library has a process of its
own with one thread; figures are CPU seconds of the call alone, imports not counted. `palate` is measured on its first
call in a process (kernels from the cache) and on its best of three; RecTools on one call for all four metrics; ranx on
its second call, the conversion of tables included; `recommenders` on the sum of its four functions (it has no MRR:
precision@10 instead).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

PEER = Path(__file__).with_name("peer.py")
PEERS = ("rectools", "reco", "ranx")
INPUTS = ("pandas", "polars", "arrow", "shuffled", "text")
METRICS = ("ndcg@10", "map@10", "recall@10", "mrr@10")
ITEMS, LISTED, RELEVANT, K = 20_000, 20, 5, 10


def tables(users: int) -> dict[str, np.ndarray]:
    """10 distinct items for each user; relevant ones among those and 10 more, so half of them are listed."""
    random = np.random.default_rng(42)
    start = random.integers(0, ITEMS, users)
    listed = (start[:, None] + np.arange(K) * 7) % ITEMS
    chosen = np.argsort(random.random((users, LISTED)), axis=1)[:, :RELEVANT]
    return {
        "run_user": np.repeat(np.arange(users), K),
        "run_item": listed.ravel(),
        "run_score": np.tile(np.arange(K, 0, -1).astype(float), users),
        "truth_user": np.repeat(np.arange(users), RELEVANT),
        "truth_item": ((start[:, None] + chosen * 7) % ITEMS).ravel(),
    }


def work(kind: str, file: str) -> None:
    import pandas as pd
    import polars as pl

    from palate.evaluation import evaluate_tables

    with np.load(file) as arrays:
        data = dict(arrays)
    run = {"user": data["run_user"], "item": data["run_item"], "score": data["run_score"]}
    truth = {"user": data["truth_user"], "item": data["truth_item"]}
    if kind == "pandas":
        pair = pd.DataFrame(run), pd.DataFrame(truth)
    else:
        pair = pl.DataFrame(run), pl.DataFrame(truth)
    if kind == "arrow":
        pair = tuple(frame.to_arrow() for frame in pair)
    if kind == "shuffled":
        pair = tuple(frame.sample(fraction=1.0, shuffle=True, seed=1) for frame in pair)
    if kind == "text":
        text = pl.col("user", "item").cast(pl.String)
        pair = tuple(frame.with_columns(text) for frame in pair)
    clocks = []
    for _ in range(4):
        with common.Peak() as peak, common.Clock() as clock:
            found = evaluate_tables(*pair, k=K, metrics=METRICS)
        clocks.append(clock)
    best = min(clocks[1:], key=lambda clock: clock.cpu)
    metrics = {key: one.mean for key, one in found.items()}
    print(
        json.dumps({"first": clocks[0].both(), "best": best.both(), "peak_mb": peak.mb, "metrics": metrics})
    )


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", choices=PEERS, default=PEERS, help="peers to run")
    parser.add_argument("--worker", nargs=2, help="for its own use")
    options = parser.parse_args()
    if options.worker:
        return work(*options.worker)
    common.warn_when_busy()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tables.npz"
        np.savez(file, **tables(options.users))
        common.worker(__file__, "polars", file)  # fills the cache of kernels
        ours = {kind: common.worker(__file__, kind, file) for kind in INPUTS}
        for kind, one in ours.items():
            common.say(
                f"palate, {kind:<9}{one['best']['cpu_s']:8.3f} CPU s (first {one['first']['cpu_s']:.3f})"
            )
        # The gate is held by the slowest of the three kinds of table.
        gate = max(ours[kind]["best"]["cpu_s"] for kind in ("pandas", "polars", "arrow"))
        peers = {}
        for name in options.only:
            answer = common.child([options.peers / name / "bin" / "python", PEER, "speed", name, file])
            seconds = sum(answer["cpu_s"].values())
            peers[answer["peer"]] = answer | {"cpu_s_all": seconds, "times_palate": round(seconds / gate, 1)}
            common.say(f"{answer['peer']:<20}{seconds:8.2f} CPU s, {seconds / gate:.1f} times palate's")
    read = 8 * options.users * (3 * K + 2 * RELEVANT)
    result = {
        "users": options.users,
        "rows": {"run": options.users * K, "truth": options.users * RELEVANT},
        "metrics": list(METRICS),
        "palate": ours,
        "palate_cpu_s": gate,
        "gb_per_s_of_input": round(read / gate / 1e9, 2),
        "peers": peers,
    }
    common.write("metrics-speed", result, options.out)


if __name__ == "__main__":
    main()
