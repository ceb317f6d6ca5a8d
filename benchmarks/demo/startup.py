"""How long a newcomer waits: `palate --help`, and the quickstart with cold and with warm kernels.

    python benchmarks/demo/startup.py [--threads 2]

Cold means an empty cache of compiled kernels, as after an install. Wall seconds; CPU seconds beside them.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common


def run(*command: str, threads: int, cache: str) -> dict[str, float]:
    """Run `palate ...` and return its seconds."""
    palate = str(Path(sysconfig.get_path("scripts")) / "palate")
    environment = common.one_thread(threads) | {"NUMBA_CACHE_DIR": cache}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([palate, *command], env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"palate {' '.join(command)} failed:\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 3), "cpu_s": round(cpu, 3)}


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    common.warn_when_busy()
    result: dict[str, object] = {"threads": options.threads}
    with tempfile.TemporaryDirectory() as scratch:
        cache = f"{scratch}/numba"
        helps = [run("--help", threads=options.threads, cache=cache) for _ in range(5)]
        result["help"] = sorted(helps, key=lambda one: one["wall_s"])[2]
        for name in ("cold", "warm"):
            out = f"{scratch}/{name}"
            demo = ("run", "quickstart", "--out", out)
            result[f"quickstart_{name}"] = run(*demo, threads=options.threads, cache=cache)
    for name in ("help", "quickstart_cold", "quickstart_warm"):
        print(f"{name:<16} {result[name]}")
    common.write("startup", result, options.out)


if __name__ == "__main__":
    main()
