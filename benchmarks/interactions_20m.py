"""Twenty million rows into the table that everything stands on: seconds and memory of each step.

    python benchmarks/interactions_20m.py [--rows 20000263] [--threads 1]

A synthetic world (sar/synthetic.py), written once as Parquet and once as CSV. Each source is read in a process
of its own, in which nothing else lies: a frame of its columns, `Interactions`, histories, distinct pairs,
fingerprint. The gate: at most 1.5 GB resident while a frame becomes `Interactions`, the frame included.
Writes interactions-20m.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "sar"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import common

GATE_MB = 1_536
SOURCES = ("parquet", "csv")


def prepare(folder: Path, rows: int) -> None:
    """Write the world, with text ids in the CSV's user column, as shops have them."""
    import polars as pl
    import synthetic

    share = rows / synthetic.ROWS
    world = synthetic.make(round(synthetic.USERS * share), max(round(synthetic.ITEMS * share**0.5), 50), rows)
    frame = pl.DataFrame(world)
    frame.write_parquet(folder / "world.parquet")
    frame.with_columns("u" + pl.col("user").cast(pl.String)).write_csv(folder / "world.csv")


def measure(file: Path) -> dict[str, object]:
    """Take one file through every step in this process."""
    import polars as pl

    import palate

    tiny = pl.DataFrame({"user": [1, 1, 2], "item": [1, 2, 2], "value": [1.0] * 3, "time": [1, 2, 3]})
    warm = palate.Interactions.from_table(tiny)
    warm.histories(), warm.pairs()  # compiled code is loaded now
    steps: dict[str, object] = {}

    def step(name: str, clock: common.Clock, peak: common.Peak) -> None:
        steps[name] = clock.both() | {"peak_mb": peak.mb}

    if file.suffix == ".csv":
        with common.Peak() as peak, common.Clock() as clock:
            data = palate.load(file).interactions
        step("file to interactions", clock, peak)
    else:
        frame = pl.read_parquet(file)
        with common.Peak() as peak, common.Clock() as clock:
            data = palate.Interactions.from_table(frame)
        step("frame to interactions", clock, peak)
        del frame
    for name, act in (
        ("histories", data.histories),
        ("distinct pairs", data.pairs),
        ("fingerprint", lambda: data.fingerprint),
    ):
        with common.Peak() as peak, common.Clock() as clock:
            act()
        step(name, clock, peak)
    return {"rows": len(data), "users": data.n_users, "items": data.n_items, "steps": steps}


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--rows", type=int, default=20_000_263)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    common.warn_when_busy()
    runs = {}
    with tempfile.TemporaryDirectory() as scratch:
        common.worker(__file__, "prepare", scratch, options.rows)
        for source in SOURCES:
            runs[source] = run = common.worker(
                __file__, "measure", Path(scratch) / f"world.{source}", threads=options.threads
            )
            for name, one in run["steps"].items():
                figures = f"{one['cpu_s']:>7.2f} CPU s {one['wall_s']:>7.2f} s {one['peak_mb']:>6,} MB"
                print(f"{source:>8} {name:<24}{figures}", flush=True)
    peak = runs["parquet"]["steps"]["frame to interactions"]["peak_mb"]
    met = peak <= GATE_MB
    print(f"gate: {peak:,} MB of {GATE_MB:,} MB, {'met' if met else 'MISSED'}")
    result = {"threads": options.threads, "gate_mb": GATE_MB, "met": met, "runs": runs}
    common.write("interactions-20m", result, options.out)
    if not met:
        raise SystemExit(1)


if __name__ == "__main__":
    if "--worker" in sys.argv:
        verb, *rest = sys.argv[2:]
        if verb == "prepare":
            prepare(Path(rest[0]), int(rest[1]))
            print("{}")
        else:
            print(json.dumps(measure(Path(rest[0]))))
    else:
        main()
