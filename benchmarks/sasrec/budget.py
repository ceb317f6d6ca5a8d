"""What minutes of training buy: RecTools, RePlay and Palate, their best validation nDCG@10 after 1 to 20 minutes.

    python benchmarks/sasrec/budget.py --data FOLDER --peers FOLDER [--sets beauty,ml-1m] [--minutes 1,2,5,10,20]
                                       [--only palate,rectools,replay] [--users N]

Two threads each, one library after the other on a quiet machine; a minute is one of the wall clock. Leave-one-out:
train is all but the last two items of each user, the validation item is the last but one, lists are of all
items of train without those seen, and every user counts. The peers' states are kept at each mark and at four
moments between two, and judged after training, off the clock, through their own `recommend` or `predict`;
Palate judges after every epoch, on the clock. Of each library the best until then counts. Size, blocks, window and
dropout are the same for all three. Each peer has two losses to choose from, over the whole catalogue and over drawn
items, at its own default learning rate (0.001) and a batch of 128 histories; Palate has one loss, a learning rate that
was chosen on validation, and stops when its plateaus are over.
Writes sasrec-budget-SET.json and the chart sasrec-budget-SET.svg after each training; a training that stands there (of
the same settings and minutes) is not done again, so what was stopped goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import sequences

import chart
import common

THREADS = 2
MINUTES = "1,2,5,10,20"
# Chosen on validation.
OURS: dict[str, list[dict[str, Any]]] = {
    "ml-1m": [{"loss": "ce", "learning_rate": 0.003, "schedule": "plateau", "patience": 6}],
    # 110 histories or so, of the peers' 128
    "beauty": [{"loss": "ce", "batch": 768, "learning_rate": 0.002, "schedule": "plateau", "patience": 6}],
}
THEIRS: dict[str, list[dict[str, Any]]] = {
    "rectools": [{"loss": "sampled_softmax", "negatives": 256}, {"loss": "softmax"}],
    "replay": [{"loss": "CESampled", "negatives": 256}, {"loss": "CE"}],
}
PEERS = {"rectools": "rectools_sasrec.py", "replay": "replay_sasrec.py"}
NAMES = {"palate": "Palate", "rectools": "RecTools", "replay": "RePlay"}
Curve = list[dict[str, float]]


class Enough(Exception):
    """The minutes are over."""


def measure(file: Path, told: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Fit until the seconds are over, in this process; the measure of each epoch, with its time since the start."""
    import torch

    import palate
    from palate.models.sasrec import SASRec

    torch.set_num_threads(THREADS)
    curve: Curve = []

    class Timed(SASRec):
        def _trace(self, **numbers: float) -> None:
            wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
            if wall <= seconds:
                point = {"epoch": numbers["epoch"], "cpu_s": round(cpu, 2), "wall_s": round(wall, 2)}
                curve.append(point | {"ndcg": numbers["valid_ndcg@10"]})
            if wall >= seconds:
                raise Enough

    train, valid = sequences.read(file)
    tiny = palate.Interactions.from_table({"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 3]})
    palate.models.create("sasrec", **told, epochs=1).fit(tiny, valid=tiny)
    began = time.perf_counter(), time.process_time()
    with contextlib.suppress(Enough):
        Timed(**told, epochs=10_000, validation_users=len(valid)).fit(train, valid=valid)
    return {"library": f"palate {palate.__version__}", "peak_mb": common.process_peak(), "curve": curve}


def marks(minutes: list[float]) -> list[float]:
    """Seconds at which a peer's state is kept: each budget, and four moments on the way to it."""
    starts = [0.0, *minutes[:-1]]
    return [
        60 * (a + (b - a) * part / 5) for a, b in zip(starts, minutes, strict=True) for part in range(1, 6)
    ]


def best_by(curves: list[Curve], minutes: float) -> float:
    """The best of all curves until then; 0 where there is nothing yet. A state of a mark counts from the mark on."""
    points = [point for curve in curves for point in curve]
    return max(
        (one["ndcg"] for one in points if one.get("mark_s", one["wall_s"]) <= 60 * minutes), default=0.0
    )


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--sets", default="beauty,ml-1m", help="data sets, separated by commas")
    parser.add_argument("--minutes", default=MINUTES, help="budgets, separated by commas")
    parser.add_argument("--only", default=",".join(NAMES), help="libraries, separated by commas")
    parser.add_argument("--users", type=int, help="only so many users, to try the script out")
    options = parser.parse_args()
    common.warn_when_busy()
    minutes = [float(one) for one in options.minutes.split(",")]
    for name in options.sets.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / f"{name}.npz"
            counts = sequences.write(options.data, name, file, options.users)
            for library, told in trainings(name, options.only.split(",")):
                asked = {"name": library, "settings": told, "minutes": minutes, "counts": counts}
                runs = kept(name, minutes, counts, options.out)
                if any(asked.items() <= run.items() for run in runs):
                    continue
                common.say(
                    f"{name}: {library} {told}, {minutes[-1]:g} minutes; load {os.getloadavg()[0]:.1f}"
                )
                runs.append(asked | train(library, name, told, file, minutes, options))
                write(name, runs, minutes, options.out)


def trainings(name: str, libraries: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """What is to be trained: the first settings of every library before the second of any."""
    told = [(library, OURS[name] if library == "palate" else THEIRS[library]) for library in libraries]
    most = max(len(each) for _, each in told)
    return [(library, each[turn]) for turn in range(most) for library, each in told if turn < len(each)]


def kept(name: str, minutes: list[float], counts: dict[str, int], folder: Path) -> list[dict[str, Any]]:
    """Trainings of the result file that are of today's settings, minutes and data; no others come into the chart."""
    file = folder / f"sasrec-budget-{name}.json"
    wanted = [
        {"name": library, "settings": told, "minutes": minutes, "counts": counts}
        for library, told in trainings(name, list(NAMES))
    ]
    runs = json.loads(file.read_text())["runs"] if file.exists() else []
    return [run for run in runs if any(one.items() <= run.items() for one in wanted)]


def train(
    library: str, name: str, told: dict[str, Any], file: Path, minutes: list[float], options: Any
) -> dict[str, Any]:
    """One training of a library."""
    shape = sequences.SHAPES[name]
    if library == "palate":
        sizes = {"embedding_size": shape["size"], "window": shape["window"], "dropout": shape["dropout"]}
        return common.worker(__file__, file, json.dumps(sizes | told), 60 * minutes[-1], threads=THREADS)
    asked = shape | {"negatives": 1, "batch": 128, "threads": THREADS, "marks": marks(minutes)} | told
    return common.peer(options.peers, library, PEERS[library], file, json.dumps(asked), threads=THREADS)


def write(name: str, runs: list[dict[str, Any]], minutes: list[float], out: Path) -> None:
    """The table and the chart of the trainings so far."""
    curves = {
        library: [run["curve"] for run in runs if run["name"] == library]
        for library in NAMES
        if any(run["name"] == library for run in runs)
    }
    best = {
        library: {f"{one:g} min": round(best_by(mine, one), 4) for one in minutes}
        for library, mine in curves.items()
    }
    print(json.dumps({name: best}, indent=1))
    told = {"set": name, "threads": THREADS, "best_valid_ndcg@10": best, "runs": runs}
    file = common.write(f"sasrec-budget-{name}", told, out)
    file.with_suffix(".svg").write_text(draw(name, curves, minutes))


def draw(name: str, curves: dict[str, list[Curve]], minutes: list[float]) -> str:
    """The best until then against minutes, in hundredths."""
    series = {}
    for library, mine in curves.items():
        times = sorted(
            {point.get("mark_s", point["wall_s"]) / 60 for curve in mine for point in curve} | set(minutes)
        )
        series[NAMES[library]] = [(one, 100 * best_by(mine, one)) for one in times if best_by(mine, one)]
    title = f"Best validation nDCG@10, hundredths: {name}"
    return chart.page(
        [chart.lines({k: v for k, v in series.items() if v}, title=title, x="minutes, two cores")]
    )


if __name__ == "__main__":
    if "--worker" in sys.argv:
        source, given, limit = sys.argv[-3:]
        print(json.dumps(measure(Path(source), json.loads(given), float(limit))))
    else:
        main()
