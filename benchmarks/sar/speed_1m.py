"""SAR on MovieLens-1M: Palate against `recommenders` 1.2.1 and implicit 0.7.3, CPU seconds, one thread each.

    python benchmarks/sar/speed_1m.py --data FOLDER --peers FOLDER

Every run is a process of its own; peers and Palate take turns, three rounds; each process measures twice
and the second measure counts (the first, which pays for loading compiled code, is in the file). Medians
over the rounds.

* Against recommenders: its split (stratified 0.75, seed 42), jaccard, half life 30 days, normalised; fit on
  a table, recommend ten unseen items to every user as a table. Ours includes making `Interactions` of the
  table.
* Against implicit: cosine, 20 neighbours, all rows; sparse matrix and `Interactions` made before the clock
  starts.
* Two threads against one, wall seconds.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

ROUNDS = 3
INCUMBENT = {"similarity": "jaccard", "half_life_days": 30.0, "normalise": True}
NEIGHBOURS = {"similarity": "cosine", "neighbours": 20}


def measure(file: Path, params: dict[str, object]) -> dict[str, object]:
    """Read, fit, recommend, twice, in this process."""
    from palate.interactions import Interactions
    from palate.models.sar import SAR

    with np.load(file) as arrays:
        columns = dict(arrays)
    runs = []
    for _ in range(2):
        with common.Clock() as table:
            train = Interactions.from_table(columns)
        with common.Clock() as fit:
            model = SAR(**params).fit(train)
        with common.Clock() as recommend:
            top = model.recommend(k=10)
        runs.append({"table": table.both(), "fit": fit.both(), "recommend": recommend.both()})
    return {
        "runs": runs,
        "rows": len(train),
        "lists": top["user"].n_unique(),
        "peak_mb": common.process_peak(),
    }


def seconds(runs: list[dict], *steps: str, clock: str = "cpu_s") -> float:
    """Median over the rounds of the second measure's seconds, the given steps together."""
    return round(statistics.median(sum(run["runs"][1][step][clock] for step in steps) for run in runs), 4)


def main() -> None:
    options = common.arguments(__doc__).parse_args()
    common.warn_when_busy()
    ours: dict[str, list] = {
        "recommenders": [],
        "implicit": [],
        "one thread": [],
        "two threads": [],
        "neighbours": [],
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows, train = folder / "rows.npz", folder / "train.npz"
        np.savez(rows, **common.movielens(options.data, "1m"))
        common.peer(options.peers, "reco", "recommenders_sar.py", "split", rows, folder)
        for turn in range(ROUNDS):
            common.say(f"round {turn + 1} of {ROUNDS}")
            ours["recommenders"].append(
                common.peer(options.peers, "reco", "recommenders_sar.py", "time", folder)
            )
            ours["one thread"].append(common.worker(__file__, train, json.dumps(INCUMBENT)))
            ours["implicit"].append(common.peer(options.peers, "implicit", "implicit_cosine.py", rows, 20))
            ours["neighbours"].append(common.worker(__file__, rows, json.dumps(NEIGHBOURS)))
            ours["two threads"].append(common.worker(__file__, train, json.dumps(INCUMBENT), threads=2))
    common.write("sar-speed-1m", {"summary": (summary := summarise(ours)), "runs": ours}, options.out)
    print(json.dumps(summary, indent=1))


def summarise(runs: dict[str, list]) -> dict[str, object]:
    whole = ("table", "fit", "recommend")
    peer = seconds(runs["recommenders"], "fit", "recommend")
    one = seconds(runs["one thread"], *whole)
    implicit = seconds(runs["implicit"], "fit", "recommend")
    pruned = seconds(runs["neighbours"], "fit", "recommend")
    walls = [
        seconds(runs[name], "fit", "recommend", clock="wall_s") for name in ("one thread", "two threads")
    ]
    return {
        "recommenders_cpu_s": {step: seconds(runs["recommenders"], step) for step in whole[1:]},
        "palate_cpu_s": {step: seconds(runs["one thread"], step) for step in whole},
        "times_faster_than_recommenders": round(peer / one, 1),
        "times_faster_without_the_table": round(peer / seconds(runs["one thread"], *whole[1:]), 1),
        "implicit_cpu_s": {step: seconds(runs["implicit"], step) for step in whole[1:]},
        "palate_20_neighbours_cpu_s": {step: seconds(runs["neighbours"], step) for step in whole[1:]},
        "times_faster_than_implicit": round(implicit / pruned, 2),
        "two_threads_speed_up": round(walls[0] / walls[1], 2),
    }


if __name__ == "__main__":
    if "--worker" in sys.argv:
        source, given = sys.argv[-2:]
        print(json.dumps(measure(Path(source), json.loads(given))))
    else:
        main()
