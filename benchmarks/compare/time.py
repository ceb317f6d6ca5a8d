"""How long `palate compare` takes on MovieTweetings (5-core) with all models that fit it, on two cores.

    python benchmarks/compare/time.py

The command as a user calls it, with its defaults and two processes: tuning, test, tests on two other splits, the check
by time, pages. Writes compare-time.json with wall and CPU seconds, and what the board says.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common


def main() -> None:
    options = common.arguments(__doc__).parse_args()
    common.warn_when_busy()
    with tempfile.TemporaryDirectory() as folder:
        words = ["compare", "movietweetings", "--min-user", "5", "--min-item", "5", "--jobs", "2", "--json"]
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "palate", *words, "--quiet", "--out", folder],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        wall = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    contest = json.loads(done.stdout)
    board = {
        model["label"]: round(model["metrics"]["ndcg@10"]["mean"], 4) for model in contest["result"]["models"]
    }
    common.write(
        "compare-time",
        {
            "wall_s": round(wall, 1),
            "cpu_s": round(used.ru_utime + used.ru_stime, 1),
            "models": len(board),
            "ndcg@10": dict(sorted(board.items(), key=lambda one: -one[1])),
            "trials": len(contest["study"]["trials"]),
            "notes": contest["notes"],
        },
        options.out,
    )


if __name__ == "__main__":
    main()
