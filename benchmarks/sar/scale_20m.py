"""SAR at the size of MovieLens-20M on a synthetic world (synthetic.py): seconds and memory as the rows grow.

    python benchmarks/sar/scale_20m.py [--shares 0.1,0.25,0.5,1] [--threads 1]

Each size and setting is a process of its own: read the table into `Interactions`, fit (jaccard, float32),
recommend ten unseen items to every user; once with the dense similarity, once with 200 neighbours. Peaks
are of resident memory inside each step. Writes sar-scale-20m.json and the chart sar-scale-20m.svg.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import chart
import common

NEIGHBOURS = 200


def prepare(file: Path, share: float) -> None:
    """Write the world with `share` of the users (all items, histories as long as ever)."""
    import synthetic

    world = synthetic.make()
    keep = world["user"] <= round(synthetic.USERS * share)
    np.savez(file, **{name: column[keep] for name, column in world.items()})


def measure(file: Path, neighbours: int | None) -> dict[str, object]:
    """Read, fit and recommend in this process; seconds and peak memory of each step."""
    from palate.interactions import Interactions
    from palate.models.sar import SAR

    tiny = {"user": [1, 1, 2, 2], "item": [1, 2, 2, 3], "value": [1.0] * 4, "time": [1, 2, 3, 4]}
    warm = SAR(neighbours=2 if neighbours else None).fit(Interactions.from_table(tiny))
    warm.recommend(k=1)  # compiled code is loaded now
    steps: dict[str, object] = {}

    def step(name: str, clock: common.Clock, peak: common.Peak) -> None:
        steps[name] = clock.both() | {"peak_mb": peak.mb}

    with np.load(file) as arrays:
        columns = dict(arrays)
    with common.Peak() as peak, common.Clock() as clock:
        train = Interactions.from_table(columns)
    step("table", clock, peak)
    del columns
    with common.Peak() as peak, common.Clock() as clock:
        model = SAR(neighbours=neighbours).fit(train)
    step("fit", clock, peak)
    with common.Peak() as peak, common.Clock() as clock:
        top = model.recommend(k=10)
    step("recommend", clock, peak)
    squares = float((np.bincount(train.user).astype(np.float64) ** 2).sum())
    return {
        "rows": len(train),
        "users": train.n_users,
        "items": train.n_items,
        "squared_lengths": squares,
        "neighbours": neighbours,
        "lists": top["user"].n_unique(),
        "steps": steps,
        "process_peak_mb": common.process_peak(),
    }


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--shares", default="0.1,0.25,0.5,1", help="shares of the users, separated by commas")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    common.warn_when_busy()
    runs = []
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "world.npz"
        for share in map(float, options.shares.split(",")):
            common.worker(__file__, "prepare", file, share)
            for neighbours in (0, NEIGHBOURS):
                run = common.worker(__file__, "measure", file, neighbours, threads=options.threads)
                runs.append(run)
                steps = run["steps"].items()
                words = ", ".join(
                    f"{name} {one['cpu_s']:.1f} CPU s {one['peak_mb']} MB" for name, one in steps
                )
                print(f"{run['rows']:>11,} rows, neighbours {neighbours or 'all'}: {words}", flush=True)
    file = common.write("sar-scale-20m", {"threads": options.threads, "runs": runs}, options.out)
    file.with_suffix(".svg").write_text(draw(runs))


def draw(runs: list[dict]) -> str:
    """Two charts: CPU seconds and peak memory against rows."""
    dense, pruned = ([run for run in runs if bool(run["neighbours"]) is kind] for kind in (False, True))

    def line(part: list[dict], step: str, key: str, scale: float = 1) -> list[tuple[float, float]]:
        return [(run["rows"] / 1e6, run["steps"][step][key] / scale) for run in part]

    time = {
        "fit, dense": line(dense, "fit", "cpu_s"),
        "fit, 200 neighbours": line(pruned, "fit", "cpu_s"),
        "recommend all, dense": line(dense, "recommend", "cpu_s"),
        "recommend all, 200 neighbours": line(pruned, "recommend", "cpu_s"),
    }
    memory = {
        "dense": line(dense, "fit", "peak_mb", 1024),
        "200 neighbours": line(pruned, "fit", "peak_mb", 1024),
    }
    return chart.page(
        [
            chart.lines(time, title="CPU seconds", x="million rows"),
            chart.lines(memory, title="Peak memory of fit, GB", x="million rows"),
        ]
    )


if __name__ == "__main__":
    if "--worker" in sys.argv:
        verb, source, value = sys.argv[2:]
        if verb == "prepare":
            prepare(Path(source), float(value))
            print("{}")
        else:
            print(json.dumps(measure(Path(source), int(value) or None)))
    else:
        main()
