"""What a geometry is worth: three ways down one objective, on MovieLens-1M; and the cost of a rating up to ten million.

    python benchmarks/rlrmc/geometry.py --data FOLDER

* The objective (rank 10, mean taken off, SVD start, product penalty of 0.001: the best-known implementation's) against
  CPU seconds for the quotient L R', for U B V' and for alternating least squares; and what an iteration takes.
* Seconds per iteration and rating, and peak memory, on synthetic ratings from one million to ten.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sar"))
import common

PLAIN = {
    "factors": 10,
    "biases": "mean",
    "penalty": "product",
    "regularisation": 0.001,
    "iterations": 100,
    "tolerance": 0.0,
}
GEOMETRIES = ("quotient", "ubv", "als")
SIZES = (1_000_000, 2_000_000, 5_000_000, 10_000_000)
GATE_MS = 30


def solve(file: Path, params: dict[str, object]) -> dict[str, object]:
    """Fit in this process: the trace with CPU seconds (one thread: the wall clock is the CPU's)."""
    from palate.interactions import Interactions
    from palate.models.rlrmc import RLRMC

    with np.load(file) as arrays:
        columns = dict(arrays)
    train = Interactions.from_table({name: columns[name] for name in ("user", "item", "value")})
    few = Interactions.from_table({name: columns[name][:50_000] for name in ("user", "item", "value")})
    RLRMC(**params | {"iterations": 2}).fit(few)  # loads the compiled code
    with common.Clock() as fit, common.Peak() as peak:
        model = RLRMC(**params).fit(train)
    trace = model.fitted.trace
    took = np.diff([row["seconds"] for row in trace])
    return {
        "ratings": len(train),
        "fit": fit.both(),
        "peak_mb": peak.mb,
        "iterations": len(trace),
        "ms_per_iteration": round(1000 * float(np.median(took)), 2),
        "trace": [[round(row["seconds"], 3), round(row["objective"], 1)] for row in trace],
    }


def synthetic(rows: int, file: Path) -> None:
    """Write a world whose catalogue stays while users grow: MovieLens-10M's 10,677 items, 140 ratings a user."""
    import synthetic

    world = synthetic.make(users=rows // 140, items=10_677, rows=rows)
    np.savez(file, user=world["user"], item=world["item"], value=world["value"])


def main() -> None:
    options = common.arguments(__doc__).parse_args()
    common.warn_when_busy()
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "ratings.npz"
        rows = common.movielens(options.data, "1m")
        train = np.random.default_rng(42).random(len(rows["user"])) < 0.8
        np.savez(file, **{name: column[train] for name, column in rows.items()})
        geometry = {}
        for name in GEOMETRIES:
            common.say(name)
            geometry[name] = common.worker(__file__, file, json.dumps(PLAIN | {"geometry": name}))
        growth = []
        for size in SIZES:
            common.say(f"{size:,} ratings")
            synthetic(size, file)
            found = common.worker(__file__, file, json.dumps(PLAIN | {"iterations": 12}))
            growth.append({key: value for key, value in found.items() if key != "trace"})
    goal = geometry["als"]["trace"][9][1]
    summary = {
        "gate_ms_per_iteration": GATE_MS,
        "ms_per_iteration": {name: run["ms_per_iteration"] for name, run in geometry.items()},
        "met": geometry["quotient"]["ms_per_iteration"] <= GATE_MS,
        "seconds_to_the_objective_of_ten_als_iterations": {
            name: next((seconds for seconds, cost in run["trace"] if cost <= goal), None)
            for name, run in geometry.items()
        },
        "objective_after_100": {name: run["trace"][-1][1] for name, run in geometry.items()},
        "ns_per_rating_and_iteration": {
            f"{run['ratings']:,}": round(1e6 * run["ms_per_iteration"] / run["ratings"], 1) for run in growth
        },
    }
    common.write("rlrmc-geometry", {"summary": summary, "geometry": geometry, "growth": growth}, options.out)
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    if "--worker" in sys.argv:
        source, given = sys.argv[-2:]
        print(json.dumps(solve(Path(source), json.loads(given))))
    else:
        main()
